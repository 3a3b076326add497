import { afterAll, beforeAll, expect, test } from 'vitest'
import { exitOf } from '../../src/mirror/index.ts'
import { MirrorWorld } from '../mirror-world.ts'
import { servers } from '../sandbox-helper.ts'
import { logOf } from '../wire-log.ts'

/** As large as a broker takes in one request (socket.request.max.bytes is 100 MiB). */
const NEAR_100_MB = 95_000_000
const LIMIT = { 'max.message.bytes': '100000000' }

servers('kmig mirror of records of extreme forms, run twice', () => {
  let world: MirrorWorld
  beforeAll(async () => {
    world = await MirrorWorld.open({ old: { profile: 'bench' }, new: { profile: 'bench' } })
  })
  afterAll(async () => {
    await world?.[Symbol.asyncDispose]()
  })
  /** The second run, after one more record, copies nothing else. */
  const twice = async (topic: string) => {
    for (const more of [false, true]) {
      if (more) await world.write(world.old, topic, [{ value: Buffer.from('more') }])
      const report = await world.mirror(topic, [topic])
      expect(exitOf(report)).toBe(0)
      if (more) expect(report.records).toBe(1n)
      for (const { partition } of (await world.old.metadata([topic]))[0]?.partitions ?? []) {
        const theirs = await logOf(world.old, topic, partition)
        expect(theirs.length).toBeGreaterThan(0)
        expect(await logOf(world.next, topic, partition)).toEqual(theirs)
      }
    }
  }

  test('batches of one record of one byte, by the thousand', async () => {
    await world.make('bytes', 2)
    await world.more('bytes', 0, { batches: 4_000, size: 1 })
    await world.more('bytes', 1, { batches: 1, size: 1 })
    await twice('bytes')
  })

  test('a record with 10,000 headers, empty and null ones and equal names among them', async () => {
    await world.make('headers', 1, { 'max.message.bytes': '8000000' })
    const headers = Array.from({ length: 10_000 }, (_, i) => ({
      key: Buffer.from(i % 3 ? `h${i}` : 'same'),
      value: i % 5 ? Buffer.alloc(i % 100, 'v') : null,
    }))
    await world.write(world.old, 'headers', [{ value: Buffer.from('v'), headers }, { headers }])
    await twice('headers')
  })

  test('one record near 100 MB between small ones', async () => {
    await world.make('huge', 1, LIMIT)
    await world.more('huge', 0, { batches: 3, size: 10 })
    await world.write(world.old, 'huge', [{ value: Buffer.alloc(NEAR_100_MB, 'x') }])
    await world.more('huge', 0, { batches: 3, size: 10 })
    await twice('huge')
  })
})
