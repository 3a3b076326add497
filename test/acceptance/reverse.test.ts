import { afterAll, beforeAll, expect, test } from 'vitest'
import { createAcls } from '../../src/kafka/index.ts'
import { MirrorWorld } from '../mirror-world.ts'
import { commit, committed, cutOf, wayBack } from '../reverse-world.ts'
import { authorizer, servers } from '../sandbox-helper.ts'

servers('the way back of a cutover, from a 4.3.1 in KRaft mode to a 3.9.2 with ZooKeeper', () => {
  let world: MirrorWorld
  beforeAll(async () => {
    // kmig is an ordinary user of the old cluster here: it may do what is not denied
    world = await MirrorWorld.open({
      old: { config: { ...authorizer('kafka-zk'), 'super.users': 'User:admin' } },
    })
  })
  afterAll(async () => {
    await world[Symbol.asyncDispose]()
  })

  const records = (from: number, count: number, who: string) =>
    Array.from({ length: count }, (_, i) => ({
      timestamp: BigInt(Date.now()),
      key: Buffer.from(`${from + i}`),
      value: Buffer.from(`${who} ${from + i}`),
    }))

  test('cut, written on the new cluster, rolled back, written on the old one, mirrored and cut again: both are equal at equal offsets, and groups resume at their next record', async () => {
    const topics = ['way-plain', 'way-late']
    const [old, next] = [world.bootstrap('old'), world.bootstrap('new')]
    await world.fill('way-plain', { partitions: 2, batches: 20, records: 5, size: 100 })
    await world.fill('way-late', { batches: 40, records: 5, size: 100, agedMs: 48 * 3_600_000 })
    await world.old.deleteRecords([{ topic: 'way-late', partition: 0, offset: 17n }])
    await commit(world.old, 'way-read', { 'way-plain-0': 60n, 'way-plain-1': 100n, 'way-late-0': 150n })
    await commit(world.old, 'way-idle', { 'way-plain-0': 10n })
    await world.mirror('way', topics)
    await world.expectEqual(topics)

    await using first = await wayBack(world, 'way', 'run-1')
    expect((await first.problems(topics)).filter(({ severity }) => severity === 'stop')).toEqual([])
    const cut = await cutOf(world, topics)
    expect(await first.arm(cut)).toMatchObject({
      already: false,
      partitions: 3,
      translated: [],
      stranded: [],
    })
    await first.start()
    for (let n = 0; n < 30; n++) {
      await world.write(world.next, 'way-plain', records(n * 3, 3, 'new'), { partition: n % 2 })
      if (n % 3 === 0) await world.write(world.next, 'way-late', records(n, 1, 'new'))
    }
    await commit(world.next, 'way-read', { 'way-plain-0': 120n, 'way-plain-1': 90n, 'way-late-0': 205n })
    const r = await world.ends(world.next, topics)
    const drained = await first.drained(r)
    expect(drained.points).toEqual(new Map([...r].map(([where, end]) => [where, { next: end, old: end }])))
    await world.expectEqual(topics)
    const moved = await first.groupsBack(drained)
    expect(moved.refused).toEqual([])
    expect(await committed(world.old, 'way-read')).toEqual({
      'way-plain-0': 120n,
      'way-plain-1': 90n,
      'way-late-0': 205n,
    })
    expect(await committed(world.old, 'way-idle')).toEqual({ 'way-plain-0': 10n })
    await first.stop()
    await first.rejoinForward(drained)
    await first.rejoinForward(drained)
    await first[Symbol.asyncDispose]()

    for (let n = 0; n < 20; n++)
      await world.write(world.old, 'way-plain', records(n, 2, 'old again'), { partition: n % 2 })
    await world.write(world.old, 'way-late', records(0, 7, 'old again'))
    await commit(world.old, 'way-read', { 'way-plain-0': 130n })
    const again = await world.mirror('way', topics)
    expect(again.partitions.map(({ mode, stopped, records }) => [mode, stopped, records])).toEqual([
      ['identical', undefined, 7n],
      ['identical', undefined, 20n],
      ['identical', undefined, 20n],
    ])
    await world.expectEqual(topics)
    expect((await committed(world.next, 'way-read'))['way-plain-0']).toBe(130n)

    const verified = world.run(
      ...['verify', '--from', old, '--to', next, '--name', 'way', '--groups', 'way-*', '--json'],
      ...topics.flatMap(topic => ['--topics', topic]),
    )
    expect((await verified.ended).code, verified.stderr + verified.stdout).toBe(0)

    await using second = await wayBack(world, 'way', 'run-2')
    expect(await second.arm(await cutOf(world, topics))).toMatchObject({ already: false, translated: [] })
    await second.start()
    await world.write(world.next, 'way-plain', records(0, 4, 'new again'))
    await second.drained(await world.ends(world.next, topics))
    await world.expectEqual(topics)
    expect(world.warnings).toEqual([])

    const seal = (operation: string, permission: string) => ({
      ...{ resource: 'topic', pattern: 'literal', name: 'way-plain', principal: 'User:ANONYMOUS', host: '*' },
      ...{ operation, permission },
    })
    await createAcls(world.old, [seal('all', 'allow'), seal('write', 'deny')], {
      refused: (_, error) => {
        throw error
      },
    })
    const sealed = () =>
      second.problems(topics).then(found => found.filter(({ severity }) => severity === 'stop'))
    await expect
      .poll(sealed, { timeout: 20_000 })
      .toMatchObject([{ id: 'write-right-on-old', topic: 'way-plain' }])
    await second.stop()
  })
})
