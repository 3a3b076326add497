import { type Cluster, type ClusterAddress, partitionOf } from '../../kafka/index.ts'
import { chooser, type During, KmigError, sleep } from '../../kit/index.ts'
import { Copies, type Copy } from '../../mirror/index.ts'
import { logEnds } from '../log-ends.ts'
import { batchesAt, writtenIn } from '../proof/index.ts'
import { leosOf } from '../still.ts'
import { type Ended, refuseRolling } from './refusals.ts'

export type BarrierOptions = During<BarrierEvent> & {
  from: ClusterAddress
  to: ClusterAddress
  /** Name of the mirror; default the source's cluster id. */
  name?: string | undefined
  /** Globs of the topics that the writer writes to. */
  topics: readonly string[]
  timeoutMs: number
}
/** How much is left, each time that is looked. */
export type BarrierEvent = { kind: 'waiting'; left: bigint; partitions: number }

export type BarrierPartition = {
  topic: string
  partition: number
  /** Log end of the old cluster when the barrier began. */
  end: bigint
  /** Source offsets before it are on the new cluster. */
  copied: bigint
}
export type BarrierReport = {
  from: { name: string; clusterId: string }
  to: { name: string; clusterId: string }
  mirror: string
  /** Everything that the old cluster held when the barrier began is on the new one. */
  reached: boolean
  ms: number
  partitions: BarrierPartition[]
}

const LOOK_MS = 200

/**
 * Holds the new instance of a writer until what its old one has written is across: takes the old cluster's log ends, and
 * waits until the copy has reached each. Run it after the old instance is dead. Reads only, beside the mirror that runs.
 * Throws PREFLIGHT for writers that can't move one by one and topics that are not mirrored, FOREIGN_WRITE where somebody
 * else's records stand in the place of those that are waited for. Source: CUTOVER.md 6.
 */
export const barrier = async (options: BarrierOptions): Promise<BarrierReport> => {
  const { topics, timeoutMs, signal, on } = options
  const start = performance.now()
  await using copies = await Copies.open(options)
  const ends = await endsOf(copies, topics, { signal })
  await refuseRolling(copies.source, ends, { signal })
  const named = [...new Set(ends.map(({ where }) => partitionOf(where).topic))]
  const place = new Map<string, bigint>()
  let left = ends
  for (;;) {
    const now = await copies.again(named, { signal })
    const open: Ended[] = []
    for (const each of left) {
      const copy = now.get(each.where)
      place.set(each.where, copy?.place.source ?? 0n)
      if (!copy || !(await isAcross(copies, copy, each, { signal }))) open.push(each)
    }
    left = open
    if (left.length === 0 || performance.now() - start >= timeoutMs) break
    const missing = left.reduce((sum, { where, end }) => sum + end - (place.get(where) ?? 0n), 0n)
    on?.({ kind: 'waiting', left: missing, partitions: left.length })
    await sleep(LOOK_MS, signal)
  }
  const side = ({ name }: ClusterAddress, { clusterId }: Cluster) => ({ name, clusterId })
  return {
    from: side(options.from, copies.source),
    to: side(options.to, copies.target),
    mirror: copies.name,
    reached: left.length === 0,
    ms: Math.round(performance.now() - start),
    partitions: ends.map(({ where, end }) => {
      const across = !left.some(each => each.where === where)
      return { ...partitionOf(where), end, copied: across ? end : (place.get(where) ?? 0n) }
    }),
  }
}

/** The old cluster's log ends of the topics, all of which must be mirrored. */
const endsOf = async (copies: Copies, globs: readonly string[], { signal }: During): Promise<Ended[]> => {
  const chosen = chooser(globs)
  const found = (await copies.source.metadata('all', { signal })).filter(({ name }) => chosen(name))
  const mirrored = new Set(copies.state.topicNames)
  const strange = found.filter(({ name }) => !mirrored.has(name)).map(({ name }) => name)
  if (found.length === 0 || strange.length > 0) {
    const what =
      found.length === 0
        ? `the old cluster has no topic ${globs.join(', ')}`
        : `mirror ${copies.name} does not copy ${strange.join(', ')}`
    throw new KmigError(found.length === 0 ? 'TOPIC_MISSING' : 'PREFLIGHT', what, {
      try: ['see --topics and --name, and which topics kmig mirror --plan lists'],
    })
  }
  const wheres = found.flatMap(({ name, partitions }) =>
    partitions.map(({ partition }) => ({ topic: name, partition })),
  )
  const leos = leosOf(await logEnds(copies.source, wheres, { signal }))
  return [...leos].map(([where, end]) => ({ where, end }))
}

/** Whether the copy has reached an end: by its place, and by who wrote the record that stands before it there. */
const isAcross = async (
  { source, target, state }: Copies,
  copy: Copy,
  { where, end }: Ended,
  during: During,
): Promise<boolean> => {
  const { place, map, targetStart, topic, partition } = copy
  if (place.source < end) {
    // ends of transactions leave no trace in a translated copy
    if (copy.why === undefined) return false
    const rest = await writtenIn(source, { where, from: place.source, to: end }, during)
    if (rest.data.size > 0 || rest.unread > 0n) return false
  }
  const image = map.toTarget(end < place.source ? (end as typeof place.source) : place.source, place.source)
  if (image.kind !== 'exact' || image.at <= targetStart) return true // nothing but padding stands before it
  const at = image.at - 1n
  const [last] = await batchesAt(target, { topic, partition, at }, during)
  const ids = state.producerIds
  if (!last || !ids) return false
  const { producerId, baseOffset } = last.header
  if (ids.data.has(producerId) || ids.control.has(producerId)) return true
  const what = `${where}: producer ${producerId} wrote to offset ${baseOffset} of the new cluster, where the copy of offset ${end - 1n} should stand`
  throw new KmigError('FOREIGN_WRITE', what, {
    try: ['a writer was let go before its old records were across: see kmig verify', 'do not start others'],
  })
}
