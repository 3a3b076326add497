import { type Cluster, type ClusterAddress, partitionOf } from '../../kafka/index.ts'
import { chooser, type During, KmigError, sleep } from '../../kit/index.ts'
import { Copies } from '../../mirror/index.ts'
import { logEnds } from '../log-ends.ts'
import { leosOf } from '../still.ts'
import { isAcross, shiftedBy } from './across.ts'
import { type Ended, refuseRolling, refuseShared } from './refusals.ts'

export type BarrierOptions = During<BarrierEvent> & {
  from: ClusterAddress
  to: ClusterAddress
  /** Name of the mirror; default the source's cluster id. */
  name?: string | undefined
  /** Globs of the topics that the writer writes to. */
  topics: readonly string[]
  /** The partitions of them that it alone writes to: nobody else may. Default all, whoever else writes there. */
  partitions?: readonly number[] | undefined
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
/** So long what one writer alone writes to stands still once that is dead. */
const ALONE_MS = 1_000

/**
 * Holds the new instance of a writer until what its old one has written is across: takes the old cluster's log ends, and
 * waits until the copy has reached each. Run it after the old instance is dead. Reads only, beside the mirror that runs.
 * Throws PREFLIGHT for writers that can't move one by one, topics that are not mirrored and partitions that others write
 * to as well, FOREIGN_WRITE where somebody else's records stand in the place of those that are waited for. Source:
 * CUTOVER.md 6.
 */
export const barrier = async (options: BarrierOptions): Promise<BarrierReport> => {
  const { topics, partitions, timeoutMs, signal, on } = options
  const start = performance.now()
  await using copies = await Copies.open(options)
  const ends = await endsOf(copies, { topics, partitions }, { signal })
  await refuseRolling(copies.source, ends, { signal })
  const named = [...new Set(ends.map(({ where }) => partitionOf(where).topic))]
  const place = new Map<string, bigint>()
  let left = ends
  let shifted: Ended | undefined
  for (;;) {
    const now = await copies.again(named, { signal })
    const open: Ended[] = []
    shifted = undefined
    for (const each of left) {
      const copy = now.get(each.where)
      place.set(each.where, copy?.place.source ?? 0n)
      const how = copy ? await isAcross(copies, copy, each, { signal }) : 'waiting'
      if (how !== 'across') open.push(each)
      if (how === 'shifted') shifted ??= each
    }
    left = open
    if (left.length === 0 || performance.now() - start >= timeoutMs) break
    const missing = left.reduce((sum, { where, end }) => sum + end - (place.get(where) ?? 0n), 0n)
    on?.({ kind: 'waiting', left: missing, partitions: left.length })
    await sleep(LOOK_MS, signal)
  }
  if (shifted) throw shiftedBy(shifted)
  if (partitions && left.length === 0) {
    await sleep(Math.max(0, ALONE_MS - (performance.now() - start)), signal)
    await refuseShared(copies.source, ends, { signal })
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
const endsOf = async (
  copies: Copies,
  { topics: globs, partitions: own }: Pick<BarrierOptions, 'topics' | 'partitions'>,
  { signal }: During,
): Promise<Ended[]> => {
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
    (own ?? partitions.map(({ partition }) => partition)).map(partition => ({ topic: name, partition })),
  )
  const none = wheres.find(({ topic, partition }) =>
    found.every(({ name, partitions }) => name !== topic || partition >= partitions.length),
  )
  if (none)
    throw new KmigError('USAGE', `topic ${none.topic} has no partition ${none.partition}: see --partitions`)
  const leos = leosOf(await logEnds(copies.source, wheres, { signal }))
  return [...leos].map(([where, end]) => ({ where, end }))
}
