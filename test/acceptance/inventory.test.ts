import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Secret } from '../../src/config/index.ts'
import { accessChecks } from '../../src/cutover/doctor/access.ts'
import { gather } from '../../src/cutover/doctor/facts.ts'
import {
  applyBelongings,
  type Found,
  lookAtBelongings,
  planAcls,
  planQuotas,
} from '../../src/inventory/index.ts'
import {
  type Acl,
  alterConfigs,
  Cluster,
  commitOffsets,
  createAcls,
  createTopics,
  deleteAcls,
  describeGroups,
  groupOffsets,
  listAcls,
  listQuotas,
  type Quota,
  quotaKey,
  setQuotas,
} from '../../src/kafka/index.ts'
import { Offset, parseBootstrap, sleep } from '../../src/kit/index.ts'
import { Mirror, type MirrorEvent, type MirrorOptions, runMirror } from '../../src/mirror/index.ts'
import { type GroupReport, syncGroups } from '../../src/offsets/index.ts'
import { joinNewGroup } from '../kafka/new-group.ts'
import { setScramUser } from '../kafka/scram-user.ts'
import { MirrorWorld, transactions } from '../mirror-world.ts'
import { authorizer, servers } from '../sandbox-helper.ts'

const signal = new AbortController().signal
const thrown = (_: unknown, e: Error): void => {
  throw e
}
const acl = (more: Partial<Acl> = {}): Acl => ({
  ...{ resource: 'topic', pattern: 'literal', name: 'orders', principal: 'User:app', host: '*' },
  ...{ operation: 'read', permission: 'allow' },
  ...more,
})
const ACLS: Acl[] = [
  acl(),
  acl({ operation: 'write' }),
  acl({ pattern: 'prefixed', name: 'ord', operation: 'all', principal: 'User:admin' }),
  acl({ resource: 'group', name: '*', host: '10.0.0.1' }),
  acl({ resource: 'cluster', name: 'kafka-cluster', operation: 'idempotent-write' }),
  acl({
    resource: 'transactional-id',
    pattern: 'prefixed',
    name: 'tx-',
    operation: 'write',
    permission: 'deny',
  }),
  acl({ resource: 'delegation-token', name: 'token', operation: 'describe' }),
  acl({ resource: 'user', name: 'app', operation: 'create-tokens' }),
]
const found = <T>(...items: T[]): Found<T> => ({ kind: 'found', items })
const user = { type: 'user', name: 'app' }
const QUOTAS: Quota[] = [
  { entity: [user], key: 'producer_byte_rate', value: 1_000_000 },
  { entity: [user, { type: 'client-id', name: 'c' }], key: 'request_percentage', value: 12.5 },
  { entity: [{ type: 'client-id', name: null }], key: 'consumer_byte_rate', value: 100_000_000 },
  { entity: [{ type: 'ip', name: '10.0.0.1' }], key: 'connection_creation_rate', value: 50 },
]
const sorted = (acls: readonly Acl[] | undefined) =>
  acls?.map(each => JSON.stringify(Object.entries(each).sort())).sort()
const values = (quotas: readonly Quota[]) => quotas.map(each => `${quotaKey(each)}=${each.value}`).sort()
const until = async (done: () => Promise<boolean>): Promise<void> => {
  while (!(await done())) await sleep(50)
}

servers('what a cluster has beside its records', () => {
  let world: MirrorWorld
  const extra = acl({ name: 'theirs', principal: 'User:new' })

  beforeAll(async () => {
    world = await MirrorWorld.open({
      old: { config: authorizer('kafka-zk'), listeners: ['sasl'] },
      new: { config: authorizer('kraft') },
    })
    const { old, next } = world
    await world.fill('orders', { partitions: 4, batches: 3 })
    await world.make('audit', 1, { 'retention.ms': '3600000', 'min.insync.replicas': '1' })
    await createAcls(old, ACLS, { refused: thrown })
    await createAcls(next, [extra], { refused: thrown })
    await setQuotas(old, QUOTAS, { refused: thrown })
    await setScramUser(old, 'app', 'a password')
    await world.make('paid')
    await transactions(world, 'paid', { rounds: 1 })
    await alterConfigs(old, { kind: 'broker', name: '' }, { set: { 'message.max.bytes': '2000000' } })
    await until(async () => (await listAcls(old))?.length === ACLS.length)
    await until(async () => (await listAcls(next))?.length === 1)
  })
  afterAll(async () => await world?.[Symbol.asyncDispose]())

  const options = (name: string, more: Partial<MirrorOptions> = {}): MirrorOptions => ({
    from: { name: 'old', bootstrap: world.old.bootstrap },
    to: { name: 'new', bootstrap: world.next.bootstrap },
    name,
    topics: ['orders', 'audit'],
    stateDir: world.stateDir,
    signal,
    ...more,
  })
  const FULL = ['topics', 'configs', 'acls', 'quotas'] as const
  const missing = async () => {
    const theirs = new Set(sorted(await listAcls(world.next)))
    return sorted(ACLS)?.filter(each => !theirs.has(each)).length
  }

  test('a plan lists each ACL, quota, user and setting of brokers, and makes nothing', async () => {
    await using mirror = await Mirror.open(options('plan'))
    const { inventory } = await mirror.fullPlan()
    const of = (kind: string) => inventory.filter(each => each.kind === kind)
    expect(
      of('acl')
        .map(({ outcome }) => outcome)
        .sort(),
    ).toEqual([...ACLS.map(() => 'excluded'), 'extra'])
    expect(of('quota')).toHaveLength(QUOTAS.length)
    expect(of('user').map(({ name }) => name)).toContain('app (SCRAM-SHA-256, 4096 iterations)')
    expect(of('user').every(({ why }) => why?.includes("hashes can't be read"))).toBe(true)
    expect(of('broker-config')).toMatchObject([
      { name: 'all brokers: message.max.bytes=2000000', outcome: 'refused' },
    ])
    expect(of('config').map(({ name }) => name)).toContain('audit: retention.ms=3600000')
    expect(of('transactional-id')).toEqual(
      ['a', 'b', 'c'].map(id =>
        expect.objectContaining({
          name: `paid-${id}-0`,
          outcome: 'excluded',
          why: expect.stringContaining('anew'),
        }),
      ),
    )
    expect([await missing(), await listQuotas(world.next)]).toEqual([ACLS.length, []])
  })

  test('subscriptions of client metrics and settings of groups are rows too, each with why it is not copied', async () => {
    const { old, next } = world
    await createTopics(next, [{ name: 'none', partitions: 1, replicationFactor: 1 }])
    await commitOffsets(next, 'set', [
      { topic: 'none', partition: 0, offset: 0n, leaderEpoch: -1, metadata: '' },
    ])
    await alterConfigs(next, { kind: 'client-metrics', name: 'sub' }, { set: { 'interval.ms': '1000' } })
    await alterConfigs(
      next,
      { kind: 'group', name: 'set' },
      { set: { 'consumer.session.timeout.ms': '50000' } },
    )
    const look = (source: Cluster) =>
      lookAtBelongings({
        source: { name: 'a', cluster: source },
        target: { name: 'b', cluster: next },
        sync: [],
        signal,
      })
    const rows = async () => (await look(next)).rest.filter(({ kind }) => /metrics|group/.test(kind))
    const end = performance.now() + 20_000
    while ((await rows()).length < 2 && performance.now() < end) await sleep(100)
    expect(await rows()).toMatchObject([
      { kind: 'client-metrics', name: 'sub interval.ms=1000', outcome: 'refused' },
      { kind: 'group-config', name: 'set: consumer.session.timeout.ms=50000', outcome: 'refused' },
    ])
    // brokers that know no such things have none
    expect((await look(old)).rest.filter(({ kind }) => /metrics|group/.test(kind))).toEqual([])
  })

  test('a user who may neither read nor make ACLs, quotas, users, settings: each is refused with what to allow', async () => {
    const password = new Secret(world.clusters.old.credentials.users.kmig)
    await using denied = await Cluster.open({
      bootstrap: parseBootstrap(world.clusters.old.bootstrap('sasl')),
      security: { protocol: 'SASL_PLAINTEXT', sasl: { mechanism: 'SCRAM-SHA-512', user: 'kmig', password } },
    })
    const { acls, quotas, rest } = await lookAtBelongings({
      source: { name: 'old', cluster: denied },
      target: { name: 'new', cluster: world.next },
      sync: FULL,
      signal,
    })
    const rows = [...acls.entries, ...quotas.entries, ...rest].filter(({ outcome }) => outcome === 'refused')
    expect(rows.map(({ kind, name, why = '' }) => [kind, name, why.replace(/.*; /, '')])).toEqual([
      ['acl', '(all)', "allow kmig's user Describe on the cluster on 'old'"],
      ['quota', '(all)', "allow kmig's user DescribeConfigs on the cluster on 'old'"],
      ['user', '(all)', "allow kmig's user Describe on the cluster on 'old'"],
      ['broker-config', '(all)', "allow kmig's user DescribeConfigs on the cluster on 'old'"],
    ])
    const [first, quota] = [acl(), QUOTAS[0]]
    const { entries, ...made } = await applyBelongings(
      { name: 'old', cluster: denied },
      {
        acls: planAcls({ source: found(first), target: found(), wanted: true }),
        quotas: planQuotas({ source: found(...(quota ? [quota] : [])), target: found(), wanted: true }),
        rest: [],
      },
      { signal },
    )
    expect(made).toEqual({ acls: 0, quotas: 0 })
    expect(entries.map(({ outcome, why = '' }) => [outcome, why.replace(/.*; /, '')])).toEqual([
      ['refused', "allow kmig's user Alter on the cluster on 'old'"],
      ['refused', "allow kmig's user AlterConfigs on the cluster on 'old'"],
    ])
  })

  test('a preflight blocks over ACLs that the new cluster lacks, and not over those that the run makes itself', async () => {
    await using mirror = await Mirror.open(options('preflight'))
    const facts = await gather(mirror, { old: 'old', next: 'new' }, { signal })
    const lacks = async (syncAcls: boolean) => {
      const outcome = (await accessChecks(facts, { syncAcls, signal })).find(({ id }) => id === 'acl-diff')
      if (outcome?.kind !== 'looked') throw new Error(outcome?.why)
      return outcome.findings.flatMap(({ severity, evidence }) => (severity === 'error' ? [evidence] : []))
    }
    expect(await lacks(false)).toEqual([
      expect.stringContaining("ACLs of 'old' that 'new' lacks: allow User:admin all on topic ord*"),
    ])
    expect(await lacks(true)).toEqual([])
  })

  test('with a write hold, ACLs that allow writing to moved topics come when it is lifted', async () => {
    await using mirror = await Mirror.open(
      options('hold', { sync: ['topics', 'configs', 'acls'], writeHold: true }),
    )
    const held = (await mirror.syncInventory()).filter(
      ({ kind, outcome }) => kind === 'acl' && outcome === 'changed',
    )
    expect(held.map(({ name }) => name).sort()).toEqual([
      'allow User:admin all on topic ord*',
      "allow User:app write on topic 'orders'",
    ])
    await until(async () => (await missing()) === 2)
    await mirror.liftWriteHold()
    await until(async () => (await missing()) === 0)
  })

  test('all are copied, nothing of the target’s is taken away, and a second run makes nothing', async () => {
    const events: MirrorEvent[] = []
    const run = () =>
      runMirror({ ...options('all'), sync: FULL, untilCaughtUp: true, on: event => events.push(event) })
    await deleteAcls(world.next, ACLS)
    await until(async () => (await missing()) === ACLS.length)
    const { inventory } = await run()
    await until(async () => (await missing()) === 0)
    await until(async () => (await listQuotas(world.next)).length === QUOTAS.length)
    expect(sorted(await listAcls(world.next))).toEqual(sorted([...ACLS, extra]))
    expect(values(await listQuotas(world.next))).toEqual(values(QUOTAS))
    const said = (kind: string, outcome: string) =>
      inventory.filter(each => each.kind === kind && each.outcome === outcome).length
    expect([said('acl', 'copied'), said('acl', 'extra'), said('quota', 'copied')]).toEqual([
      ...[ACLS.length, 1, QUOTAS.length],
    ])
    expect(
      inventory.filter(({ kind }) => kind === 'topic').map(({ name, outcome }) => `${name} ${outcome}`),
    ).toEqual(expect.arrayContaining(['orders copied', 'audit copied']))
    expect(inventory.filter(({ outcome, why }) => outcome !== 'copied' && !why)).toEqual([])
    const made = () => events.filter(({ kind }) => kind === 'inventory')
    expect(made()).toEqual([{ kind: 'inventory', acls: ACLS.length, quotas: QUOTAS.length }])
    await run()
    expect(made()).toHaveLength(1)
  })

  test('what changes on the source while the mirror runs follows: a new ACL, another value of a quota', async () => {
    const stop = new AbortController()
    const during = { ...options('all', { sync: FULL }), signal: stop.signal }
    await using mirror = await Mirror.open({ ...during, own: true })
    await mirror.start()
    const running = mirror.follow({ inventoryEveryMs: 500 }).catch(() => {})
    const late = acl({ name: 'late', principal: 'User:late' })
    const [first] = QUOTAS
    await createAcls(world.old, [late], { refused: thrown })
    await setQuotas(world.old, first ? [{ ...first, value: 7 }] : [], { refused: thrown })
    await until(async () => (await listAcls(world.next))?.some(({ name }) => name === 'late') ?? false)
    await until(async () => (await listQuotas(world.next)).some(({ value }) => value === 7))
    stop.abort()
    await running
  })

  describe('groups', () => {
    const [FROM, TO] = [0n, 3n]
    const bounds = { start: Offset(FROM), end: Offset(TO) }
    const boundsOf = (topic: string) => (topic === 'orders' ? bounds : undefined)
    const sync = (more: Partial<Parameters<typeof syncGroups>[0]> = {}): Promise<GroupReport> =>
      syncGroups({ source: world.old, target: world.next, boundsOf, signal, ...more })
    const kinds = ({ rows }: GroupReport) =>
      Object.fromEntries(
        [...Map.groupBy(rows, ({ outcome }) => outcome.kind)].map(([kind, all]) => [kind, all.length]),
      )

    test('500 of them with four partitions each are copied in seconds, and written again a day later', async () => {
      const names = Array.from({ length: 500 }, (_, i) => `many-${i}`)
      const offsets = (group: number) =>
        [0, 1, 2, 3].map(partition => {
          return { topic: 'orders', partition, offset: BigInt((group + partition) % 4), metadata: `${group}` }
        })
      for (let at = 0; at < names.length; at += 50)
        await Promise.all(
          names.slice(at, at + 50).map((name, i) => commitOffsets(world.old, name, offsets(at + i))),
        )
      let now = Date.now()
      const groups = ['many-*']
      const written = { now: () => now, at: new Map<string, number>() }
      const times: number[] = []
      const timed = async () => {
        const started = performance.now()
        const report = await sync({ groups, written })
        times.push(Math.round(performance.now() - started))
        expect(report.refused).toEqual([])
        return kinds(report)
      }
      expect(await timed()).toEqual({ committed: 2_000 })
      expect(await timed()).toEqual({ unchanged: 2_000 })
      now += 23 * 3_600_000
      expect(await timed()).toEqual({ unchanged: 2_000 })
      now += 3_600_000
      expect(await timed()).toEqual({ renewed: 2_000 })
      expect(await timed()).toEqual({ unchanged: 2_000 })
      process.stderr.write(`500 groups: ${times} ms\n`)
      expect(Math.max(...times)).toBeLessThan(5_000)
      const there = await groupOffsets(world.next, names)
      for (const [i, name] of names.entries()) {
        const rows = there.get(name)?.toSorted((a, b) => a.partition - b.partition)
        expect(rows).toEqual(offsets(i).map(row => ({ ...row, leaderEpoch: -1 })))
      }
    })

    test('of the new protocol: moved while empty on the target, refused with the reason while it lives there, copied from a live one', async () => {
      const commit = (cluster: Cluster, offset: bigint) =>
        commitOffsets(cluster, 'modern', [{ topic: 'orders', partition: 0, offset, metadata: 'm' }])
      await commit(world.old, 1n)
      const groups = ['modern']
      expect(kinds(await sync({ groups }))).toEqual({ committed: 1 })
      const leave = await joinNewGroup(world.next, 'modern', ['orders'])
      const [described] = await describeGroups(world.next, groups)
      expect(described).toMatchObject({ protocolType: 'consumer', members: [{ clientId: 'kmig' }] })
      await commit(world.old, 2n)
      expect(await sync({ groups })).toMatchObject({
        rows: [],
        refused: [{ group: 'modern', why: expect.stringMatching(/members on the target/) }],
      })
      await commitOffsets(world.next, 'reads', [{ topic: 'orders', partition: 0, offset: 3n, metadata: 'r' }])
      const leaveToo = await joinNewGroup(world.next, 'reads', ['orders'])
      expect((await describeGroups(world.next, ['reads']))[0]).toMatchObject({
        protocolType: 'consumer',
        members: [{}],
      })
      const back = await sync({ groups: ['reads'], source: world.next, target: world.old })
      expect(back.rows).toMatchObject([{ outcome: { kind: 'committed', at: 3n } }])
      expect((await groupOffsets(world.old, ['reads'])).get('reads')).toMatchObject([
        { offset: 3n, metadata: 'r' },
      ])
      await leaveToo()
      await leave()
      await until(async () => (await describeGroups(world.next, groups))[0]?.state === 'Empty')
      expect(kinds(await sync({ groups }))).toEqual({ committed: 1 })
      expect((await groupOffsets(world.next, groups)).get('modern')).toMatchObject([
        { offset: 2n, metadata: 'm' },
      ])
    })

    test('what is left out is listed: groups by --groups, topics that are not mirrored, groups without a commit', async () => {
      await createTopics(world.old, [{ name: 'elsewhere', partitions: 1, replicationFactor: 1 }])
      await commitOffsets(world.old, 'both', [
        { topic: 'orders', partition: 0, offset: 1n, metadata: null },
        { topic: 'elsewhere', partition: 0, offset: 0n, metadata: null },
      ])
      const report = await sync({ groups: ['both'] })
      expect(kinds(report)).toEqual({ committed: 1 })
      expect(report.excluded).toContainEqual({
        group: 'both',
        topic: 'elsewhere',
        why: 'the topic is not mirrored',
      })
      expect(report.excluded).toContainEqual({ group: 'modern', why: 'by --groups' })
    })
  })
})
