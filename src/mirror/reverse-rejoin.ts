import { type Cluster, partitionOf } from '../kafka/index.ts'
import { type During, KmigError, Offset } from '../kit/index.ts'
import type { OffsetMap } from '../offsets/index.ts'
import { newProducerId } from './prepare.ts'
import type { CutPoint, Drained, DrainPoint } from './reverse-shape.ts'
import type { ReverseState } from './reverse-state.ts'
import { strayText } from './reverse-strays.ts'
import type { GroundState, MirrorState } from './state.ts'

export type RejoinOptions = During & {
  /** The new cluster. */
  source: Cluster
  /** The run that was rolled back. */
  run: string
  state: ReverseState
  forward: MirrorState
  drained: Drained
}

/**
 * Lets the mirror that was cut over go on where the way back ended. What clients wrote to the new cluster between the cut
 * and R is on the old one now, at the offsets that the map gets to know; the mirror's own records follow it from R on,
 * with a producer id of their own, as the one before would have to go on at the cut. Its read-back never goes below R:
 * there stands what it did not write. Doing it again changes nothing. A partition with records that only one cluster has
 * is marked as broken: it must be copied anew.
 */
export const rejoinForward = async (o: RejoinOptions): Promise<void> => {
  const { source, run, state, forward, drained, signal } = o
  const { identity } = forward
  if (!identity) throw new KmigError('PREFLIGHT', 'the mirror that was cut over has left no state')
  if (identity.rejoined === run) return
  const strays = Map.groupBy(
    state.stranded.filter(({ carried }) => !carried),
    ({ where }) => where,
  )
  const missing = new Map(drained.missing.map(each => [each.where, each]))
  const parts: Parameters<MirrorState['regrounds']>[0][number][] = []
  for (const [where, at] of drained.points) {
    const cut = state.cut.get(where)
    if (!cut) continue
    const { topic, partition } = partitionOf(where)
    const known = forward.ground(where)
    if (known?.source === at.old && known.target === at.next && known.theirs.at(-1)?.from === cut.next)
      continue // by a try before this one
    const lost = missing.get(where)
    const stray = strays.get(where)
    const broken = lost
      ? `what clients wrote there from offset ${lost.from} on is not on the source`
      : stray && `${strayText(stray)} of the source were written after the cut, and are not there`
    const { map, why = 'the way back translated it' } = forward.map(topic, partition)
    if (broken === undefined) compose(map, state.mirror.map(topic, partition).map, cut, at)
    const ground: GroundState = {
      source: at.old,
      ordinal: map.runs.ordinalAt(at.old),
      target: at.next,
      begins: false,
      theirs: [...(known?.theirs ?? []), { from: cut.next, to: at.next }],
      broken,
    }
    parts.push({ where, map, why, ground })
  }
  await forward.regrounds(parts, { signal })
  const { producerId, producerEpoch } = await newProducerId(source, { signal })
  const formerDataIds = [...identity.formerDataIds, identity.producerId]
  await forward.setIdentity(
    { ...identity, producerId, producerEpoch, formerDataIds, rejoined: run },
    { signal },
  )
}

/** A stretch of records: offsets of the old cluster from `old` on stand at `next` and on on the new one. */
type Stretch = { old: bigint; next: bigint; count: bigint }

/**
 * Adds to a mirror's map (old -> new) what the map of its way back (new -> old) knows from the cut up to R. Where both are
 * identical nothing is to be added: offsets are equal, whether they hold a record or what filled a hole.
 */
export const compose = (map: OffsetMap, back: OffsetMap, cut: CutPoint, at: DrainPoint): void => {
  if (!map.translated && !back.translated) return
  let reached: bigint = cut.old
  const put = ({ old, next, count }: Stretch) => {
    if (old > reached) map.gap({ from: Offset(reached), to: Offset(old) })
    if (map.translated || old !== next)
      map.shift({ source: Offset(old), ordinal: map.runs.ordinalAt(old), target: Offset(next) })
    reached = old + count
  }
  for (const stretch of stretches(back, at)) put(stretch)
  put({ old: at.old, next: at.next, count: 0n })
}

/** The records of the way back, in order, by where they stand on both sides. */
function* stretches(back: OffsetMap, at: DrainPoint): Generator<Stretch, void> {
  const { runs } = back
  for (let run = 0; run < runs.runs; run++) {
    let next = runs.startOf(run)
    let ordinal = runs.ordinalOfRun(run)
    const last = run + 1 < runs.runs ? runs.ordinalOfRun(run + 1) : ordinal + (at.next - next)
    while (ordinal < last && next < at.next) {
      const shift = back.shifts.find(each => each.ordinal > ordinal)
      const end = shift && shift.ordinal < last ? shift.ordinal : last
      const count = end - ordinal
      yield { old: back.targetOf(ordinal), next, count }
      next += count
      ordinal = end
    }
  }
}
