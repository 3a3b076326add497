import { type Cluster, ERROR, partitionKey } from '../kafka/index.ts'
import { KmigError, sleep } from '../kit/index.ts'
import type { End } from './ports.ts'

export type Where = { topic: string; partition: number }

const TRIES = 20
const AGAIN_MS = 100
const MOVED: readonly number[] = [
  ERROR.NOT_LEADER_OR_FOLLOWER,
  ERROR.FENCED_LEADER_EPOCH,
  ERROR.UNKNOWN_LEADER_EPOCH,
]

/**
 * Last stable offset and log end of partitions. ListOffsets `latest` is what consumers may read; the end of the leader's
 * log is what OffsetForLeaderEpoch answers for the current epoch, asked with that epoch, so that a deposed leader can't
 * answer. Brokers that tell no epochs (before 2.1) are asked by ListOffsets alone. Source: KIP-320, CUTOVER.md 5.
 */
export const logEnds = async (
  cluster: Cluster,
  wheres: readonly Where[],
  options: { signal?: AbortSignal | undefined } = {},
): Promise<Map<string, End>> => {
  const topics = [...new Set(wheres.map(({ topic }) => topic))]
  const leos = new Map<string, bigint>()
  let left = [...wheres]
  for (let attempt = 0; left.length > 0; attempt++) {
    if (attempt > 0) await sleep(AGAIN_MS, options.signal)
    if (topics.length > 0) await cluster.metadata(topics, options)
    const asks = left.map(where => {
      const epoch = cluster.leaderOf(where.topic, where.partition)?.leaderEpoch ?? -1
      return { ...where, leaderEpoch: epoch, currentLeaderEpoch: epoch }
    })
    const known = asks.filter(({ leaderEpoch }) => leaderEpoch >= 0)
    const answers = await cluster.epochEnds(known, options)
    left = known.filter(({ topic, partition }) => {
      const key = partitionKey(topic, partition)
      const answer = answers.get(key)
      if (answer?.kind === 'end') leos.set(key, answer.endOffset)
      else if (answer?.kind === 'error' && !MOVED.includes(answer.errorCode)) throw answer.error
      return answer?.kind !== 'end'
    })
    if (attempt >= TRIES) {
      throw new KmigError(
        'TIMEOUT',
        `no leader tells the log end of ${left.map(w => partitionKey(w.topic, w.partition)).join(', ')}`,
      )
    }
  }
  const latest = await cluster.listOffsets(
    wheres.map(where => ({ ...where, timestamp: -1n })),
    { ...options, isolation: 'read_committed' },
  )
  return new Map(
    [...latest].map(([key, { offset: stable }]) => {
      const leo = leos.get(key) ?? stable
      return [key, { stable, leo: leo > stable ? leo : stable }] // the second answer is the later one
    }),
  )
}
