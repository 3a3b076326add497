import { type Cluster, EARLIEST, partitionOf } from '../kafka/index.ts'
import { type During, Offset } from '../kit/index.ts'
import { StateTopic } from '../offsets/index.ts'
import { logEndsOf } from './log-ends.ts'
import { placeOf } from './place.ts'
import { headersIn } from './read-back.ts'
import { backOf, ReverseState } from './reverse-state.ts'
import { Sent } from './sent.ts'
import { Trail } from './trail.ts'

export type TakenBackOptions = During & {
  /** The old cluster. */
  target: Cluster
  /** Of the mirror that was cut over. */
  name: string
  run: string
}

/**
 * Up to which offset of the new cluster the old one has everything, by what the old one holds itself: for when the new one
 * is gone. By `topic-partition`; empty where nothing was armed for this run.
 */
export const takenBack = async (o: TakenBackOptions): Promise<Map<string, Offset>> => {
  const { target, name, run, signal } = o
  const topic = await StateTopic.read(target, backOf(name), { signal })
  const state = topic && new ReverseState(topic)
  if (state?.armed?.run !== run) return new Map()
  const wheres = [...state.cut.keys()]
  const ends = await logEndsOf(target, wheres, { signal })
  const asks = wheres.map(where => ({ ...partitionOf(where), timestamp: EARLIEST }))
  const starts = await target.listOffsets(asks, { signal })
  const found = new Map<string, Offset>()
  for (const where of wheres) {
    const to = ends.get(where)?.leo
    const start = starts.get(where)?.offset
    if (to === undefined || start === undefined) continue
    found.set(where, await reached(state, where, { start, to }, o))
  }
  return found
}

const reached = async (
  state: ReverseState,
  where: string,
  { start, to }: { start: bigint; to: Offset },
  { target, signal }: TakenBackOptions,
): Promise<Offset> => {
  const { topic, partition } = partitionOf(where)
  const { mirror, stranded } = state
  const { identity, producerIds: ids = { data: new Set<bigint>(), control: new Set<bigint>() } } = mirror
  const { map } = mirror.map(topic, partition)
  const { target: offset, ordinal } = mirror.ground(where) ?? { target: Offset(0n), ordinal: 0n }
  const anchor = mirror.anchor(where) ?? { offset, ordinal }
  const from = start > anchor.offset ? Offset(start) : anchor.offset
  const sent =
    identity && new Sent({ id: identity.producerId, epoch: identity.producerEpoch }, mirror.sent(where))
  const strays = stranded.filter(each => each.where === where && each.carried)
  const ours = { map, strays, ...(sent && { sent }) }
  const begin = from === anchor.offset ? anchor.ordinal : map.ordinalAt(from)
  const trail = new Trail(ours, ids, { end: from, ordinal: begin })
  for await (const header of headersIn({ target, topic, partition, from, to, signal }))
    if (trail.follow(header) !== undefined) break // somebody else's: nothing of ours follows
  const { end, ordinal: there, shifts = [] } = trail.found
  for (const shift of shifts) map.shift(shift)
  return placeOf(map, { ordinal: there, target: end }).source
}
