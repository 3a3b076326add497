import type { KmigError, Offset } from '../kit/index.ts'
import type { OffsetMap, Shift } from '../offsets/index.ts'
import type { EpochStart } from './epochs.ts'
import type { OffsetsPolicy } from './filling.ts'
import type { KeptSent } from './sent.ts'

/**
 * Everything before `offset` on the target, `ordinal` data records, has been checked, header by header, in a leader epoch
 * that is known.
 */
export type Anchor = { offset: Offset; ordinal: bigint; epoch: number }

/**
 * What a lane is doing. `doubt`: what the target holds is not known for sure, nothing is sent until it has been read
 * back, not before `from`. `out-of-range`: the source refused the wanted offset; what it gave before still lands. `moving`: the source's log start has moved, and must be remembered before padding goes on. `shutting`: what was sent before must be shut out before a source that has become another is copied on. `padding`: empty records move the target's end up to the source's log start. `stopped`: for good, with its error.
 */
export type Phase =
  | { at: 'doubt'; from: number; why: string }
  | { at: 'padding' }
  | { at: 'trimming' }
  | { at: 'out-of-range' }
  | { at: 'moving'; to: Offset }
  | { at: 'copying' }
  | { at: 'shutting' }
  | { at: 'stopped'; error: KmigError }

export type LaneCounts = {
  records: bigint
  bytes: bigint
  passed: number
  merged: number
  reencoded: number
  padded: bigint
  /** Holes that were filled with control records. */
  filled: bigint
  doubts: number
}

export const noCounts = (): LaneCounts => {
  return { records: 0n, bytes: 0n, passed: 0, merged: 0, reencoded: 0, padded: 0n, filled: 0n, doubts: 0 }
}

/**
 * Where the target's log begins to be this lane's: what stands before it others wrote, and it is neither read back nor
 * written again. `broken`: why nothing may be written after it either.
 */
export type Ground = { source: Offset; ordinal: bigint; target: Offset; broken?: string | undefined }

export type LaneOptions = {
  topic: string
  partition: number
  /** The source's log start, that the target is padded up to. */
  start: Offset
  anchor: Anchor
  /** The mirror's data producer. */
  producer: { id: bigint; epoch: number }
  /** Where its records stand; default: at their own offsets. */
  map?: OffsetMap | undefined
  /** Why it is translated, if it is. */
  why?: string | undefined
  /** Another process had it and did not give it back: nothing is believed before this time, and then twice. */
  strayUntil?: number | undefined
  /** What was counted before, in this process. */
  counts?: LaneCounts | undefined
  ground?: Ground | undefined
  /** Offsets [from, to) of the target that others wrote, as is known and accepted: records stand around them. */
  strays?: readonly { from: bigint; to: bigint }[] | undefined
  /** What it was sent before, where its source can lose records between two reads. */
  sent?: KeptSent | undefined
  /** In which leader epochs of the source what it was sent was written. */
  epochs?: readonly EpochStart[] | undefined
  /** Whether its source is compacted. */
  compacts?: boolean | undefined
  /** Whether it goes the way back, from the new cluster to the old one. */
  back?: boolean | undefined
  /** Default `auto`. */
  policy?: OffsetsPolicy | undefined
  /** What filling holes may take, in ms, before an `auto` partition is translated. */
  fillingLimitMs?: number | undefined
}

/** What reading back found: where the target ends, the data records before it, and shifts that the map did not know. */
export type Settled = { end: Offset; ordinal: bigint; shifts?: readonly Shift[] | undefined }
