import {
  ATTRIBUTE,
  type Cluster,
  type Connection,
  Fetch,
  headers,
  type NewRecord,
  partitionKey,
  recordsOf,
} from '../kafka/index.ts'
import { type During, messageOf } from '../kit/index.ts'
import type { Sampled } from './clone.ts'

/** Records of one partition, in their order; or why there are no more. */
export type SamplePart = { topic: string; partition: number } & ({ records: NewRecord[] } | { short: string })

const AT_ONCE = 64
const PART_BYTES = 128 << 10
/** A batch larger than PART_BYTES is given where it is asked for alone. */
const ALONE_BYTES = 8 << 20
/** All samples together: they are written to a single broker of a throw-away cluster. */
const MOST_BYTES = 64 << 20

type Asked = Sampled & { at: bigint; empty: number }

/** Reads the samples, leader by leader, many partitions in a request. Only committed order counts, not transactions. */
export async function* takeSample(
  real: Cluster,
  samples: readonly Sampled[],
  { signal }: During,
): AsyncGenerator<SamplePart, void> {
  const asked = samples.filter(({ from, end }) => from < end)
  const leaders = Map.groupBy(asked, each => real.leaderOf(each.topic, each.partition)?.nodeId ?? -1)
  let bytes = 0
  for (const [nodeId, places] of leaders) {
    if (nodeId < 0) {
      for (const each of places) yield { ...each, short: 'it has no leader' }
      continue
    }
    const connection = await real.connection(nodeId, 'sample', signal)
    const open: Asked[] = places.map(each => ({ ...each, at: each.from, empty: 0 }))
    while (open.length > 0) {
      const first = open[0]
      const some = first && first.empty > 0 ? open.splice(0, 1) : open.splice(0, AT_ONCE)
      for await (const { part, size, again } of fetchSome(connection, some, { signal })) {
        bytes += size
        const full = bytes > MOST_BYTES
        yield full && again ? { ...part, short: `samples hold ${MOST_BYTES >> 20} MiB in all` } : part
        if (again && !full) open.push(again)
      }
    }
  }
}

type Answered = { part: SamplePart; size: number; again: Asked | undefined }

async function* fetchSome(
  connection: Connection,
  some: readonly Asked[],
  { signal }: During,
): AsyncGenerator<Answered, void> {
  const alone = some.length === 1
  const topics = [...Map.groupBy(some, ({ topic }) => topic)].map(([topic, places]) => ({
    topic,
    partitions: places.map(({ partition, at }) => ({
      partition,
      fetchOffset: at,
      partitionMaxBytes: alone ? ALONE_BYTES : PART_BYTES,
    })),
  }))
  const answer = await connection.send(
    Fetch,
    { maxWaitMs: 500, minBytes: 1, maxBytes: ALONE_BYTES, isolationLevel: 0, topics },
    { timeoutMs: 30_000, signal },
  )
  const rows = new Map(
    answer.topics.flatMap(({ topic, partitions }) =>
      partitions.map(row => [partitionKey(topic, row.partition), row]),
    ),
  )
  for (const each of some) {
    const row = rows.get(partitionKey(each.topic, each.partition))
    const bytes = row?.records ?? Buffer.alloc(0)
    yield taken(each, row?.errorCode ?? 0, Buffer.from(bytes))
  }
}

const taken = (each: Asked, errorCode: number, bytes: Buffer): Answered => {
  const { topic, partition, end } = each
  const where = { topic, partition }
  if (errorCode !== 0) return { part: { ...where, short: `error ${errorCode}` }, size: 0, again: undefined }
  const records: NewRecord[] = []
  let { at } = each
  try {
    for (const { header, at: place } of headers(bytes)) {
      const next = header.lastOffset + 1n
      if ((header.attributes & ATTRIBUTE.control) === 0)
        for (const { offset, timestamp, key, value, headers: own } of recordsOf(bytes, place))
          if (offset >= each.at && offset < end) records.push({ timestamp, key, value, headers: own })
      at = next
      if (at >= end) break
    }
  } catch (e) {
    return { part: { ...where, short: messageOf(e) }, size: 0, again: undefined }
  }
  const part: SamplePart = { ...where, records }
  if (at >= end) return { part, size: bytes.length, again: undefined }
  const empty = at === each.at ? each.empty + 1 : 0
  // Asked alone twice it gave nothing: there is nothing below the end (compaction took the rest).
  if (empty > 2) return { part, size: bytes.length, again: undefined }
  return { part, size: bytes.length, again: { ...each, at, empty } }
}
