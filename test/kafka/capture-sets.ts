/**
 * Records what real brokers answer to a read_committed fetch where record sets are not simply dense v2 batches, and what
 * an ordinary client (kafkajs) reads there, into fixtures/wire/sets.json: `node test/kafka/capture-sets.ts`.
 */
import { writeFile } from 'node:fs/promises'
import {
  AT,
  Cluster,
  CODECS,
  type Codec,
  createTopics,
  encodeBatch,
  Fetch,
  isWhole,
  kafkaJs,
  type NewRecord,
  Produce,
  sizeOfBatch,
} from '../../src/kafka/index.ts'
import { parseBootstrap, sleep } from '../../src/kit/index.ts'
import { readBack } from '../../src/load/index.ts'
import { Sandbox, type Spec } from '../../src/sandbox/index.ts'
import { sandboxOptions } from '../sandbox-helper.ts'

const CLEANER = { 'log.cleaner.backoff.ms': '200' }
const SPECS: Spec[] = [
  { kind: 'kafka-zk', version: '2.8.2', brokers: 1, config: CLEANER },
  { kind: 'kafka-zk', version: '3.9.2', brokers: 1, config: CLEANER },
  { kind: 'kraft', version: '4.3.1', brokers: 1, config: CLEANER },
]
const COMPACT = {
  'cleanup.policy': 'compact',
  'segment.ms': '300',
  'min.cleanable.dirty.ratio': '0.001',
  'delete.retention.ms': '86400000',
}
const THEN = 1_600_000_000_000n
const SHORT = { timeoutMs: 20_000 }

type Captured = {
  broker: string
  name: string
  aborted: { producerId: string; firstOffset: string }[]
  set: string
  /** Offset, timestamp, key and value (base64), as kafkajs reads them. */
  records: [offset: string, timestamp: string, key: string | null, value: string | null][]
}

const records = (from: number, count: number, keys: number): NewRecord[] =>
  Array.from({ length: count }, (_, n) => {
    const i = from + n
    const gone = keys > 0 && i % 6 === 4 // a tombstone
    return {
      timestamp: THEN + BigInt(i * 10 - (i % 3) * 7),
      key:
        keys > 0
          ? Buffer.from(i % 3 === 0 ? `own ${i}` : `key ${i % keys}`)
          : i % 4 === 0
            ? null
            : Buffer.from(`k${i}`),
      value: gone || i % 9 === 5 ? null : Buffer.from(`value ${i} `.repeat(1 + (i % 4))),
    }
  })

const capture = async (spec: Spec, sandbox: Sandbox): Promise<Captured[]> => {
  await using server = await sandbox.start(spec)
  const bootstrap = parseBootstrap(server.bootstrap())
  await using cluster = await Cluster.open({ bootstrap })
  const connection = async () => await cluster.connection([...cluster.brokers.keys()][0] ?? 0, 'capture')
  const make = (name: string, configs: Record<string, string>) =>
    createTopics(cluster, [{ name, partitions: 1, replicationFactor: 1, configs }])
  const write = async (topic: string, codec: Codec, some: NewRecord[]) => {
    const topics = [{ topic, partitions: [{ partition: 0, records: encodeBatch(some, { codec }) }] }]
    const answer = await (await connection()).send(Produce, { acks: -1, timeoutMs: 9_000, topics }, SHORT)
    if (answer.topics[0]?.partitions[0]?.errorCode !== 0)
      throw new Error(`${topic}: ${JSON.stringify(answer.topics)}`)
  }
  /** All of a partition: an answer ends with a segment. */
  const fetched = async (topic: string) => {
    const sets: Buffer[] = []
    const aborted = new Map<string, { producerId: bigint; firstOffset: bigint }>()
    for (let fetchOffset = 0n; ; ) {
      const partitions = [{ partition: 0, fetchOffset, partitionMaxBytes: 1 << 20 }]
      const topics = [{ topic, partitions }]
      const ask = { maxWaitMs: 100, minBytes: 1, maxBytes: 1 << 20, isolationLevel: 1, topics }
      const part = (await (await connection()).send(Fetch, ask, SHORT)).topics[0]?.partitions[0]
      for (const each of part?.abortedTransactions ?? []) aborted.set(`${each.firstOffset}`, each)
      if (!part?.records?.length) return { set: Buffer.concat(sets), aborted: [...aborted.values()] }
      sets.push(Buffer.from(part.records))
      for (let at = 0; isWhole(part.records, at); at += sizeOfBatch(part.records, at)) {
        const more =
          part.records.readInt8(at + AT.magic) < 2 ? 0 : part.records.readInt32BE(at + AT.lastOffsetDelta)
        fetchOffset = part.records.readBigInt64BE(at) + BigInt(more) + 1n
      }
    }
  }
  const take = async (topic: string): Promise<Captured> => {
    const [log] = await readBack({ bootstrap, topics: [topic], signal: AbortSignal.timeout(60_000) })
    const { set, aborted } = await fetched(topic)
    process.stderr.write(`${spec.version} ${topic}: ${set.length} bytes, ${log?.records.length} records\n`)
    return {
      broker: spec.version,
      name: topic,
      aborted: aborted.map(each => ({
        producerId: `${each.producerId}`,
        firstOffset: `${each.firstOffset}`,
      })),
      set: set.toString('hex'),
      records: (log?.records ?? []).map(({ offset, timestamp, key, value }) => [
        `${offset}`,
        timestamp ?? '-1', // format 0 has none
        key?.toString('base64') ?? null,
        value?.toString('base64') ?? null,
      ]),
    }
  }
  /** Rolls the segment until the cleaner has been through it. */
  const compacted = async (topic: string, codec: Codec) => {
    const before = (await fetched(topic)).set.length
    for (let i = 0; ; i++) {
      if (i > 60) throw new Error(`${topic} is not compacted`)
      await sleep(500)
      await write(topic, codec, [
        { timestamp: THEN + 9_999n, key: Buffer.from('last'), value: Buffer.from(`${i}`) },
      ])
      await sleep(1_500)
      if ((await fetched(topic)).set.length < before) return
    }
  }

  const names: string[] = []
  const dense = async (name: string, codec: Codec, configs: Record<string, string>) => {
    await make(name, configs)
    for (let i = 0; i < 12; i += 4) await write(name, codec, records(i, 4, 0))
    names.push(name)
  }
  const thin = async (name: string, codec: Codec, configs: Record<string, string>) => {
    await make(name, { ...COMPACT, ...configs })
    for (let i = 0; i < 24; i += 8) await write(name, codec, records(i, 8, 5))
    await compacted(name, codec)
    names.push(name)
  }
  const jobs: Promise<void>[] = []
  if (spec.version === '2.8.2') {
    for (const [format, version] of ['0.9.0', '0.10.0'].entries()) {
      for (const codec of [0, 1, 2, 3] as const) {
        const configs = { 'message.format.version': version }
        jobs.push(dense(`format-${format}-${CODECS[codec]}`, codec, configs))
        jobs.push(thin(`compacted-${format}-${CODECS[codec]}`, codec, configs))
      }
    }
  } else {
    for (const codec of [0, 1, 2, 3, 4] as const) jobs.push(thin(`compacted-2-${CODECS[codec]}`, codec, {}))
    jobs.push(dense('appended-2-none', 0, { 'message.timestamp.type': 'LogAppendTime' }))
    jobs.push(
      (async () => {
        await make('transactions', {})
        await interleave(kafkaJs({ brokers: bootstrap }), 'transactions')
        names.push('transactions')
      })(),
    )
  }
  await Promise.all(jobs)
  const all: Captured[] = []
  for (const name of names.sort()) all.push(await take(name))
  return all
}

/** Two producers at once: what one aborts lies between what the other commits; records without a transaction as well. */
const interleave = async (kafka: ReturnType<typeof kafkaJs>, topic: string) => {
  const [a, b] = ['a', 'b'].map(id =>
    kafka.producer({ transactionalId: id, idempotent: true, maxInFlightRequests: 1 }),
  ) as [ReturnType<typeof kafka.producer>, ReturnType<typeof kafka.producer>]
  const plain = kafka.producer()
  for (const producer of [a, b, plain]) await producer.connect()
  const send = (to: { send: typeof plain.send }, value: string) =>
    to.send({
      topic,
      messages: [1, 2, 3].map(i => ({ key: value, value: `${value} ${i}`, timestamp: `${Date.now()}` })),
    })
  for (const [endA, endB] of [
    ['commit', 'abort'],
    ['abort', 'commit'],
    ['abort', 'abort'],
    ['commit', 'commit'],
  ] as const) {
    const [ta, tb] = [await a.transaction(), await b.transaction()]
    await send(ta, `a ${endA}`)
    await send(tb, `b ${endB}`)
    await send(plain, 'plain')
    await send(ta, `a ${endA} more`)
    await ta[endA]()
    await send(tb, `b ${endB} more`)
    await tb[endB]()
  }
  await send(plain, 'last')
  for (const producer of [a, b, plain]) await producer.disconnect()
}

await using sandbox = await Sandbox.open(sandboxOptions())
const captured: Captured[] = []
for (const spec of SPECS) captured.push(...(await capture(spec, sandbox)))
const rows = captured.map(row => JSON.stringify(row)).join(',\n')
await writeFile(new URL('../../fixtures/wire/sets.json', import.meta.url), `[\n${rows}\n]\n`)
