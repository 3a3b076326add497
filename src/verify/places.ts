import { Offset } from '../kit/index.ts'
import type { OffsetMap } from '../offsets/index.ts'

/** Where the records of a partition stand on the other side, by what the mirror knows of it. */
export type Places = {
  /** Every record has its own offset on the target. */
  identical: boolean
  /** The target offset of the first record at or after a source offset; never clamped: it may be beyond what is copied. */
  toTarget(source: bigint): bigint
  /** The source offset of the first record that stands at or after a target offset. */
  toSource(target: bigint): bigint
  /** How many data records stand before a target offset. */
  ordinalAt(target: bigint): bigint
}

const same = (offset: bigint): bigint => offset

export const SAME_PLACES: Places = { identical: true, toTarget: same, toSource: same, ordinalAt: same }

export const placesOf = (map: OffsetMap): Places => {
  const ordinalAt = (target: bigint) => map.ordinalAt(target)
  if (!map.translated) return { identical: true, toTarget: same, toSource: same, ordinalAt }
  return {
    identical: false,
    toTarget(source) {
      const found = map.toTarget(Offset(source), Offset(source))
      return found.kind === 'exact' ? found.at : 0n
    },
    toSource: target => map.runs.sourceOf(map.ordinalAt(target)),
    ordinalAt,
  }
}
