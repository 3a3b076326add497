import { type Cluster, LATEST, partitionKey } from '../../kafka/index.ts'
import { type During, formatDuration } from '../../kit/index.ts'
import { batchesAt } from '../proof/index.ts'
import { about, type Finding } from './finding.ts'

/** One batch as a log's end tells it. */
export type Sent = { topic: string; partition: number; producerId: bigint; atMs: number }
export type Pause = { topic: string; producerId: bigint; ms: number }

/** Fewer batches tell nothing of how a writer pauses. */
const LEAST = 5
const NOBODY = -1n
/** Partitions that are looked at, and offsets of each. */
const PARTITIONS = 50
const TAIL = 500n

const p99 = (gaps: readonly number[]): number =>
  gaps.toSorted((a, b) => a - b)[Math.floor((gaps.length - 1) * 0.99)] ?? 0

/**
 * How long each writer pauses between batches: the 99th percentile, on the partition that it writes to most often.
 * Writers without an id are told apart by topic alone.
 */
export const pausesOf = (sent: readonly Sent[]): Pause[] => {
  const least = new Map<string, Pause>()
  const logs = Map.groupBy(sent, ({ topic, partition, producerId }) => `${topic} ${partition} ${producerId}`)
  for (const batches of logs.values()) {
    const [first] = batches
    if (!first || batches.length < LEAST) continue
    const times = batches.map(({ atMs }) => atMs).sort((a, b) => a - b)
    const ms = p99(times.slice(1).map((at, i) => at - (times[i] ?? at)))
    const { topic, producerId } = first
    const writer = producerId === NOBODY ? topic : `${producerId}`
    const known = least.get(writer)
    if (!known || ms < known.ms) least.set(writer, { topic, producerId, ms })
  }
  return [...least.values()]
}

/** What a window does not see. Source: CUTOVER.md 5, W >= p99 of producers' gaps. */
export const pauseFindings = (pauses: readonly Pause[], windowMs: number): Omit<Finding, 'id'>[] => {
  const long = pauses.filter(({ ms }) => ms > windowMs)
  const most = long.reduce((largest, { ms }) => Math.max(largest, ms), 0)
  return about(
    long.map(({ topic, producerId, ms }) => {
      const who = producerId === NOBODY ? 'without an id' : `${producerId}`
      return `producer ${who} of ${topic} (${formatDuration(ms)})`
    }),
    {
      severity: 'warning',
      evidence: names =>
        `writers pause longer than the window of ${formatDuration(windowMs)} between batches, so that it may not see them: ${names}`,
      fix: `a fence hook that counts writers, or --still-for ${Math.ceil(most / 1_000)}s`,
    },
  )
}

/** The ends of some logs, spread over all. */
export const lastSent = async (
  cluster: Cluster,
  wheres: readonly { topic: string; partition: number }[],
  { signal }: During,
): Promise<Sent[]> => {
  const step = Math.max(1, Math.ceil(wheres.length / PARTITIONS))
  const some = wheres.filter((_, i) => i % step === 0)
  const ends = await cluster.listOffsets(
    some.map(where => ({ ...where, timestamp: LATEST })),
    { signal, refused: () => {} },
  )
  const sent: Sent[] = []
  for (const where of some) {
    const end = ends.get(partitionKey(where.topic, where.partition))?.offset ?? 0n
    if (end === 0n) continue
    const batches = await batchesAt(cluster, { ...where, at: end > TAIL ? end - TAIL : 0n }, { signal })
    for (const { header } of batches) {
      if (header.magic < 2) break
      sent.push({ ...where, producerId: header.producerId, atMs: Number(header.maxTimestamp) })
    }
  }
  return sent
}
