import { expect, test } from 'vitest'
import { type Cluster, createTopics, deleteTopics, kafkaJs, type NewRecord } from '../../src/kafka/index.ts'
import { parseBootstrap, sleep } from '../../src/kit/index.ts'
import { exitOf, Mirror, type MirrorEvent } from '../../src/mirror/index.ts'
import type { SandboxCluster } from '../../src/sandbox/index.ts'
import { MirrorWorld } from '../mirror-world.ts'
import { commit, cutOf, wayBack } from '../reverse-world.ts'
import { servers } from '../sandbox-helper.ts'
import { logOf } from '../wire-log.ts'

const LOSSY = { 'min.insync.replicas': '1', 'unclean.leader.election.enable': 'true' }
const config = { 'replica.lag.time.max.ms': '2000', 'auto.leader.rebalance.enable': 'false' }
const values = (text: string, count: number): NewRecord[] =>
  Array.from({ length: count }, (_, i) => ({ value: Buffer.from(`${text} ${i}`) }))

const until = async (what: string, is: () => Promise<boolean> | boolean, withinMs = 90_000) => {
  const end = performance.now() + withinMs
  while (!(await is())) {
    if (performance.now() > end) throw new Error(`not within ${withinMs} ms: ${what}`)
    await sleep(100)
  }
}
const partitionOf = async (cluster: Cluster, topic: string) => {
  const [found] = await cluster.metadata([topic])
  return found?.partitions[0]
}
const leaderIs = (cluster: Cluster, topic: string, nodeId: number) =>
  until(`broker ${nodeId} leads ${topic}`, async () => (await partitionOf(cluster, topic))?.leader === nodeId)

/** `more` are written to the leader alone, which then dies; the other replica, that lacks them, is elected and takes `instead`. */
const uncleanElection = async (
  world: MirrorWorld,
  {
    side,
    topic,
    more,
    instead,
  }: { side: 'old' | 'next'; topic: string; more(): Promise<void>; instead?: NewRecord[] },
) => {
  const cluster = world[side]
  const broker = (id: number) => world.clusters[side === 'old' ? 'old' : 'new'].node(id)
  const before = await partitionOf(cluster, topic)
  const leader = before?.leader ?? -1
  const other = before?.replicas.find(id => id !== leader) ?? -1
  await broker(other).stop('kill')
  await until(
    'the follower is out of sync',
    async () => (await partitionOf(cluster, topic))?.isr.length === 1,
  )
  await more()
  await broker(leader).stop('kill')
  await broker(other).start()
  await leaderIs(cluster, topic, other)
  if (instead) await world.write(cluster, topic, instead)
  return { heal: () => broker(leader).start() }
}

servers('kmig mirror and elections', () => {
  test('an unclean election on the old cluster takes records of before the cut: the way back of that partition stops with their range, and the others go on', async () => {
    await using world = await MirrorWorld.open({ old: { brokers: 3, config } })
    await createTopics(world.old, [{ name: 'gone', partitions: 1, replicationFactor: 2, configs: LOSSY }])
    await world.make('safe', 1)
    await world.write(world.old, 'gone', values('both have it', 20))
    await world.more('safe', 0, { batches: 5 })
    await commit(world.old, 'any', { 'safe-0': 1n }) // groups have a coordinator before a broker dies
    await using reverse = await wayBack(world, 'm', 'run-1')
    const { heal } = await uncleanElection(world, {
      side: 'old',
      topic: 'gone',
      more: async () => {
        await world.write(world.old, 'gone', values('lost', 10))
        await world.mirror('m', ['gone', 'safe'])
        await reverse.arm(await cutOf(world, ['gone', 'safe']))
        await reverse.start()
        await world.write(world.next, 'gone', values('new', 3))
        await reverse.drained(await world.ends(world.next, ['gone', 'safe']))
      },
      instead: values('another', 25),
    })
    await until('the partition stops', async () => reverse.lanes.some(lane => lane.stopped))
    await heal()
    await world.write(world.next, 'safe', values('new', 5))
    const r = await world.ends(world.next, ['gone', 'safe'])
    await expect(reverse.drained(r)).rejects.toMatchObject({ code: 'TARGET_TRUNCATED' })
    const { missing, points } = await reverse.drained(r, { lossy: true })
    const { stopped } = await reverse.lag()
    expect(stopped.map(({ where, error }) => [where, error.code])).toEqual([['gone-0', 'TARGET_TRUNCATED']])
    expect(stopped[0]?.error.message).toContain('the old cluster lost offsets 20 to 29')
    expect(missing.map(({ where, from, to }) => [where, from, to])).toEqual([['gone-0', 30n, 33n]])
    expect(points.get('safe-0')).toEqual({ next: 10n, old: 10n })
  })

  test('an unclean election on the source, while it is followed and while no mirror runs: the partition stops with the range that only the target holds, and the others go on', async () => {
    await using world = await MirrorWorld.open({ old: { brokers: 3, config } })
    for (const name of ['lossy', 'lossy-down'])
      await createTopics(world.old, [{ name, partitions: 1, replicationFactor: 2, configs: LOSSY }])
    await world.make('safe', 3)
    const topics = ['lossy', 'lossy-down', 'safe']
    for (const topic of ['lossy', 'lossy-down'])
      await world.write(world.old, topic, values('both have it', 20))
    await world.more('safe', 0, { batches: 5 })
    const stop = new AbortController()
    const running = world.mirror('m', topics, { signal: stop.signal, untilCaughtUp: false })
    await world.copied(topics, 1)

    const first = await uncleanElection(world, {
      side: 'old',
      topic: 'lossy',
      more: async () => {
        await world.write(world.old, 'lossy', values('lost', 10))
        await until(
          'it is copied',
          async () => (await world.ends(world.next, ['lossy'])).get('lossy-0') === 30n,
        )
      },
      instead: values('another', 25),
    })
    const stopped = () => world.events.find(event => event.kind === 'stopped' && event.where === 'lossy-0')
    await until('the partition stops', () => stopped() !== undefined)
    await first.heal()
    await until('every partition has its leader back', async () => {
      const [safe] = await world.old.metadata(['safe'])
      return world.old.brokers.size === 3 && (safe?.partitions ?? []).every(({ leader }) => leader >= 0)
    })
    await world.more('safe', 1, { batches: 5 })
    await until('the others go on', async () => (await world.ends(world.next, ['safe'])).get('safe-1') === 5n)
    stop.abort()
    const report = await running
    const of = (topic: string) => report.partitions.find(each => each.topic === topic)?.stopped
    expect(of('lossy')).toMatchObject({
      code: 'SOURCE_TRUNCATED',
      message: expect.stringContaining('offsets 20 to 29'),
    })
    expect(of('safe')).toBeUndefined()
    expect(exitOf(report)).toBe(7)
    expect((await logOf(world.next, 'lossy', 0)).length).toBe(30)

    await world.write(world.old, 'lossy-down', values('lost', 10))
    await world.mirror('m', ['lossy-down', 'safe'])
    const second = await uncleanElection(world, {
      side: 'old',
      topic: 'lossy-down',
      more: async () => {
        await world.write(world.old, 'lossy-down', values('lost too', 5))
        await world.mirror('m', ['lossy-down', 'safe'])
      },
      instead: values('another', 25),
    })
    await second.heal()
    const after = await world.mirror('m', topics)
    expect(
      after.partitions.flatMap(({ topic, stopped }) => (stopped ? [[topic, stopped.code]] : [])).sort(),
    ).toEqual([
      ['lossy', 'SOURCE_TRUNCATED'],
      ['lossy-down', 'SOURCE_TRUNCATED'],
    ])
  })

  test('an unclean election on the source right after a kill -9, and before the first record after the state was found again: the partition stops with the range that only the target holds', async () => {
    await using world = await MirrorWorld.open({ old: { brokers: 3, config } })
    const cutBack = async (topic: string, copy: () => Promise<void>) => {
      await createTopics(world.old, [{ name: topic, partitions: 1, replicationFactor: 2, configs: LOSSY }])
      await world.write(world.old, topic, values('both have it', 20))
      const { heal } = await uncleanElection(world, {
        side: 'old',
        topic,
        more: async () => {
          await world.write(world.old, topic, values('lost', 10))
          await copy()
        },
        instead: values('another', 25),
      })
      await heal()
      const report = await world.mirror(topic, [topic])
      expect(report.partitions.map(({ stopped }) => stopped)).toEqual([
        expect.objectContaining({
          code: 'SOURCE_TRUNCATED',
          message: expect.stringContaining('the source lost offsets 20 to 29'),
        }),
      ])
      expect((await logOf(world.next, topic, 0)).length).toBe(30)
    }
    await cutBack('killed', async () => {
      const { process: child, ended } = world.command('killed', ['killed'])
      await until('it is copied', async () => (await world.total(world.next, ['killed'])) === 30n)
      child.kill('SIGKILL')
      expect((await ended).signal).toBe('SIGKILL')
    })
    await cutBack('forgotten', async () => {
      await world.mirror('forgotten', ['forgotten'])
      await deleteTopics(world.next, ['__kmig.forgotten'])
      await world.mirror('forgotten', ['forgotten'])
      expect(world.warnings.join('\n')).toContain('what was known of it was gone')
    })
  })

  test('an unclean election on the target: what it lost is named and copied again, and the copy is equal', async () => {
    await using world = await MirrorWorld.open({ new: { brokers: 3, config } })
    await createTopics(world.next, [{ name: 'cut', partitions: 1, replicationFactor: 2, configs: LOSSY }])
    await world.make('cut')
    await world.write(world.old, 'cut', values('first', 20))
    const stop = new AbortController()
    const running = world.mirror('m', ['cut'], { signal: stop.signal, untilCaughtUp: false })
    await world.copied(['cut'], 1)
    const { heal } = await uncleanElection(world, {
      side: 'next',
      topic: 'cut',
      more: async () => {
        await world.write(world.old, 'cut', values('second', 15))
        await until('it is copied', async () => (await world.ends(world.next, ['cut'])).get('cut-0') === 35n)
      },
    })
    await world.write(world.old, 'cut', values('third', 5))
    await until(
      'it is copied again',
      async () => (await world.ends(world.next, ['cut'])).get('cut-0') === 40n,
    )
    await heal()
    stop.abort()
    expect(exitOf(await running)).toBe(0)
    expect(world.warnings.filter(text => text.includes('had acknowledged up to'))).toEqual([
      expect.stringContaining('offsets 20 to 34 are copied again'),
    ])
    await world.expectEqual(['cut'])
  })

  test('leaders move by rolling restarts, and by reassignments that take each broker out in turn, on both sides while records are written: the copy is equal, and metadata is asked for in bounds', async () => {
    await using world = await MirrorWorld.open({ old: { brokers: 3, config }, new: { brokers: 3, config } })
    await world.make('moving', 6)
    const stop = new AbortController()
    const events: MirrorEvent[] = []
    const at = (side: 'old' | 'new') => ({ name: side, bootstrap: parseBootstrap(world.bootstrap(side)) })
    const mirror = await Mirror.open({
      ...{ from: at('old'), to: at('new'), name: 'm', topics: ['moving'], groups: ['none'] },
      ...{ stateDir: world.stateDir, own: true, signal: stop.signal, on: event => events.push(event) },
    })
    await mirror.start()
    const following = mirror.follow().catch(() => {})
    let writing = true
    const writer = (async () => {
      for (let i = 0; writing; i++) {
        const partition = i % 6
        await world
          .write(world.old, 'moving', values(`round ${i}`, 5), { partition })
          .catch(() => world.old.metadata(['moving']).catch(() => []))
        await sleep(20)
      }
    })()
    const roll = async (cluster: SandboxCluster, seen: Cluster) => {
      for (const id of [1, 2, 3]) {
        await cluster.node(id).stop('clean')
        await cluster.node(id).start()
        await until(`broker ${id} is in sync`, async () =>
          ((await seen.metadata(['moving']))[0]?.partitions ?? []).every(({ isr }) => isr.length === 3),
        )
      }
    }
    const reassign = async (cluster: SandboxCluster, seen: Cluster) => {
      const admin = kafkaJs({ brokers: cluster.bootstrap().split(',') }).admin()
      await admin.connect()
      const assign = (replicas: (partition: number) => number[]) =>
        admin.alterPartitionReassignments({
          topics: [
            {
              topic: 'moving',
              partitionAssignment: [0, 1, 2, 3, 4, 5].map(partition => ({
                partition,
                replicas: replicas(partition),
              })),
            },
          ],
        })
      const leaders = async () =>
        (await seen.metadata(['moving']))[0]?.partitions.map(({ leader }) => leader) ?? []
      for (const gone of [1, 2, 3]) {
        const left = [1, 2, 3].filter(id => id !== gone)
        await assign(partition => (partition % 2 ? left : left.toReversed()))
        await until(`broker ${gone} leads nothing`, async () => !(await leaders()).includes(gone))
      }
      // one that comes while the one before still goes on may be dropped without a word: it is asked for until it is done
      let asked = Number.NEGATIVE_INFINITY
      const spread = async () => {
        const now = (await seen.metadata(['moving']))[0]?.partitions ?? []
        if (now.every(({ isr }) => isr.length === 3)) return true
        if (performance.now() - asked > 10_000) {
          asked = performance.now()
          await assign(partition => [0, 1, 2].map(i => ((partition + i) % 3) + 1))
        }
        return false
      }
      await until('all have three replicas', spread, 240_000)
      await admin.disconnect()
    }
    const started = performance.now()
    await roll(world.clusters.old, world.old)
    await roll(world.clusters.new, world.next)
    await reassign(world.clusters.old, world.old)
    await reassign(world.clusters.new, world.next)
    const seconds = (performance.now() - started) / 1_000
    writing = false
    await writer
    await mirror.caughtUp()
    const asked = [mirror.source, mirror.target].map(({ requests }) => requests.get('Metadata') ?? 0)
    process.stderr.write(`metadata asked ${asked} in ${seconds.toFixed(0)} s\n`)
    stop.abort()
    await following
    await mirror[Symbol.asyncDispose]()
    expect(events.filter(({ kind }) => kind === 'stopped')).toEqual([])
    for (const count of asked) expect(count).toBeLessThan(2 * seconds + 200)
    await world.expectEqual(['moving'])
  })

  test('a partition without a leader when the mirror starts is planned as waiting, the others are copied, and it follows once it has one', async () => {
    await using world = await MirrorWorld.open({ old: { brokers: 3, config } })
    await createTopics(world.old, [{ name: 'spread', partitions: 3, replicationFactor: 1 }])
    for (const partition of [0, 1, 2]) await world.more('spread', partition, { batches: 5 })
    await commit(world.old, 'any', { 'spread-0': 1n }) // groups have a coordinator before a broker dies
    await world.old.deleteRecords([0, 1, 2].map(partition => ({ topic: 'spread', partition, offset: 2n })))
    const dead = world.old.leaderOf('spread', 1)?.nodeId ?? -1
    const broker = world.clusters.old.node(dead)
    await broker.stop('clean') // a kill may bring deleted records back
    await until('it has no leader', async () => {
      const [found] = await world.old.metadata(['spread'])
      return found?.partitions[1]?.leader === -1
    })
    const stop = new AbortController()
    const started = performance.now()
    const running = world.mirror('m', ['spread'], { signal: stop.signal, untilCaughtUp: false })
    const end = async (partition: number) =>
      (await world.ends(world.next, ['spread'])).get(`spread-${partition}`)
    await until('the others are copied', async () => (await end(0)) === 5n && (await end(2)) === 5n)
    process.stderr.write(
      `copied beside a leaderless one after ${Math.round(performance.now() - started)} ms\n`,
    )
    expect(await end(1)).toBe(0n)
    await broker.start()
    await until('it is copied too', async () => (await end(1)) === 5n)
    stop.abort()
    const report = await running
    expect(exitOf(report)).toBe(0)
    expect(report.partitions.map(({ start }) => start)).toEqual([2n, 2n, 2n])
    await world.expectEqual(['spread'])
  })
})
