import { randomBytes } from 'node:crypto'
import { type KafkaJs, kafkaJs, type Security } from '../kafka/index.ts'
import { anySignal, deferred, type HostPort, KmigError, onAbort } from '../kit/index.ts'
import { placeKey } from './ledger.ts'

/** A record as an ordinary client reads it. */
export type ReadRecord = {
  offset: bigint
  timestamp: string
  key: Buffer | null
  value: Buffer | null
  headers: [name: string, value: string][]
}

/** A partition's whole log. */
export type ReadLog = {
  topic: string
  partition: number
  /** Offset of the first record that the cluster still holds. */
  start: bigint
  /** Offset of the next record. */
  end: bigint
  records: ReadRecord[]
}

export type ReadBackOptions = {
  bootstrap: readonly HostPort[]
  security?: Security | undefined
  topics: readonly string[]
  signal: AbortSignal
  /** Group of its own, deleted at the end; default `kmig-read-back-` and something random. */
  group?: string | undefined
  /** Gives up when this many ms bring no record; default 20000. */
  stallMs?: number
}

type Headers = Record<string, Buffer | string | (Buffer | string)[] | undefined>

const headersOf = (headers: Headers | undefined): [string, string][] =>
  Object.entries(headers ?? {}).flatMap(([name, values]) =>
    [values ?? ''].flat().map((value): [string, string] => [name, Buffer.from(value).toString('base64')]),
  )

const emptyLogs = async (kafka: KafkaJs, topics: readonly string[]): Promise<Map<string, ReadLog>> => {
  const admin = kafka.admin()
  await admin.connect()
  try {
    const logs = new Map<string, ReadLog>()
    for (const topic of topics) {
      for (const { partition, low, high } of await admin.fetchTopicOffsets(topic)) {
        const log = { topic, partition, start: BigInt(low), end: BigInt(high), records: [] }
        logs.set(placeKey(log), log)
      }
    }
    return logs
  } finally {
    await admin.disconnect()
  }
}

/** The same, with every record held. */
export const readBack = (options: ReadBackOptions): Promise<ReadLog[]> =>
  readThrough(options, (log, record) => log.records.push(record))

/**
 * Reads topics from their first record to their end as it is now, by kafkajs: a witness that shares no code with the
 * mirror. `each` is told every record, in the order of its partition. Uses a group of its own, which it deletes. Throws
 * TIMEOUT when nothing comes any more.
 */
export const readThrough = async (
  options: ReadBackOptions,
  each: (log: ReadLog, record: ReadRecord) => void,
): Promise<ReadLog[]> => {
  const { bootstrap, security, topics, signal, stallMs = 20_000 } = options
  const { group: groupId = `kmig-read-back-${randomBytes(6).toString('hex')}` } = options
  const kafka = kafkaJs({ brokers: bootstrap, security, clientId: 'kmig-read-back' })
  const logs = await emptyLogs(kafka, topics)
  const open = new Set([...logs].filter(([, { start, end }]) => start < end).map(([key]) => key))
  if (open.size === 0) return [...logs.values()]

  const consumer = kafka.consumer({ groupId, maxWaitTimeInMs: 100, allowAutoTopicCreation: false })
  const { promise, resolve, reject } = deferred<void>()
  const stalled = new AbortController()
  const stall = () =>
    setTimeout(
      () => stalled.abort(new KmigError('TIMEOUT', `no record of ${[...open].join(', ')} in ${stallMs} ms`)),
      stallMs,
    )
  let timer = stall()
  using _ = onAbort(anySignal(signal, stalled.signal), reject)
  try {
    await consumer.connect()
    await consumer.subscribe({ topics: [...topics], fromBeginning: true })
    await consumer.run({
      autoCommit: false,
      eachBatch: async ({ batch }) => {
        clearTimeout(timer)
        timer = stall()
        const key = placeKey(batch)
        const log = logs.get(key)
        if (!log || !open.has(key)) return
        for (const { offset, timestamp, key, value, headers } of batch.messages) {
          if (BigInt(offset) >= log.end) break
          each(log, { offset: BigInt(offset), timestamp, key, value, headers: headersOf(headers) })
        }
        if (BigInt(batch.lastOffset()) + 1n >= log.end) open.delete(key)
        if (open.size === 0) resolve()
      },
    })
    await promise
  } finally {
    clearTimeout(timer)
    await consumer.disconnect()
    const admin = kafka.admin()
    await admin.connect()
    await admin.deleteGroups([groupId]).catch(() => {}) // it expires by itself
    await admin.disconnect()
  }
  return [...logs.values()]
}

/** Records that two logs do not have equal at equal offsets. Offsets of the first log. */
export const unequal = (a: ReadLog, b: ReadLog): bigint[] => {
  const others = new Map(b.records.map(record => [record.offset, record]))
  return a.records
    .filter(record => {
      const other = others.get(record.offset)
      return !other || !sameRecord(record, other)
    })
    .map(({ offset }) => offset)
}

const sameBytes = (a: Buffer | null, b: Buffer | null) => (a === null || b === null ? a === b : a.equals(b))
const sameRecord = (a: ReadRecord, b: ReadRecord): boolean =>
  a.timestamp === b.timestamp &&
  sameBytes(a.key, b.key) &&
  sameBytes(a.value, b.value) &&
  JSON.stringify(a.headers) === JSON.stringify(b.headers)
