import type { Offset } from '../kit/index.ts'
import type { OffsetMap } from '../offsets/index.ts'

/** A place in a partition: source offsets before it are across, so many data records were written, the target ends there. */
export type Place = { source: Offset; ordinal: bigint; target: Offset }

/** The place that the target's end is, after so many data records. Where records are translated, holes that follow are passed. */
export const placeOf = (map: OffsetMap, { ordinal, target }: Omit<Place, 'source'>): Place => {
  const [first] = map.shifts
  const translated = first !== undefined && ordinal >= first.ordinal && target >= first.target
  return { source: translated ? map.runs.sourceOf(ordinal) : target, ordinal, target }
}
