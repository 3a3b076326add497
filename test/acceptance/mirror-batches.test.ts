import { afterAll, beforeAll, expect, test } from 'vitest'
import {
  alterTopicConfigs,
  type Cluster,
  CODECS,
  type Codec,
  describeTopicConfigs,
  type NewRecord,
  partitionKey,
} from '../../src/kafka/index.ts'
import { type ReadRecord, readBack } from '../../src/load/index.ts'
import { exitOf, type MirrorReport } from '../../src/mirror/index.ts'
import { MirrorWorld } from '../mirror-world.ts'
import { servers } from '../sandbox-helper.ts'

const THEN = 1_600_000_000_000n
const OLD_CODECS = [0, 1, 2, 3] as const
const topicOf = (kind: string, codec: Codec) => `${kind}-${CODECS[codec]}`

/** Records of every shape: null keys, null and empty values, times that go back; headers where the format has them. */
const shapes = (from: number, count: number, headers: boolean): NewRecord[] =>
  Array.from({ length: count }, (_, n) => {
    const i = from + n
    return {
      timestamp: THEN + BigInt((i * 7919) % 5_000),
      key: i % 4 === 0 ? null : Buffer.from(`key ${i % 11}`),
      value: i % 9 === 5 ? null : Buffer.alloc(i % 7 === 0 ? 0 : 30 + i, `value ${i} `),
      headers: headers && i % 3 === 0 ? [{ key: Buffer.from('of'), value: Buffer.from(`${i}`) }] : [],
    }
  })

servers('kmig mirror copies batches of every kind', () => {
  let world: MirrorWorld
  const written = new Map<string, NewRecord[]>()

  const write = async (topic: string, configs: Record<string, string>, codec: Codec, headers: boolean) => {
    await world.make(topic, 1, configs)
    const all: NewRecord[] = []
    for (const count of [1, 1, 40, 3, 200, 1, 1, 7]) {
      const records = shapes(all.length, count, headers)
      await world.write(world.old, topic, records, { codec })
      all.push(...records)
    }
    written.set(topic, all)
  }

  beforeAll(async () => {
    world = await MirrorWorld.open({
      old: {
        kind: 'kafka-zk',
        version: '2.8.2',
        // records are of 2020: without this a broker deletes them 30 s after it came up
        config: { 'log.cleaner.backoff.ms': '200', 'log.retention.ms': '-1' },
      },
    })
    const topics: Promise<void>[] = []
    for (const codec of OLD_CODECS) {
      topics.push(write(topicOf('format-0', codec), { 'message.format.version': '0.9.0' }, codec, false))
      topics.push(write(topicOf('format-1', codec), { 'message.format.version': '0.10.0' }, codec, false))
      const appended = { 'message.format.version': '0.10.0', 'message.timestamp.type': 'LogAppendTime' }
      topics.push(write(topicOf('appended-1', codec), appended, codec, false))
    }
    for (const codec of [0, 1, 2, 3, 4] as const)
      topics.push(
        write(topicOf('appended-2', codec), { 'message.timestamp.type': 'LogAppendTime' }, codec, true),
      )
    await Promise.all(topics)
  })
  afterAll(() => world?.[Symbol.asyncDispose]())

  const expectIdentical = async (report: MirrorReport, topics: readonly string[]) => {
    expect(report.partitions.flatMap(({ stopped }) => stopped ?? [])).toEqual([])
    expect(exitOf(report)).toBe(0)
    await world.expectEqual(topics)
  }
  const content = ({ offset, key, value }: Pick<ReadRecord, 'offset' | 'key' | 'value'>) => [
    offset,
    key,
    value,
  ]
  const all = (record: ReadRecord) => [...content(record), ...record.headers]
  /** The source's broker, asked for the first record at or after each time, knows the same times at the same offsets. */
  const expectAppendTimes = async (topic: string, times: readonly bigint[]) => {
    expect(times.every(time => time > THEN + 1_000_000n)).toBe(true)
    for (const timestamp of new Set(times)) {
      const found = await world.old.listOffsets([{ topic, partition: 0, timestamp }])
      const at = found.get(partitionKey(topic, 0))
      expect(at).toMatchObject({ timestamp, offset: BigInt(times.indexOf(timestamp)) })
    }
  }
  const read = async ({ bootstrap }: Cluster, topic: string): Promise<ReadRecord[]> => {
    const [log] = await readBack({ bootstrap, topics: [topic], signal: AbortSignal.timeout(60_000) })
    return log?.records ?? []
  }

  test('message formats 0 and 1 in every codec they have, and log append times: same offsets, keys, values, headers and visible times', async () => {
    const topics = [...written.keys()]
    const report = await world.mirror('formats', topics)
    expect(report.partitions.flatMap(({ stopped }) => stopped ?? [])).toEqual([])
    expect(exitOf(report)).toBe(0)
    for (const { topic, reencoded, merged } of report.partitions)
      expect([topic, reencoded + merged > 0]).toEqual([topic, true])
    for (const [topic, records] of written) {
      const [there, here] = [await read(world.old, topic), await read(world.next, topic)]
      expect(here.map(all)).toEqual(there.map(all))
      expect(here.map(content)).toEqual(
        records.map(({ key = null, value = null }, i) => content({ offset: BigInt(i), key, value })),
      )
      const times = here.map(({ timestamp }) => BigInt(timestamp))
      if (topic.startsWith('format-0')) expect(new Set(times)).toEqual(new Set([-1n]))
      else if (topic.startsWith('format-1')) expect(times).toEqual(records.map(({ timestamp }) => timestamp))
      else await expectAppendTimes(topic, times)
    }
  })

  test('a record of 900 KB between batches of one byte', async () => {
    await world.make('mixed')
    const one = { timestamp: THEN, value: Buffer.from('x') }
    for (let i = 0; i < 300; i++) await world.write(world.old, 'mixed', [one])
    await world.write(world.old, 'mixed', [{ timestamp: THEN, value: Buffer.alloc(900_000, 'huge ') }])
    for (let i = 0; i < 300; i++) await world.write(world.old, 'mixed', [one])
    await expectIdentical(await world.mirror('mixed', ['mixed']), ['mixed'])
  })

  test('compacted topics of formats 0, 1 and 2: every record that is left, at its own offset', async () => {
    const compact = {
      'cleanup.policy': 'compact',
      'segment.ms': '300',
      'min.cleanable.dirty.ratio': '0.001',
    }
    const formats = { 'thin-0': '0.9.0', 'thin-1': '0.10.0', 'thin-2': '2.8' }
    const topics = Object.keys(formats)
    const last = (topic: string) => world.write(world.old, topic, [{ key: Buffer.from('last'), value: null }])
    for (const [topic, version] of Object.entries(formats)) {
      await world.make(topic, 1, { ...compact, 'message.format.version': version })
      for (let i = 0; i < 120; i += 12) {
        const records = shapes(i, 12, topic === 'thin-2').map((record, n) => ({
          ...record,
          key: Buffer.from((i + n) % 3 === 0 ? `own ${i + n}` : `key ${n}`),
        }))
        await world.write(world.old, topic, records, { codec: 1 })
      }
    }
    await expect
      .poll(
        async () => {
          for (const topic of topics) await last(topic) // rolls the segment, so that it can be cleaned
          const logs = await Promise.all(topics.map(topic => read(world.old, topic)))
          return Math.max(...logs.map(log => log.length))
        },
        { timeout: 60_000, interval: 700 },
      )
      .toBeLessThan(80)
    const readAll = async (cluster: Cluster) =>
      await Promise.all(topics.map(async topic => (await read(cluster, topic)).map(all)))
    const before = await readAll(world.old)
    const report = await world.mirror('thin', topics)
    expect(report.partitions.map(({ mode, stopped }) => ({ mode, stopped }))).toEqual(
      topics.map(() => ({ mode: 'identical', stopped: undefined })),
    )
    const [there, here] = [await readAll(world.old), await readAll(world.next)]
    for (const [i, copied] of here.entries()) {
      expect(there[i]?.length).toBeGreaterThan(40)
      expect(copied).toEqual(expect.arrayContaining(there[i] ?? [])) // the cleaner may have gone on since
      expect(before[i]).toEqual(expect.arrayContaining(copied))
    }
  }, 90_000)

  test('a batch larger than the target takes is split; a larger record stops with the setting to raise, and once raised it is copied', async () => {
    const LARGE = { 'max.message.bytes': '8000000' }
    await world.make('large', 1, LARGE)
    const random = (size: number) =>
      Buffer.from(Array.from({ length: size }, () => Math.floor(Math.random() * 256)))
    const many = (size: number) =>
      Array.from({ length: 30 }, () => ({ timestamp: THEN, key: Buffer.from('k'), value: random(size) }))
    for (const codec of [0, 1, 2, 3, 4] as const)
      await world.write(world.old, 'large', many(60_000), { codec })
    await world.write(world.old, 'large', [{ timestamp: THEN, value: Buffer.from('before') }])
    await world.write(world.old, 'large', [{ timestamp: THEN, value: random(2_000_000) }])
    await world.write(world.old, 'large', [{ timestamp: THEN, value: Buffer.from('after') }])
    await alterTopicConfigs(world.old, 'large', { set: { 'max.message.bytes': '1000000' } })

    const stopped = await world.mirror('large', ['large'])
    expect(exitOf(stopped)).toBe(7)
    expect(stopped.partitions[0]).toMatchObject({ end: 151n, stopped: { code: 'RECORD_TOO_LARGE' } })
    const { message } = stopped.partitions[0]?.stopped ?? { message: '' }
    expect(message).toContain('large-0 offset 151')
    const [, bytes] = /batch of (\d+) bytes/.exec(message) ?? []
    expect(Number(bytes)).toBeGreaterThan(2_000_000)

    await alterTopicConfigs(world.next, 'large', { set: { 'max.message.bytes': String(bytes) } })
    await expectIdentical(await world.mirror('large', ['large']), ['large'])
    const limit = (await describeTopicConfigs(world.next, ['large'])).get('large')
    expect(limit?.find(({ name }) => name === 'max.message.bytes')?.value).toBe(bytes)
  })
})
