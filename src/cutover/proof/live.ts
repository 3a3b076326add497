import {
  ATTRIBUTE,
  type Cluster,
  describeGroups,
  describeProducers,
  Fetch,
  headers,
  listGroups,
  listOpenTransactions,
  partitionOf,
} from '../../kafka/index.ts'
import { chooser, type During, isKmigError, messageOf } from '../../kit/index.ts'
import { logEnds, type Where } from '../log-ends.ts'
import type { FenceSight, Seen, Written } from './sight.ts'

export type SightOptions = During & {
  cluster: Cluster
  wheres(): readonly Where[]
  /** Consumer groups to tell of; default all. */
  groups?: readonly string[] | undefined
}

const PART_BYTES = 1 << 20
const TIMEOUT_MS = 10_000
const MOST_READS = 8
const NOBODY = -1n

/** A real cluster as a proof sees it. */
export const liveSight = ({ cluster, wheres, groups, signal }: SightOptions): FenceSight => ({
  ends: () => logEnds(cluster, wheres(), { signal }),
  replicated: async asked => {
    const asks = asked.map(where => ({ ...partitionOf(where), timestamp: -1n }))
    const found = await cluster.listOffsets(asks, { signal })
    return new Map([...found].map(([where, { offset }]) => [where, offset]))
  },
  written: range => writtenIn(cluster, range, { signal }),
  producers: () => seen(() => describeProducers(cluster, wheres(), { signal })),
  transactions: () => seen(() => listOpenTransactions(cluster, { signal })),
  groups: () => seen(() => liveGroups(cluster, groups, { signal })),
})

/** What a cluster can't or won't tell is named; what may pass is thrown. */
const seen = async <T>(ask: () => Promise<T>): Promise<Seen<T>> => {
  try {
    return { kind: 'seen', value: await ask() }
  } catch (e) {
    if (!isKmigError(e, 'UNSUPPORTED', 'AUTHORIZATION')) throw e
    return { kind: 'unseen', why: messageOf(e) }
  }
}

const liveGroups = async (
  cluster: Cluster,
  globs: readonly string[] | undefined,
  { signal }: During,
): Promise<{ group: string; members: number }[]> => {
  const chosen = chooser(globs)
  const listed = (await listGroups(cluster, { signal })).filter(
    ({ groupId, state }) => chosen(groupId) && !['Empty', 'Dead'].includes(state),
  )
  const ids = listed.map(({ groupId }) => groupId)
  const described = await describeGroups(cluster, ids, { signal })
  return described
    .filter(({ members }) => members.length > 0)
    .map(({ groupId, members }) => ({ group: groupId, members: members.length }))
}

/** Reads the headers of the batches in a range. */
export const writtenIn = async (
  cluster: Cluster,
  { where, from, to }: { where: string; from: bigint; to: bigint },
  { signal }: During,
): Promise<Written> => {
  const { topic, partition } = partitionOf(where)
  const data = new Map<bigint, { records: bigint; epoch: number }>()
  let [at, markers] = [from, 0n]
  for (let reads = 0; at < to && reads < MOST_READS; reads++) {
    const begin = at
    for (const { header } of await batchesAt(cluster, { topic, partition, at }, { signal })) {
      if (header.magic < 2) {
        // formats 0 and 1 tell no last offset and no producer
        data.set(NOBODY, { records: to - at, epoch: -1 })
        at = to
        break
      }
      if (header.lastOffset < at || header.baseOffset >= to) continue
      const records = header.lastOffset + 1n - (header.baseOffset > at ? header.baseOffset : at)
      at = header.lastOffset + 1n
      if (header.attributes & ATTRIBUTE.control) {
        markers += records
        continue
      }
      const known = data.get(header.producerId)?.records ?? 0n
      data.set(header.producerId, { records: known + records, epoch: header.producerEpoch })
    }
    if (at === begin) break
  }
  return { data, markers, unread: at < to ? to - at : 0n }
}

/** Headers of the batches from an offset on; none where that can't be read. */
export const batchesAt = async (
  cluster: Cluster,
  { topic, partition, at }: Where & { at: bigint },
  { signal }: During,
) => {
  const leader = cluster.leaderOf(topic, partition)
  if (!leader) return []
  try {
    const connection = await cluster.connection(leader.nodeId, 'control', signal)
    const partitions = [{ partition, fetchOffset: at, partitionMaxBytes: PART_BYTES }]
    const request = { maxWaitMs: 100, minBytes: 1, maxBytes: PART_BYTES, isolationLevel: 0 }
    const answer = await connection.send(
      Fetch,
      { ...request, topics: [{ topic, partitions }] },
      { timeoutMs: TIMEOUT_MS, signal },
    )
    const part = answer.topics[0]?.partitions[0]
    return part?.errorCode === 0 ? [...headers(part.records ?? Buffer.alloc(0))] : []
  } catch (e) {
    // a leader that moved, a right that is missing: it stays unread
    if (!isKmigError(e) || signal.aborted) throw e
    return []
  }
}
