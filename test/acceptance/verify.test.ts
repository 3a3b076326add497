import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { EachMessagePayload } from 'kafkajs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import {
  alterTopicConfigs,
  type Cluster,
  commitOffsets,
  createTopics,
  kafkaJs,
  type NewRecord,
} from '../../src/kafka/index.ts'
import { parseBootstrap, sleep } from '../../src/kit/index.ts'
import {
  type VerifyOptions,
  type VerifyReport,
  verify,
  verifyExit,
  verifyText,
} from '../../src/verify/index.ts'
import { MirrorWorld } from '../mirror-world.ts'
import { servers } from '../sandbox-helper.ts'
import { digestOf, type Placed } from '../verify/logs.ts'

servers('kmig verify', () => {
  let world: MirrorWorld
  beforeAll(async () => {
    world = await MirrorWorld.open()
  })
  afterAll(async () => await world?.[Symbol.asyncDispose]())

  const signal = new AbortController().signal
  const look = (topics: string[], more: Partial<VerifyOptions> = {}): Promise<VerifyReport> =>
    verify({
      from: { name: 'old', bootstrap: parseBootstrap(world.bootstrap('old')) },
      to: { name: 'new', bootstrap: parseBootstrap(world.bootstrap('new')) },
      topics,
      groups: ['none'],
      signal,
      ...more,
    })
  const record = (i: number, over: NewRecord = {}): NewRecord => ({
    timestamp: BigInt(1_700_000_000_000 + i),
    key: Buffer.from(`k${i}`),
    value: Buffer.from(`value ${i}`),
    headers: [{ key: Buffer.from('h'), value: Buffer.from(String(i)) }],
    ...over,
  })
  const records = (count: number, first = 0) => Array.from({ length: count }, (_, i) => record(first + i))
  const both = async (topic: string, configs: Record<string, string> = {}) => {
    for (const cluster of [world.old, world.next])
      await createTopics(cluster, [{ name: topic, partitions: 1, replicationFactor: 1, configs }])
  }
  const put = async (
    cluster: Cluster,
    topic: string,
    all: readonly NewRecord[],
    perBatch = 50,
    codec: 0 | 4 = 0,
  ) => {
    for (let i = 0; i < all.length; i += perBatch)
      await world.write(cluster, topic, all.slice(i, i + perBatch), { codec })
  }
  const found = ({ differences }: VerifyReport) =>
    differences.map(({ kind, source, target, length, fields }) =>
      [kind, source ?? '-', target ?? '-', length, ...fields].join(' '),
    )

  test('a mirrored topic is equal, its batches are compared unopened, and every header is the mirror’s; a stranger’s batch is named', async () => {
    await world.fill('good', { partitions: 3, batches: 40, records: 20, codec: 4 })
    await world.more('good', 0, { batches: 200, size: 50 })
    await world.mirror('m', ['good'])
    const report = await look(['good'], { name: 'm' })
    expect(verifyText(report)).toContain('EQUAL')
    expect(report).toMatchObject({ verdict: 'equal', mirror: { name: 'm', cutOver: false } })
    expect(report.partitions.map(({ how, records: n, foreign }) => [how, n, foreign.length])).toEqual([
      ['identical', 1_000, 0],
      ['identical', 800, 0],
      ['identical', 800, 0],
    ])
    expect(report.partitions[1]).toMatchObject({ untouched: 40, unpacked: 0, headers: 40 })
    expect(report.topics[0]?.settings.every(({ outcome }) => outcome === 'held')).toBe(true)
    await world.write(world.next, 'good', records(2), { partition: 1 })
    const again = await look(['good'], { name: 'm' })
    expect(verifyExit(again)).toBe(3)
    expect(found(again)).toEqual(['extra - 800 2'])
    expect(again.partitions[1]?.foreign).toMatchObject([{ from: 800n, to: 801n, producerId: -1n }])
  })

  test('beside a mirror what is not copied yet is lag, not a difference; --strict makes it one', async () => {
    await world.fill('lag', { batches: 20, records: 10 })
    await world.mirror('lag', ['lag'])
    await world.more('lag', 0, { batches: 3, records: 10 })
    const report = await look(['lag'], { name: 'lag' })
    expect(report).toMatchObject({ verdict: 'partial', partitions: [{ records: 200, behind: 30n }] })
    expect([verifyExit(report), verifyExit(await look(['lag'], { name: 'lag', strict: true }))]).toEqual([
      0, 3,
    ])
  })

  test('while writers write and a mirror follows, what was there at the start is never found to differ', async () => {
    await world.make('live', 2)
    await world.make('live-tx')
    const topics = ['live', 'live-tx']
    await world.more('live', 0, { batches: 20, records: 3, size: 300 })
    await transactions('live-tx', 2)
    const end = new AbortController()
    const following = world.mirror('live', topics, { signal: end.signal, untilCaughtUp: false })
    const writing = (async () => {
      for (let i = 0; !end.signal.aborted; i++) {
        await world.more('live', i % 2, { batches: 5, records: 1 + (i % 7), size: 300, codec: (i % 5) as 0 })
        await transactions('live-tx', 2)
      }
    })()
    writing.catch(() => {}) // thrown below
    await world.copied(topics, 0.5)
    const verdicts = new Set<string>()
    let records = 0
    while (verdicts.size === 0 || records < 300) {
      const report = await look(topics, { name: 'live' })
      expect(['equal', 'partial'], verifyText(report)).toContain(report.verdict)
      verdicts.add(report.verdict)
      records = report.partitions.reduce((sum, each) => sum + each.records, 0)
    }
    end.abort()
    await Promise.all([writing, following])
  })

  const plants: [topic: string, copy: NewRecord[], wanted: string[]][] = [
    ['same', records(200), []],
    ['value', records(200).with(77, record(77, { value: Buffer.from('x') })), ['changed 77 77 1 value']],
    ['header', records(200).with(0, record(0, { headers: [] })), ['changed 0 0 1 headers']],
    ['time', records(200).with(199, record(199, { timestamp: 5n })), ['changed 199 199 1 timestamp']],
    ['lost', records(200).toSpliced(120, 1), ['missing 120 120 1', 'moved 121 120 1 offset']],
    ['more', records(200).toSpliced(50, 0, record(49)), ['extra - 50 1', 'moved 50 51 1 offset']],
    ['swapped', records(200).with(9, record(10)).with(10, record(9)), ['swapped 9 9 2']],
    ['short', records(180), ['missing 180 - 20']],
  ]
  test('in copies that somebody else made, the one planted difference is named, and nothing else', async () => {
    for (const [name, copy] of plants) {
      await both(`hand-${name}`)
      await put(world.old, `hand-${name}`, records(200), 30, 4)
      await put(world.next, `hand-${name}`, copy, 45)
    }
    const report = await look(['hand-*'])
    const where = (name: string) => report.differences.filter(({ topic }) => topic === `hand-${name}`)
    for (const [name, , wanted] of plants)
      expect(found({ ...report, differences: where(name) }), name).toEqual(wanted)
    expect(report.verdict).toBe('differs')
    expect(where('value')[0]?.was?.key).toMatch(/^sha1:/)
    const { differences } = await look(['hand-value'], { showKeys: true })
    expect(differences[0]?.was?.key).toBe('k77')
  })

  /** Transactions of one record each on the old cluster, every second one aborted. */
  const transactions = async (topic: string, count: number) => {
    const kafka = kafkaJs({ brokers: world.old.bootstrap, clientId: topic })
    const producer = kafka.producer({ transactionalId: topic, idempotent: true, maxInFlightRequests: 1 })
    await producer.connect()
    for (let i = 0; i < count; i++) {
      const transaction = await patient(() => producer.transaction())
      await transaction.send({
        topic,
        messages: [{ key: `${i}`, value: `v${i}`, timestamp: `${1_000 + i}` }],
      })
      if (i % 2) await transaction.abort()
      else await transaction.commit()
    }
    await producer.disconnect()
  }

  /** What an ordinary client reads. */
  const witnessed = async (cluster: Cluster, topic: string, count: number): Promise<Placed[]> => {
    const kafka = kafkaJs({ brokers: cluster.bootstrap, clientId: 'witness' })
    const consumer = kafka.consumer({ groupId: `witness-${topic}`, readUncommitted: false })
    await consumer.connect()
    await consumer.subscribe({ topic, fromBeginning: true })
    const records: Placed[] = []
    const { promise, resolve } = Promise.withResolvers<void>()
    const eachMessage = async ({ message }: EachMessagePayload) => {
      const { offset, timestamp, key, value, headers = {} } = message
      const all = Object.entries(headers).map(([name, content]) => ({
        ...{ key: Buffer.from(name), value: content as Buffer },
      }))
      records.push({ offset: Number(offset), timestamp: BigInt(timestamp), key, value, headers: all })
      if (records.length === count) resolve()
    }
    await consumer.run({ eachMessage })
    await promise
    await consumer.disconnect()
    return records
  }

  test('only the committed records of transactions count: where a mirror filled the holes, where it translated, and in a copy at any offsets; an ordinary client computes the same digests', async () => {
    await both('tx-hand')
    await world.make('tx-filled')
    await world.make('tx-mapped')
    for (const topic of ['tx-hand', 'tx-filled', 'tx-mapped']) await transactions(topic, 6)
    const kept = [0, 2, 4].map(i => ({
      ...{ timestamp: BigInt(1_000 + i), key: Buffer.from(`${i}`), value: Buffer.from(`v${i}`) },
    }))
    await world.write(world.next, 'tx-hand', kept)
    expect(await look(['tx-hand'], { offsets: 'any' })).toMatchObject({
      verdict: 'equal',
      partitions: [{ records: 3 }],
    })
    const strict = await look(['tx-hand'], { offsets: 'identical' })
    expect([strict.verdict, found(strict)]).toEqual(['differs', ['moved 4 1 1 offset', 'moved 8 2 1 offset']])
    await world.mirror('tx-filled', ['tx-filled'])
    await world.mirror('tx-mapped', ['tx-mapped'], { offsets: 'translated' })
    for (const [topic, how] of [
      ['tx-filled', 'identical'],
      ['tx-mapped', 'mapped'],
    ] as const) {
      const report = await look([topic], { name: topic, digests: true })
      expect(report, verifyText(report)).toMatchObject({
        verdict: 'equal',
        partitions: [{ how, records: 3, foreign: [] }],
      })
      const { digestOld, digestNew } = report.partitions[0] ?? {}
      const by = how === 'mapped' ? 'ordinal' : 'offset'
      expect([digestOld?.by, digestOld?.sha256]).toEqual([by, digestNew?.sha256])
      for (const [side, digest] of [['old', digestOld] as const, ['next', digestNew] as const])
        expect(digestOf(await witnessed(world[side], topic, 3), by)).toBe(digest?.sha256)
    }
    await world.write(world.next, 'tx-mapped', [record(1)])
    const foreign = await look(['tx-mapped'], { name: 'tx-mapped' })
    expect([found(foreign), foreign.partitions[0]?.foreign.length]).toEqual([['extra - 3 1'], 1])
  })

  test('what retention cut on one side is named and not called equal', async () => {
    await world.fill('cut', { batches: 10, records: 10 })
    await world.mirror('cut', ['cut'])
    await world.old.deleteRecords([{ topic: 'cut', partition: 0, offset: 25n }])
    const report = await look(['cut'], { name: 'cut' })
    expect(report.verdict).toBe('partial')
    expect(report.partitions[0]).toMatchObject({
      records: 75,
      notCompared: [{ side: 'target', from: 0n, to: 25n, why: 'the source deleted it' }],
    })
    await world.next.deleteRecords([{ topic: 'cut', partition: 0, offset: 40n }])
    const lost = await look(['cut'], { name: 'cut' })
    expect(found(lost)).toEqual(['missing 25 - 15'])
    const stranger = await look(['cut'])
    expect(stranger.partitions[0]?.notCompared).toMatchObject([{ side: 'source', from: 25n, to: 40n }])

    await both('cut-hand')
    await put(world.old, 'cut-hand', records(5_000), 500)
    await put(world.next, 'cut-hand', records(4_990, 10), 500)
    await world.old.deleteRecords([{ topic: 'cut-hand', partition: 0, offset: 3_000n }])
    const ordered = await look(['cut-hand'], { offsets: 'any' })
    expect([ordered.verdict, found(ordered), ordered.partitions[0]?.records]).toEqual(['partial', [], 2_000])
    expect(ordered.partitions[0]?.notCompared).toMatchObject([{ side: 'target', from: 0n, to: 2_990n }])
  })

  test('of a compacted topic the last value of each key is compared, however little memory there is', async () => {
    await both('latest', { 'cleanup.policy': 'compact' })
    const at = (i: number, round: number) =>
      record(i % 100, { timestamp: BigInt(round), value: Buffer.from(`${i}`) })
    const all = Array.from({ length: 500 }, (_, i) => at(i, Math.floor(i / 100)))
    await put(world.old, 'latest', all)
    await put(world.next, 'latest', all.slice(300)) // as if a cleaner had been there
    const gone = { timestamp: 9n, key: Buffer.from('gone'), value: null }
    await put(world.old, 'latest', [gone])
    const report = await look(['latest'], { keysAtOnce: 20 })
    expect(report.partitions[0]).toMatchObject({
      how: 'latest',
      counts: { changed: 0n, missing: 0n, extra: 0n },
    })
    expect(report.partitions[0]?.keys).toMatchObject({ compared: 101, superseded: 0 })
    expect(report.partitions[0]?.keys?.passes).toBeGreaterThan(3)
    await put(world.next, 'latest', [record(3, { value: Buffer.from('stale') }), record(4, { value: null })])
    const stale = await look(['latest'])
    expect(found(stale).sort()).toEqual(['changed 403 200 1 timestamp value', 'missing 404 - 1'])
  })

  test('topics, partition counts, settings and group offsets that differ are told', async () => {
    await both('meta-a')
    await createTopics(world.old, [{ name: 'meta-b', partitions: 2, replicationFactor: 1 }])
    await createTopics(world.next, [{ name: 'meta-b', partitions: 1, replicationFactor: 1 }])
    await createTopics(world.old, [{ name: 'meta-c', partitions: 1, replicationFactor: 1 }])
    await alterTopicConfigs(world.old, 'meta-a', { set: { 'retention.ms': '7000' } })
    await put(world.old, 'meta-a', records(10))
    await put(world.next, 'meta-a', records(10))
    const commit = (cluster: Cluster, group: string, offset: bigint) =>
      commitOffsets(cluster, group, [{ topic: 'meta-a', partition: 0, offset, metadata: '' }])
    for (const [group, ours, theirs] of [
      ['meta-same', 5n, 5n],
      ['meta-low', 5n, 3n],
      ['meta-none', 5n, undefined],
    ] as const) {
      await commit(world.old, group, ours)
      if (theirs !== undefined) await commit(world.next, group, theirs)
    }
    const report = await look(['meta-*'], { groups: ['meta-*'], quick: true })
    expect(verifyExit(report)).toBe(3)
    expect(
      report.topics.map(({ topic, there, partitions, equal }) => [topic, there, partitions.target, equal]),
    ).toEqual([
      ['meta-a', true, 1, false],
      ['meta-b', true, 1, false],
      ['meta-c', false, 0, false],
    ])
    expect(report.topics[0]?.settings).toMatchObject([
      { name: 'retention.ms', source: '7000', outcome: 'differs' },
    ])
    expect(report.groups?.same).toBe(1)
    expect(report.groups?.findings.map(({ group, outcome }) => [group, outcome]).sort()).toEqual([
      ['meta-low', 'lower'],
      ['meta-none', 'none'],
    ])
  })

  test('killed and started again with its --state, it goes on where it was and still knows what differed', async () => {
    await both('long')
    const value = Buffer.alloc(1_000, 'x')
    const all = Array.from({ length: 20_000 }, (_, i) => record(i, { value }))
    await put(world.old, 'long', all, 500)
    await put(world.next, 'long', all.with(100, record(100)), 500)
    const state = join(world.stateDir, 'long.verify')
    const args = [
      '--from',
      world.bootstrap('old'),
      '--to',
      world.bootstrap('new'),
      '--topics',
      'long',
      '--groups',
      'none',
      '--state',
      state,
      '--json',
    ]
    const first = world.run('verify', ...args, '--max-rate', '8MB')
    while (reachedIn(state) < 2_000) await sleep(50)
    first.process.kill('SIGKILL')
    await first.ended
    const kept = reachedIn(state)
    expect(kept).toBeLessThan(20_000)
    const second = world.run('verify', ...args)
    expect((await second.ended).code).toBe(3)
    const report = JSON.parse(second.stdout)
    expect(report).toMatchObject({
      verdict: 'differs',
      partitions: [{ records: 20_000, earlier: String(kept) }],
    })
    expect(report.differences).toMatchObject([{ kind: 'changed', source: '100', fields: ['value'] }])
    expect(report.bytes).toBeLessThan(43_000_000 - 2_000 * kept + 5_000_000)
  })
})

/** The broker may still be making its topic of transactions. */
const patient = async <T>(work: () => Promise<T>): Promise<T> => {
  for (let tries = 0; ; tries++) {
    try {
      return await work()
    } catch (e) {
      if (tries === 50) throw e
      await sleep(200)
    }
  }
}

const reachedIn = (path: string): number => {
  try {
    return JSON.parse(readFileSync(path, 'utf8')).partitions['long-0']?.reached.source ?? 0
  } catch {
    return 0
  }
}
