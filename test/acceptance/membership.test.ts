import { afterAll, beforeAll, expect, test } from 'vitest'
import { Cluster, createTopics, groupOffsets, type Member, Membership } from '../../src/kafka/index.ts'
import { parseBootstrap, sleep } from '../../src/kit/index.ts'
import { Sandbox, type SandboxCluster } from '../../src/sandbox/index.ts'
import { NEW, OLD, sandboxOptions, servers } from '../sandbox-helper.ts'

const SESSION_MS = 6_000

for (const spec of [OLD, NEW]) {
  servers(`members of a group on Kafka ${spec.version}`, () => {
    let sandbox: Sandbox
    let server: SandboxCluster
    let cluster: Cluster
    const processes = new AsyncDisposableStack()
    const signal = new AbortController().signal
    beforeAll(async () => {
      sandbox = await Sandbox.open(sandboxOptions())
      server = await sandbox.start({ ...spec, ensemble: spec.kind === 'kraft' ? 0 : 1 })
      cluster = await Cluster.open({ bootstrap: parseBootstrap(server.bootstrap()) })
      await createTopics(cluster, [{ name: 'orders', partitions: 2, replicationFactor: 1 }])
    })
    afterAll(async () => {
      await processes.disposeAsync()
      await cluster?.[Symbol.asyncDispose]()
      await sandbox?.[Symbol.asyncDispose]()
    })

    const assign = async (members: readonly Member[]) =>
      new Map(
        members.map(
          ({ memberId, metadata }) => [memberId, Buffer.from(`${members.length} for ${metadata}`)] as const,
        ),
      )
    /** Each as a process of its own: with its own connections. */
    const member = async (groupId: string, instance: string) =>
      new Membership({
        cluster: processes.use(await Cluster.open({ bootstrap: cluster.bootstrap })),
        groupId,
        instance,
        metadata: Buffer.from(instance),
        sessionMs: SESSION_MS,
        assign,
      })

    // Each has a group of its own, and waits for sessions to end.
    test.concurrent('two share; the one that is told to join anew loses its lease first; who leaves is gone at once', async () => {
      await using one = await member('pair', 'one')
      const alone = await one.join({ signal })
      expect([alone.leader, String(alone.assignment)]).toEqual([true, '1 for one'])
      await using two = await member('pair', 'two')
      const joining = two.join({ signal })
      while (one.holds) await sleep(50)
      expect(alone.lease.why).toBe('the group joins anew')
      const [first, second] = await Promise.all([one.join({ signal }), joining])
      expect([String(first.assignment), String(second.assignment)]).toEqual(['2 for one', '2 for two'])
      expect(first.generation).toBe(second.generation)
      await two.leave({ signal })
      while (one.holds) await sleep(50)
      expect(String((await one.join({ signal })).assignment)).toBe('1 for one')
    })
    test.concurrent('one that was killed takes its own place at once, and leads again; its old self is shut out', async () => {
      const killed = await member('restart', 'same')
      await killed.join({ signal })
      const started = performance.now()
      await using again = await member('restart', 'same')
      const tenure = await again.join({ signal })
      expect(performance.now() - started).toBeLessThan(SESSION_MS)
      expect(tenure).toMatchObject({ leader: true, members: [{ instance: 'same' }] })
      while (killed.holds) await sleep(50)
      await expect(killed.join({ signal })).rejects.toMatchObject({ code: 'LOCKED' })
    })
    test.concurrent('one that is silent loses its lease before the group gives it up', async () => {
      const silent = await member('silent', 'one')
      const { lease } = await silent.join({ signal })
      await silent[Symbol.asyncDispose]()
      expect(lease.holds).toBe(false)
      await using heir = await member('silent', 'two')
      const started = performance.now()
      expect(String((await heir.join({ signal })).assignment)).toBe('1 for two')
      expect(performance.now() - started).toBeGreaterThan(SESSION_MS * 0.3)
    })
    test.concurrent('commits as a member are kept while the group joins anew, and refused once it went on without it', async () => {
      await using one = await member('release', 'one')
      await one.join({ signal })
      const row = (offset: bigint) => ({ topic: 'orders', partition: 1, offset, metadata: `at ${offset}` })
      await one.commit([row(5n)], { signal })
      await using two = await member('release', 'two')
      const joining = two.join({ signal })
      while (one.holds) await sleep(50)
      await one.commit([row(6n)], { signal })
      await one[Symbol.asyncDispose]()
      await joining
      await expect(one.commit([row(7n)], { signal })).rejects.toMatchObject({ code: 'BROKER' })
      const [kept] = (await groupOffsets(cluster, ['release'])).get('release') ?? []
      expect(kept).toMatchObject({ offset: 6n, metadata: 'at 6' })
    })
  })
}
