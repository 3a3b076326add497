import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { alterTopicConfigs, createTopics, deleteTopics, kafkaJs } from '../../src/kafka/index.ts'
import { messageOf, sleep } from '../../src/kit/index.ts'
import { exitOf } from '../../src/mirror/index.ts'
import { committedOf, MirrorWorld, recordsOf, seeded, transactions } from '../mirror-world.ts'
import { servers } from '../sandbox-helper.ts'
import { logOf } from '../wire-log.ts'

/** ZooKeeper's controller deletes in the background, and says so. */
const ifMarked = (e: unknown): false => {
  if (messageOf(e).includes('marked for deletion')) return false
  throw e
}

servers('kmig mirror and the topics that it meets', () => {
  let world: MirrorWorld
  beforeAll(async () => {
    world = await MirrorWorld.open({ old: { config: { 'log.cleaner.backoff.ms': '500' } } })
  })
  afterAll(async () => {
    await world?.[Symbol.asyncDispose]()
  })
  const mirrored = async (topic: string) => {
    const report = await world.mirror(topic, [topic])
    expect(exitOf(report)).toBe(0)
    await world.expectEqual([topic])
    return report
  }
  /** A mirror that follows until its end is awaited; the copy is complete when this resolves. */
  const following = async (topic: string) => {
    const stop = new AbortController()
    const earlier = world.events.length
    const running = world.mirror(topic, [topic], { signal: stop.signal, untilCaughtUp: false })
    while (!world.events.slice(earlier).some(({ kind }) => kind === 'progress')) await sleep(20)
    await world.copied([topic], 1)
    return { running, stop: () => stop.abort() }
  }

  describe('shapes', () => {
    test('one record of 5 MB', async () => {
      await world.make('huge', 1, { 'max.message.bytes': '8388608' })
      await world.write(world.old, 'huge', [
        { value: Buffer.alloc(5 << 20, 'x') },
        { value: Buffer.from('y') },
      ])
      await world.more('huge', 0, { batches: 3, size: 1 })
      await mirrored('huge')
    })

    test('values of one byte in batches of one record', async () => {
      await world.fill('tiny', { partitions: 2, batches: 3_000, size: 1 })
      const report = await mirrored('tiny')
      expect(report.partitions.reduce((sum, { merged }) => sum + merged, 0)).toBeGreaterThan(5_000)
    })

    test('null keys and values, and no headers', async () => {
      await world.make('nulls')
      for (let i = 0; i < 20; i++)
        await world.write(world.old, 'nulls', [
          { key: null, value: null },
          {},
          { key: Buffer.alloc(0), value: Buffer.alloc(0) },
        ])
      await mirrored('nulls')
    })

    test('an empty topic', async () => {
      await world.make('empty', 3)
      expect((await mirrored('empty')).records).toBe(0n)
    })

    test('200 partitions, a few records in each', async () => {
      await world.fill('wide', { partitions: 200, batches: 2, records: 3, size: 50 })
      expect((await mirrored('wide')).records).toBe(1_200n)
    })

    test('a batch that the target refuses as too large stops its partition alone, by name', async () => {
      await world.make('large', 2, { 'max.message.bytes': '4194304' })
      await world.write(world.old, 'large', [{ value: Buffer.from('small') }], { partition: 0 })
      await world.write(world.old, 'large', [{ value: Buffer.alloc(2 << 20, 'x') }], { partition: 0 })
      await world.write(world.old, 'large', [{ value: Buffer.from('fine') }], { partition: 1 })
      await mirrored('large')
      const follow = await following('large')
      await alterTopicConfigs(world.next, 'large', { set: { 'max.message.bytes': '1000' } })
      await sleep(1_000)
      await world.write(world.old, 'large', [{ value: Buffer.alloc(4_000, 'x') }], { partition: 0 })
      await world.write(world.old, 'large', [{ value: Buffer.from('goes on') }], { partition: 1 })
      while (!world.events.some(event => event.kind === 'stopped' && event.where === 'large-0'))
        await sleep(50)
      await sleep(500)
      follow.stop()
      const report = await follow.running
      expect(report.partitions.map(({ stopped }) => stopped?.code)).toEqual(['RECORD_TOO_LARGE', undefined])
      expect((await logOf(world.next, 'large', 1)).length).toBe(2)
    })
  })

  describe('holes keep every record at its offset', () => {
    test('a compacted log', async () => {
      await world.make('compacted', 1, {
        'cleanup.policy': 'compact',
        'segment.ms': '200',
        'min.cleanable.dirty.ratio': '0.001',
        'min.compaction.lag.ms': '0',
      })
      for (let i = 0; i < 5; i++)
        await world.write(
          world.old,
          'compacted',
          Array.from({ length: 10 }, (_, k) => ({
            key: Buffer.from(`${k % 3}`),
            value: Buffer.from(`${i}`),
          })),
        )
      const holds = async () => (await logOf(world.old, 'compacted', 0)).length
      const deadline = performance.now() + 60_000
      let written = await holds()
      while ((await holds()) >= written && performance.now() < deadline) {
        await sleep(1_000)
        await world.write(world.old, 'compacted', [{ key: Buffer.from('0'), value: Buffer.from('again') }])
        written++
      }
      expect(await holds(), 'fault not injected').toBeLessThan(written)
      const report = await world.mirror('compacted', ['compacted'])
      expect(exitOf(report)).toBe(0)
      const [theirs, ours] = [
        await recordsOf(world.old, 'compacted', 0),
        await recordsOf(world.next, 'compacted', 0),
      ]
      // the cleaner goes on: what it took since may be on the target still
      const kept = new Set(theirs.map(({ offset }) => offset))
      expect(ours.filter(({ offset }) => kept.has(offset))).toEqual(theirs)
      expect(new Set(ours.map(({ offset }) => offset)).size, 'nothing twice').toBe(ours.length)
    })

    test('an aborted transaction, in the middle', async () => {
      await world.fill('aborted', { batches: 20, records: 5 })
      const producer = kafkaJs({ brokers: world.clusters.old.bootstrap().split(',') }).producer({
        transactionalId: 'faults',
        maxInFlightRequests: 1,
        idempotent: true,
      })
      await producer.connect()
      const transaction = await producer.transaction()
      await transaction.send({ topic: 'aborted', messages: [{ value: 'never' }] })
      await transaction.abort()
      await producer.disconnect()
      await world.more('aborted', 0, { batches: 5 })
      const report = await world.mirror('aborted', ['aborted'])
      expect(exitOf(report)).toBe(0)
      expect(await recordsOf(world.next, 'aborted', 0)).toEqual(await recordsOf(world.old, 'aborted', 0))
    })
  })

  describe('a topic that is not the same any more stops by name and is never mixed', () => {
    for (const side of ['old', 'next'] as const) {
      test(`deleted on the ${side} cluster while it is followed`, async () => {
        const topic = `deleted-${side}`
        await world.fill(topic, { partitions: 2, batches: 5, records: 5 })
        const { running } = await following(topic)
        await deleteTopics(world[side], [topic])
        const report = await running
        expect(report.partitions.map(({ stopped }) => stopped?.code)).toEqual([
          'TOPIC_RECREATED',
          'TOPIC_RECREATED',
        ])
        expect(exitOf(report)).toBe(7)
      })

      test(`deleted and made again on the ${side} cluster while it is followed, with more records than before`, async () => {
        const topic = `again-${side}`
        await world.fill(topic, { batches: 5, records: 5, size: 20 })
        const before = await logOf(world.next, topic, 0).catch(() => [])
        expect(before).toEqual([])
        const { running } = await following(topic)
        const copy = await logOf(world.next, topic, 0)
        await deleteTopics(world[side], [topic])
        const again = () => createTopics(world[side], [{ name: topic, partitions: 1, replicationFactor: 1 }])
        while (!(await again().then(() => true, ifMarked))) await sleep(20)
        const strangers = Array.from({ length: 60 }, (_, i) => ({ value: Buffer.from(`stranger ${i}`) }))
        await world.write(world[side], topic, strangers)
        const report = await running
        expect(report.partitions[0]?.stopped?.code).toBe('TOPIC_RECREATED')
        expect(exitOf(report)).toBe(7)
        const now = await logOf(world.next, topic, 0)
        if (side === 'old') expect(now).toEqual(copy)
        else expect(now.length).toBe(60)
        await expect(world.mirror(topic, [topic])).rejects.toMatchObject({ code: 'TARGET_NOT_EMPTY' })
      })
    }
  })

  describe('a topic whose copy is deleted on the target is copied anew by the next start, as errors advise', () => {
    const anew = async (topic: string, offsets: 'auto' | 'translated') => {
      const before = world.events.length
      const report = await world.mirror(topic, [topic], { offsets })
      expect(report.partitions.map(({ stopped }) => stopped)).toEqual([undefined])
      expect(exitOf(report)).toBe(0)
      expect(world.events.slice(before)).toContainEqual(
        expect.objectContaining({ kind: 'warning', where: topic, text: expect.stringContaining('anew') }),
      )
      const [theirs, ours] = [await committedOf(world.old, topic, 0), await recordsOf(world.next, topic, 0)]
      expect(theirs.length).toBeGreaterThan(10)
      expect(ours.map(({ seen }) => seen)).toEqual(theirs.map(({ seen }) => seen))
      if (offsets === 'auto') expect(ours).toEqual(theirs)
    }
    for (const offsets of ['auto', 'translated'] as const) {
      test(`after a foreign write, over holes and padding (--offsets ${offsets})`, async () => {
        const topic = `anew-${offsets}-1`
        await world.fill(topic, { batches: 20, records: 5, size: 20 })
        await world.old.deleteRecords([{ topic, partition: 0, offset: 30n }])
        await transactions(world, topic, { rounds: 8 })
        expect(exitOf(await world.mirror(topic, [topic], { offsets }))).toBe(0)
        await world.write(world.next, topic, [{ value: Buffer.from('foreign') }])
        await world.more(topic, 0, { batches: 2 })
        const struck = await world.mirror(topic, [topic], { offsets })
        expect(struck.partitions[0]?.stopped?.code).toBe('FOREIGN_WRITE')
        await world.old.deleteRecords([{ topic, partition: 0, offset: 50n }])
        await deleteTopics(world.next, [topic])
        await anew(topic, offsets)
        expect(exitOf(await world.mirror(topic, [topic], { offsets }))).toBe(0)
      })
    }

    test('after the topic was made again on the source', async () => {
      const topic = 'anew-source'
      await world.fill(topic, { batches: 10, records: 5, size: 20 })
      await mirrored(topic)
      await deleteTopics(world.old, [topic])
      const again = () => createTopics(world.old, [{ name: topic, partitions: 1, replicationFactor: 1 }])
      while (!(await again().then(() => true, ifMarked))) await sleep(20)
      await world.more(topic, 0, { batches: 7, records: 3, size: 10 })
      await expect(world.mirror(topic, [topic])).rejects.toMatchObject({ code: 'TARGET_NOT_EMPTY' })
      await deleteTopics(world.next, [topic])
      await anew(topic, 'auto')
    })
  })

  describe('a source whose log start moves', () => {
    test('before the first record was copied: the copy begins at the new start', async () => {
      await world.fill('moving', { batches: 400, records: 1_000, size: 5 })
      await world.old.deleteRecords([{ topic: 'moving', partition: 0, offset: 390_000n }])
      const running = world.mirror('moving', ['moving'])
      while ((await world.total(world.next, ['moving'])) === 0n) await sleep(5)
      await world.old.deleteRecords([{ topic: 'moving', partition: 0, offset: 395_500n }])
      const report = await running
      expect(exitOf(report)).toBe(0)
      expect(report.partitions[0]?.start).toBe(395_500n)
      await world.expectEqual(['moving'])
    })

    test('again and again, with a SIGKILL each time: the copy begins where the source begins and is equal', async () => {
      const random = seeded()
      const topic = 'moving-killed'
      await world.fill(topic, { batches: 400, records: 1_000, size: 5 })
      let start = 300_000n
      for (let kill = 0; kill < 6; kill++) {
        await world.old.deleteRecords([{ topic, partition: 0, offset: start }])
        const { process: child, ended } = world.command(topic, [topic])
        await sleep(500 + random() * 500)
        start += BigInt(Math.floor(1 + random() * 5_000))
        if ((await world.total(world.next, [topic])) < start)
          await world.old.deleteRecords([{ topic, partition: 0, offset: start }])
        await sleep(random() * 300)
        child.kill('SIGKILL')
        expect((await ended).signal).toBe('SIGKILL')
        if ((await world.total(world.next, [topic])) > start) break
      }
      const { code } = await world.command(topic, [topic], '--until-caught-up').ended
      expect(code).toBe(0)
      const [theirs, ours] = [await logOf(world.old, topic, 0), await logOf(world.next, topic, 0)]
      expect(theirs.length).toBeGreaterThan(0)
      expect(ours.slice(-theirs.length)).toEqual(theirs)
    })

    test('past what was copied, while it is followed: SOURCE_LOST names the range', async () => {
      await world.fill('overtaken', { batches: 10, records: 5 })
      const { running, stop } = await following('overtaken')
      stop()
      await running
      await world.more('overtaken', 0, { batches: 10, records: 5 })
      await world.old.deleteRecords([{ topic: 'overtaken', partition: 0, offset: 70n }])
      const report = await world.mirror('overtaken', ['overtaken'])
      expect(report.partitions[0]?.stopped).toMatchObject({
        code: 'SOURCE_LOST',
        message: expect.stringContaining('offsets 50 to 69'),
      })
    })
  })
})
