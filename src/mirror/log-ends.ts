import { type Cluster, LATEST, partitionKey, partitionOf } from '../kafka/index.ts'
import { type During, KmigError, Offset, sleep } from '../kit/index.ts'

/** Where the log of a partition's leader ends, and up to where all replicas in sync have it. */
export type LogEnd = { leo: Offset; high: Offset }

const WITHIN_MS = 30_000
const AGAIN_MS = 100
const ASK = { timeoutMs: 5_000, withinMs: 2_000, refused: () => {} }

/** The end of the leader's own log, asked with the epoch it leads in, so that a deposed one can't answer. Throws TIMEOUT. */
export const logEndsOf = async (
  cluster: Cluster,
  wheres: readonly string[],
  { signal }: During,
): Promise<Map<string, LogEnd>> => {
  const found = new Map<string, LogEnd>()
  const started = performance.now()
  for (;;) {
    const left = wheres.filter(where => !found.has(where)).map(partitionOf)
    if (left.length === 0) return found
    if (performance.now() - started > WITHIN_MS) {
      const names = left.slice(0, 5).map(({ topic, partition }) => partitionKey(topic, partition))
      throw new KmigError('TIMEOUT', `no leader tells where the log ends of ${names.join(', ')}`)
    }
    await cluster.metadata([...new Set(left.map(({ topic }) => topic))], { signal })
    const asks = left.flatMap(where => {
      const epoch = cluster.leaderOf(where.topic, where.partition)?.leaderEpoch ?? -1
      return epoch < 0 ? [] : [{ ...where, leaderEpoch: epoch, currentLeaderEpoch: epoch }]
    })
    const ends = await cluster.epochEnds(asks, { ...ASK, signal })
    const marks = await cluster.listOffsets(
      asks.map(({ topic, partition }) => ({ topic, partition, timestamp: LATEST })),
      { ...ASK, signal },
    )
    for (const [where, end] of ends) {
      const high = marks.get(where)?.offset
      if (end.kind === 'end' && high !== undefined)
        found.set(where, { leo: Offset(end.endOffset > high ? end.endOffset : high), high: Offset(high) })
    }
    if (found.size < wheres.length) await sleep(AGAIN_MS, signal)
  }
}
