import type { Offset } from '../kit/index.ts'
import type { Translation } from './offset-map.ts'

/** What the copy of a partition holds: records from `start`, up to `end`, both offsets of the target. */
export type Bounds = {
  start: Offset
  end: Offset
  /** Where an offset of the source is on the target; without it at the same one. */
  image?: ((offset: Offset) => Translation) | undefined
}

/** What became of a group's offset on one partition. */
export type OffsetOutcome =
  | { kind: 'committed'; at: Offset }
  | { kind: 'unchanged'; at: Offset }
  /** It would be, if offsets were not only looked at. */
  | { kind: 'movable'; at: Offset }
  /** It was there already, and was written again so that it does not expire. */
  | { kind: 'renewed'; at: Offset }
  /** The copy does not reach the offset yet: never clamped, as the reader would read records again. */
  | { kind: 'waiting'; at: Offset; copied: Offset }
  | { kind: 'kept'; at: Offset; why: string }
  | { kind: 'refused'; why: string }

/**
 * What to do about one offset: the same on both sides, or its image where the copy's offsets are others; only what the
 * source has deleted moves up. Source: MIRROR.md 8.
 */
export const judgeOffset = (
  source: Offset,
  there: Offset | undefined,
  { start, end, image }: Bounds,
  { goesBack = false }: { goesBack?: boolean } = {},
): OffsetOutcome | { kind: 'commit'; at: Offset } => {
  const found = image?.(source) ?? { kind: 'exact', at: source }
  if (found.kind === 'wait') return { kind: 'waiting', at: source, copied: found.mirroredTo }
  if (found.kind === 'none' && found.why !== 'before-first-run')
    return { kind: 'refused', why: `offset ${source} has no place on the target (${found.why})` }
  const at = found.kind === 'none' || found.at < start ? start : found.at
  if (at > end) return { kind: 'waiting', at, copied: end }
  if (there === at) return { kind: 'unchanged', at }
  if (there !== undefined && there > at && !goesBack)
    return {
      kind: 'kept',
      at: there,
      why: `the target's offset is ahead of the source's ${at}: never moved backwards`,
    }
  return { kind: 'commit', at }
}

const DAY_MS = 86_400_000

/**
 * Whether an offset that stands unchanged is to be written again: brokers forget it a week after its commit (Kafka:
 * offsets.retention.minutes). What this run has not written itself may be of any age. Times in ms since 1970; a clock
 * that was put back by a day counts too.
 */
export const expires = (writtenAt: number | undefined, now: number): boolean =>
  writtenAt === undefined || Math.abs(now - writtenAt) >= DAY_MS
