import { afterAll, beforeAll, expect, test } from 'vitest'
import { createTopics, deleteTopics } from '../../src/kafka/index.ts'
import { sleep } from '../../src/kit/index.ts'
import { exitOf, type MirrorReport } from '../../src/mirror/index.ts'
import { committedOf, compacted, headersOf, MirrorWorld, recordsOf, transactions } from '../mirror-world.ts'
import { servers } from '../sandbox-helper.ts'

servers('a mirror whose state on the target is gone', () => {
  let world: MirrorWorld
  beforeAll(async () => {
    world = await MirrorWorld.open({ old: { listeners: ['link'] } })
  })
  afterAll(async () => await world?.[Symbol.asyncDispose]())

  const equal = async (topic: string, partition = 0) => {
    const [theirs, ours] = [
      await committedOf(world.old, topic, partition),
      await recordsOf(world.next, topic, partition),
    ]
    expect(theirs.length).toBeGreaterThan(0)
    expect(ours).toEqual(theirs)
  }
  const stops = ({ partitions }: MirrorReport) => partitions.flatMap(({ stopped }) => stopped ?? [])

  test('killed in mid-copy, its state deleted, started again under live writers: identical copies go on by their own logs, with holes, padding and unfinished padding too; nothing twice', async () => {
    const topics = ['plain', 'late', 'moves', 'later', 'none']
    await world.fill('plain', { partitions: 3, batches: 150, records: 40 })
    await world.fill('late', { batches: 60, records: 50, size: 20 })
    await world.old.deleteRecords([{ topic: 'late', partition: 0, offset: 1_234n }])
    await world.make('moves', 1)
    await transactions(world, 'moves', { rounds: 12 })
    await world.make('none', 1)
    // its padding is not done yet when the mirror dies
    await world.fill('later', { batches: 300, records: 1_000, size: 5 })
    await world.old.deleteRecords([{ topic: 'later', partition: 0, offset: 299_500n }])
    await world.clusters.old.link(1).shape({ bytesPerSecond: 1 << 20 })
    const { process: child, ended } = world.command('lost', topics)
    await world.copied(['plain'], 0.2)
    while ((await world.total(world.next, ['moves'])) < (await world.total(world.old, ['moves'])))
      await sleep(50)
    child.kill('SIGKILL')
    expect((await ended).signal).toBe('SIGKILL')
    expect(await world.total(world.next, ['plain'])).toBeLessThan(await world.total(world.old, ['plain']))
    await deleteTopics(world.next, ['__kmig.lost'])

    const planned = await world.command('lost', topics, '--plan', '--json').ended
    expect(planned.code).toBe(0)
    await world.clusters.old.link(1).shape({ bytesPerSecond: Number.POSITIVE_INFINITY })
    const writers = async () => {
      const found = new Set<bigint>()
      for (const partition of [0, 1, 2])
        for (const { producerId } of await headersOf(world.next, 'plain', partition)) found.add(producerId)
      return found
    }
    const before = await writers()
    expect(before.size).toBe(1)
    const stop = new AbortController()
    const running = world.mirror('lost', topics, { signal: stop.signal, untilCaughtUp: false })
    for (let round = 0; round < 20; round++) {
      for (const topic of ['plain', 'late']) await world.more(topic, 0, { batches: 2, records: 7 })
      await sleep(30)
    }
    await transactions(world, 'moves', { rounds: 4, from: 100 })
    const ends = await world.ends(world.old, topics)
    const same = async () => {
      const now = await world.ends(world.next, topics)
      return [...ends].every(([where, end]) => now.get(where) === end)
    }
    const until = performance.now() + 60_000
    while (performance.now() < until && !(await same())) await sleep(100)
    stop.abort()
    const report = await running
    expect(report.refused).toEqual([])
    expect(stops(report)).toEqual([])
    expect(exitOf(report)).toBe(0)
    await world.expectEqual(['plain', 'late', 'later'])
    await equal('moves')
    expect(await writers()).toEqual(before)
    expect(exitOf(await world.mirror('lost', topics))).toBe(0)
  })

  test('what can’t be told to be an exact copy is refused by name and left as it is: translated, another writer’s, one that the source no longer matches, an empty one of another number of partitions; the rest goes on', async () => {
    await world.make('turned', 1)
    await transactions(world, 'turned', { rounds: 6 })
    expect(exitOf(await world.mirror('gone', ['turned'], { offsets: 'translated' }))).toBe(0)
    await world.fill('good', { batches: 5, records: 5 })
    await world.fill('shot', { batches: 5, records: 5 })
    expect(exitOf(await world.mirror('gone', ['good', 'shot']))).toBe(0)
    await deleteTopics(world.next, ['__kmig.gone'])
    // an ordinary idempotent writer, alone from the start: its sequences are its offsets too
    await world.fill('stranger', { batches: 3, records: 5 })
    await createTopics(world.next, [{ name: 'stranger', partitions: 1, replicationFactor: 1 }])
    await world.write(world.next, 'stranger', [{ value: Buffer.from('not ours') }], {
      stamp: { stamp: { producerId: 4_711n, producerEpoch: 0, baseSequence: 0 } },
    })
    await world.write(world.next, 'shot', [{ value: Buffer.from('foreign') }])
    await world.make('narrow', 3)
    await createTopics(world.next, [{ name: 'narrow', partitions: 1, replicationFactor: 1 }])
    const topics = ['turned', 'good', 'shot', 'stranger']
    const before = await world.ends(world.next, topics)
    const report = await world.mirror('gone', [...topics, 'narrow'])
    expect(exitOf(report)).toBe(6)
    expect(report.refused.map(({ topic, code }) => [topic, code]).sort()).toEqual(
      ['narrow', 'shot', 'stranger', 'turned'].map(topic => [topic, 'TARGET_NOT_EMPTY']),
    )
    for (const { try: remedies } of report.refused) expect(remedies.join()).toMatch(/delete topic/)
    expect(report.partitions.map(({ topic, stopped }) => [topic, stopped])).toEqual([['good', undefined]])
    expect(await world.ends(world.next, topics)).toEqual(before)
    await world.expectEqual(['good'])
  })

  test('a compacted topic with filled holes goes on; another mirror’s copies are never taken over', async () => {
    await compacted(world, 'thin')
    expect(exitOf(await world.mirror('first', ['thin']))).toBe(0)
    const other = await world.mirror('second', ['thin']).catch(e => e)
    expect(other).toMatchObject({ code: 'TARGET_NOT_EMPTY' })
    await deleteTopics(world.next, ['__kmig.first'])
    await world.write(world.old, 'thin', [{ key: Buffer.from('late'), value: Buffer.from('late') }])
    const report = await world.mirror('first', ['thin'])
    expect([report.refused, stops(report), exitOf(report)]).toEqual([[], [], 0])
    await equal('thin')
  })
})
