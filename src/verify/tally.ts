import type { Difference, DifferenceKind } from './difference.ts'
import type { Side } from './feed.ts'

/** Differing windows are counted: so many offsets of the source each. */
export const WINDOW = 65_536

export const KINDS = [
  'changed',
  'missing',
  'extra',
  'swapped',
  'moved',
  'corrupt',
] as const satisfies readonly DifferenceKind[]

/** Offsets of one side that could not be compared. */
export type NotCompared = { side: Side; from: bigint; to: bigint; why: string }

export type TallyState = {
  records: number
  /** Batches whose compressed records were equal as they are. */
  untouched: number
  /** Batches that were unpacked. */
  unpacked: number
  differingWindows: number
  lastWindow: number
  counts: Record<DifferenceKind, bigint>
  first: Difference[]
  notCompared: NotCompared[]
}

const fresh = (): TallyState => ({
  records: 0,
  untouched: 0,
  unpacked: 0,
  differingWindows: 0,
  lastWindow: -1,
  counts: { changed: 0n, missing: 0n, extra: 0n, swapped: 0n, moved: 0n, corrupt: 0n },
  first: [],
  notCompared: [],
})

/** What was found in one partition so far. Everything is counted, the first differences are kept. */
export class Tally {
  readonly state: TallyState
  readonly #keep: number
  readonly #on: ((difference: Difference) => void) | undefined
  constructor(keep: number, on?: (difference: Difference) => void, state: TallyState = fresh()) {
    this.#keep = keep
    this.#on = on
    this.state = state
  }

  get differences(): bigint {
    return KINDS.reduce((sum, kind) => sum + this.state.counts[kind], 0n)
  }

  /** One that is not kept. */
  count(kind: DifferenceKind, near: number): void {
    this.state.counts[kind]++
    this.mark(near, near)
  }

  /** `near`: the source offset that it is found at. */
  add(difference: Difference, near: number): void {
    const { counts, first } = this.state
    counts[difference.kind] += difference.length
    const at = Number(difference.source ?? near)
    this.mark(at, difference.source === undefined ? at : at + Number(difference.length) - 1)
    if (first.length >= this.#keep) return
    first.push(difference)
    this.#on?.(difference)
  }

  /** Offsets of the source from `from` to `to`, both inside, are not what they must be. */
  mark(from: number, to: number): void {
    const { state } = this
    const low = Math.max(Math.floor(from / WINDOW), state.lastWindow + 1)
    const high = Math.floor(to / WINDOW)
    if (high < low) return
    state.differingWindows += high - low + 1
    state.lastWindow = high
  }

  skip(side: Side, from: bigint, to: bigint, why: string): void {
    if (to > from) this.state.notCompared.push({ side, from, to, why })
  }
}
