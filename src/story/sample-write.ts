import { type Cluster, ERROR, encodeBatch, type NewRecord, Produce, partitionKey } from '../kafka/index.ts'
import { type During, plural } from '../kit/index.ts'
import type { SamplePart } from './sample.ts'

const BATCH_RECORDS = 500
const BATCH_BYTES = 512 << 10

export type SampleWritten = {
  /** Log ends, by `topic-partition`, of what was written. */
  ends: Map<string, bigint>
  records: number
  bytes: number
  short: string[]
}

/** Writes samples to a cluster, batch by batch, each partition in its order. */
export const writeSample = async (
  stage: Cluster,
  parts: AsyncIterable<SamplePart>,
  { signal }: During,
): Promise<SampleWritten> => {
  const written: SampleWritten = { ends: new Map(), records: 0, bytes: 0, short: [] }
  for await (const part of parts) {
    const key = partitionKey(part.topic, part.partition)
    if ('short' in part) {
      written.short.push(`${key}: ${part.short}`)
      continue
    }
    const left = [...chunks(part.records)].reverse()
    for (let records = left.pop(); records; records = left.pop()) {
      const batch = encodeBatch(records)
      const { errorCode, baseOffset } = await produce(stage, part, batch, { signal })
      if (errorCode === ERROR.MESSAGE_TOO_LARGE && records.length > 1) {
        const half = records.length >> 1
        left.push(records.slice(half), records.slice(0, half))
        continue
      }
      if (errorCode !== 0) {
        written.short.push(
          `${key}: the clone refused ${plural(records.length, 'record')} with error ${errorCode}`,
        )
        continue
      }
      written.ends.set(key, baseOffset + BigInt(records.length))
      written.records += records.length
      written.bytes += batch.length
    }
  }
  return written
}

function* chunks(records: readonly NewRecord[]): Generator<NewRecord[], void> {
  let [some, bytes]: [NewRecord[], number] = [[], 0]
  for (const record of records) {
    const size = (record.key?.length ?? 0) + (record.value?.length ?? 0)
    if (some.length > 0 && (some.length >= BATCH_RECORDS || bytes + size > BATCH_BYTES)) {
      yield some
      ;[some, bytes] = [[], 0]
    }
    some.push(record)
    bytes += size
  }
  if (some.length > 0) yield some
}

const produce = async (
  stage: Cluster,
  { topic, partition }: { topic: string; partition: number },
  batch: Buffer,
  { signal }: During,
): Promise<{ errorCode: number; baseOffset: bigint }> => {
  const leader = stage.leaderOf(topic, partition)?.nodeId ?? -1
  const connection = await stage.connection(leader, 'sample', signal)
  const topics = [{ topic, partitions: [{ partition, records: [batch] }] }]
  const answer = await connection.send(
    Produce,
    { acks: -1, timeoutMs: 20_000, topics },
    { timeoutMs: 30_000, signal },
  )
  return answer.topics[0]?.partitions[0] ?? { errorCode: -1, baseOffset: 0n }
}
