import {
  ATTRIBUTE,
  type Cluster,
  describeProducers,
  describeTopicConfigs,
  partitionOf,
} from '../../kafka/index.ts'
import { type During, isKmigError, KmigError } from '../../kit/index.ts'
import { logEnds } from '../log-ends.ts'
import { batchesAt } from '../proof/index.ts'
import { grown, grownText, leosOf } from '../still.ts'

/** Offsets at a log's end that tell how a topic is written. */
const TAIL = 500n
/** A producer that wrote within this time is one of the topic's writers. */
const RECENT_MS = 24 * 3_600_000
const STREAMS = /-(changelog|repartition)$/

export type Ended = { where: string; end: bigint }

/**
 * Writers that must move all at once, as far as the old cluster tells: a transaction spans partitions and an offset
 * commit, Streams its own topics, and the last value of a key in a compacted topic is what the order of its writers
 * makes it. Throws PREFLIGHT. Source: CUTOVER.md 6.
 */
export const refuseRolling = async (
  cluster: Cluster,
  ends: readonly Ended[],
  during: During,
): Promise<void> => {
  const topics = [...new Set(ends.map(({ where }) => partitionOf(where).topic))]
  const compacted = await compactedOf(cluster, topics, during)
  const why = new Map<string, string>()
  for (const topic of topics)
    if (STREAMS.test(topic)) why.set(topic, 'it is of a Streams application, which moves whole')
  for (const { where, end } of ends) {
    const { topic, partition } = partitionOf(where)
    if (why.has(topic) || end === 0n) continue
    const at = end > TAIL ? end - TAIL : 0n
    const tail = (await batchesAt(cluster, { topic, partition, at }, during)).map(({ header }) => header)
    const transactional = tail.find(
      ({ attributes }) => attributes & (ATTRIBUTE.transactional | ATTRIBUTE.control),
    )
    if (transactional) {
      why.set(
        topic,
        `producer ${transactional.producerId} writes transactions to ${where}: it moves with all its topics, in a fence`,
      )
    } else if (compacted.has(topic)) {
      const writers = await writersOf(cluster, where, during)
      if (writers > 1) {
        why.set(
          topic,
          `it is compacted and ${writers} producers wrote to ${where} within a day: a late record of one would win over a newer one`,
        )
      }
    }
  }
  if (why.size === 0) return
  const text = [...why].map(([topic, reason]) => `topic ${topic}: ${reason}`).join('; ')
  throw new KmigError('PREFLIGHT', `writers of these topics can't move one by one: ${text}`, {
    try: ['move them in a fence: kmig cutover --execute', 'or name the other topics alone: --topics'],
  })
}

/** Throws PREFLIGHT where the old cluster has grown since its log ends were taken: somebody else writes there. */
export const refuseShared = async (
  cluster: Cluster,
  ends: readonly Ended[],
  { signal }: During,
): Promise<void> => {
  const now = await logEnds(
    cluster,
    ends.map(({ where }) => partitionOf(where)),
    { signal },
  )
  const found = grown(new Map(ends.map(({ where, end }) => [where, end])), leosOf(now))
  if (found.length === 0) return
  const what = `somebody still writes to the old cluster where this writer should be alone: ${grownText(found)}`
  throw new KmigError('PREFLIGHT', what, {
    try: [
      'see that the old instance is dead, then run this again',
      'writers that share a partition move together, in a fence: kmig cutover --execute',
    ],
  })
}

const compactedOf = async (
  cluster: Cluster,
  topics: readonly string[],
  { signal }: During,
): Promise<Set<string>> => {
  const found = await describeTopicConfigs(cluster, topics, { signal, refused: () => {} })
  const is = (topic: string) =>
    found
      .get(topic)
      ?.find(({ name }) => name === 'cleanup.policy')
      ?.value?.includes('compact') ?? false
  return new Set(topics.filter(is))
}

/** Producers with an id that wrote lately; where nobody tells, one. */
const writersOf = async (cluster: Cluster, where: string, { signal }: During): Promise<number> => {
  try {
    const states = (await describeProducers(cluster, [partitionOf(where)], { signal })).get(where) ?? []
    const since = Date.now() - RECENT_MS
    return states.filter(({ lastMs, lastSequence }) => lastMs >= since && lastSequence >= 0).length
  } catch (e) {
    if (!isKmigError(e, 'UNSUPPORTED', 'AUTHORIZATION')) throw e
    return 1
  }
}
