import { formatDuration } from '../kit/index.ts'
import type { Gap } from '../offsets/index.ts'

/** How a partition's offsets are to be kept. `auto`: identical while that does not take too long. */
export const OFFSETS = ['auto', 'identical', 'translated'] as const
export type OffsetsPolicy = (typeof OFFSETS)[number]

/** What filling takes: for each hole the way there and back, and for each offset of it. */
const HOLE_MS = 4
const OFFSET_MS = 1 / 20
/** What filling may take on one partition without consent. */
export const FILLING_LIMIT_MS = 600_000
/** A guess from a few holes is none: so much of the limit is filled before the rest is reckoned up. */
const SAMPLE = 1 / 20

export const fillingMs = ({ holes, offsets }: { holes: number; offsets: bigint }): number =>
  holes * HOLE_MS + Number(offsets) * OFFSET_MS

/** What a plan says of holes: how many there are is known only once they are read. */
export type HolesPlan = { policy: OffsetsPolicy; limitMs: number; msPerHole: number; msPerOffset: number }
export const holesPlan = (policy: OffsetsPolicy = 'auto', limitMs = FILLING_LIMIT_MS): HolesPlan => ({
  policy,
  limitMs,
  msPerHole: HOLE_MS,
  msPerOffset: OFFSET_MS,
})
export const holesText = ({ policy, limitMs, msPerHole, msPerOffset }: HolesPlan): string => {
  if (policy === 'translated')
    return 'holes (of transactions, compaction) are passed: records after them have other offsets, by an exact map'
  const cost = `holes (of transactions, compaction) are filled, about ${msPerHole} ms each and ${msPerOffset * 1000} ms for 1,000 offsets of one`
  return policy === 'identical'
    ? `${cost}, however long that takes`
    : `${cost}; a partition that would take more than ${formatDuration(limitMs)} is translated from there on`
}

/** Holes that were met since the partition was last caught up, over how many source offsets. */
export class FillingCost {
  #holes = 0
  #offsets = 0n
  #span = 0n

  met(gaps: readonly Gap[], span: bigint): void {
    if (gaps.length === 0 && this.#holes === 0) return
    this.#holes += gaps.length
    for (const { from, to } of gaps) this.#offsets += to - from
    this.#span += span
  }
  caughtUp(): void {
    this.#holes = 0
    this.#offsets = 0n
    this.#span = 0n
  }

  /** Why filling on would take too long, `ahead` source offsets being still to come; undefined if it would not. */
  tooLong(ahead: bigint, limitMs: number): string | undefined {
    const seen = fillingMs({ holes: this.#holes, offsets: this.#offsets })
    if (seen <= limitMs * SAMPLE) return undefined
    const all = seen * (1 + Number(ahead > 0n ? ahead : 0n) / Math.max(1, Number(this.#span)))
    if (all <= limitMs) return undefined
    return `filling its holes would take about ${formatDuration(all)}, the limit is ${formatDuration(limitMs)}`
  }
}
