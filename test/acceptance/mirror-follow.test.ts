import { afterAll, beforeAll, expect, test } from 'vitest'
import {
  alterTopicConfigs,
  createPartitions,
  createTopics,
  deleteTopics,
  describeTopicConfigs,
} from '../../src/kafka/index.ts'
import { sleep } from '../../src/kit/index.ts'
import { exitOf, type MirrorEvent } from '../../src/mirror/index.ts'
import { MirrorWorld } from '../mirror-world.ts'
import { servers } from '../sandbox-helper.ts'
import { logOf } from '../wire-log.ts'

/** The promise is 10 s; the machine may be busy. */
const SOON_MS = 20_000

servers('a mirror follows its source while it runs', () => {
  let world: MirrorWorld
  beforeAll(async () => {
    world = await MirrorWorld.open()
  })
  afterAll(async () => {
    await world?.[Symbol.asyncDispose]()
  })
  const soon = async (what: string, is: () => boolean | Promise<boolean>) => {
    const end = performance.now() + SOON_MS
    while (!(await is())) {
      if (performance.now() > end) throw new Error(`not within ${SOON_MS} ms: ${what}`)
      await sleep(100)
    }
  }
  const told = <K extends MirrorEvent['kind']>(kind: K) =>
    world.events.filter((event): event is Extract<MirrorEvent, { kind: K }> => event.kind === kind)
  const setting = async (topic: string, name: string) =>
    (await describeTopicConfigs(world.next, [topic])).get(topic)?.find(each => each.name === name)
  const follow = (topics: readonly string[]) => {
    const stop = new AbortController()
    const running = world.mirror('follow', topics, { signal: stop.signal, untilCaughtUp: false })
    return async () => {
      stop.abort()
      return await running
    }
  }
  const equalEnds = async (topics: readonly string[]) => {
    const [theirs, ours] = [await world.ends(world.old, topics), await world.ends(world.next, topics)]
    return [...theirs].every(([where, end]) => ours.get(where) === end)
  }

  test('new topics, added partitions and changed settings are on the target within 10 s; what can’t be is refused by name and the others go on', async () => {
    await world.fill('orders', { partitions: 2, batches: 3, records: 10 })
    await createTopics(world.next, [{ name: 'orders-clash', partitions: 1, replicationFactor: 1 }])
    await world.write(world.next, 'orders-clash', [{ value: Buffer.from('not ours') }])
    const end = follow(['orders*'])
    await soon('the first topic is copied', () => equalEnds(['orders']))

    await createPartitions(world.old, [{ name: 'orders', partitions: 4 }])
    await world.more('orders', 3, { batches: 4, records: 5 })
    await world.fill('orders-clash', { batches: 1 })
    await world.fill('orders-new', { partitions: 3, batches: 2, records: 7 })
    await alterTopicConfigs(world.old, 'orders', {
      set: { 'segment.ms': '7200000', 'retention.ms': '123456789' },
    })

    await soon('added partitions and new topics are copied', async () => {
      const grown = (await world.next.metadata(['orders']))[0]?.partitions.length === 4
      return grown && (await equalEnds(['orders', 'orders-new']))
    })
    await soon('changed settings are told', () => told('configs-followed').length > 0)
    await soon('the clash is told', () => told('topic-refused').length > 0)
    expect((await setting('orders', 'segment.ms'))?.value).toBe('7200000')
    expect((await setting('orders', 'retention.ms'))?.value).toBe('-1')
    expect(told('configs-followed')).toMatchObject([{ topic: 'orders', later: ['retention.ms'] }])
    expect(told('partitions-added')).toMatchObject([{ topic: 'orders', from: 2, to: 4 }])
    expect(told('topic-refused')).toMatchObject([{ topic: 'orders-clash' }])
    const report = await end()
    expect(report.refused).toMatchObject([{ topic: 'orders-clash' }])
    expect(exitOf(report)).toBe(6)
    expect(report.partitions.map(({ topic, partition }) => `${topic}-${partition}`).sort()).toEqual([
      ...['orders-0', 'orders-1', 'orders-2', 'orders-3'],
      ...['orders-new-0', 'orders-new-1', 'orders-new-2'],
    ])
    await world.expectEqual(['orders', 'orders-new'])
  })

  test('partitions that were added and settings that changed while no mirror ran are followed at the next start', async () => {
    await createPartitions(world.old, [{ name: 'orders', partitions: 6 }])
    await world.more('orders', 5, { batches: 2, records: 5 })
    await alterTopicConfigs(world.old, 'orders', { set: { 'segment.ms': '3600000' } })
    const report = await world.mirror('follow', ['orders', 'orders-new'])
    expect(exitOf(report)).toBe(0)
    expect(report.partitions.length).toBe(9)
    expect((await setting('orders', 'segment.ms'))?.value).toBe('3600000')
    await world.expectEqual(['orders', 'orders-new'])
  })

  test('what the source deleted before it was copied stops the partition with its range; accepted, it is kept as a gap and every later record has its offset', async () => {
    await world.more('orders', 3, { batches: 10, records: 5 })
    await world.old.deleteRecords([{ topic: 'orders', partition: 3, offset: 42n }])
    const stopped = await world.mirror('follow', ['orders'])
    const of = (report: typeof stopped) =>
      report.partitions.find(({ topic, partition }) => topic === 'orders' && partition === 3)
    expect(of(stopped)?.stopped).toMatchObject({
      code: 'SOURCE_LOST',
      message: expect.stringContaining('offsets 20 to 41'),
      try: expect.arrayContaining([expect.stringContaining('--accept-gap orders-3:42')]),
    })
    const short = await world.command(
      'follow',
      ['orders'],
      '--until-caught-up',
      '--accept-gap',
      'orders-3:41',
    ).ended
    expect(short.code).toBe(7)
    const accepted = world.command(
      ...(['follow', ['orders'], '--json', '--until-caught-up', '--accept-gap', 'orders-3:42'] as const),
    )
    expect((await accepted.ended).code).toBe(0)
    const later = await world.mirror('follow', ['orders'])
    expect(exitOf(later)).toBe(0)
    expect(of(later)).toMatchObject({ end: 70n, mode: 'identical', gaps: [{ from: 20n, to: 42n }] })
    const records = async (side: 'old' | 'next') =>
      (await logOf(world[side], 'orders', 3)).filter(({ offset }) => offset >= 42n)
    expect(await records('next')).toEqual(await records('old'))
  })

  test('a topic that is refused at the start keeps no other back: each is named with code, reason and remedy, and is taken once the operator has put it right; a setting that the target refuses is changed', async () => {
    const topics = ['fine', 'taken', 'dot.name']
    await world.make('fine', 1, { 'segment.bytes': '20000', 'retention.ms': '86400000' })
    await world.more('fine', 0, { batches: 3, records: 5 })
    for (const topic of topics.slice(1)) await world.fill(topic, { batches: 3, records: 5 })
    for (const name of ['taken', 'dot_name'])
      await createTopics(world.next, [{ name, partitions: 1, replicationFactor: 1 }])
    await world.write(world.next, 'taken', [{ value: Buffer.from('not ours') }])

    const planned = await world.command('part', topics, '--plan', '--json').ended
    expect(planned.code).toBe(6)
    const first = await world.mirror('part', topics)
    expect(exitOf(first)).toBe(6)
    expect(first.partitions.map(({ topic, stopped }) => [topic, stopped])).toEqual([['fine', undefined]])
    expect(first.refused).toEqual([
      {
        topic: 'dot.name',
        code: 'BROKER',
        why: expect.stringContaining('collide'),
        try: expect.any(Array),
      },
      {
        topic: 'taken',
        code: 'TARGET_NOT_EMPTY',
        why: expect.stringContaining('records that this mirror did not write'),
        try: expect.arrayContaining([expect.stringContaining('--exclude taken')]),
      },
    ])
    const row = first.inventory.find(({ name }) => name === 'fine: segment.bytes=20000')
    expect(row).toMatchObject({ outcome: 'changed', why: expect.stringContaining('1048576') })
    expect((await setting('fine', 'segment.bytes'))?.value).toBe('1048576')
    await world.expectEqual(['fine'])
    await expect(world.mirror('part', ['taken'])).rejects.toMatchObject({ code: 'TARGET_NOT_EMPTY', exit: 4 })

    const before = world.events.length
    const stop = new AbortController()
    const running = world.mirror('part', topics, { signal: stop.signal, untilCaughtUp: false })
    await soon(
      'both are told',
      () => world.events.slice(before).filter(e => e.kind === 'topic-refused').length === 2,
    )
    await deleteTopics(world.next, ['taken', 'dot_name'])
    const end = performance.now() + 2 * SOON_MS + 10_000
    while (performance.now() < end && !(await equalEnds(topics))) await sleep(200)
    stop.abort()
    const report = await running
    expect(report.refused).toEqual([])
    expect(exitOf(report)).toBe(0)
    expect(world.warnings.filter(text => text.startsWith('fine:'))).toEqual([])
    await world.expectEqual(topics)
  })
})
