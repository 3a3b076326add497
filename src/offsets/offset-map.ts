import { bug, Offset } from '../kit/index.ts'
import { type Gap, RunMap } from './run-map.ts'
import { changedTexts } from './run-text.ts'

/** From the record with this ordinal on (source offset `source` or the first after it), records stand at `target` and on, without holes. */
export type Shift = { source: Offset; ordinal: bigint; target: Offset }

/** Where an offset of one side is on the other. */
export type Translation =
  | { kind: 'exact'; at: Offset }
  /** The mirror is not there yet: never clamped. */
  | { kind: 'wait'; mirroredTo: Offset }
  /** `filler`: a control record stands there, that fills a hole of the source. */
  | { kind: 'none'; why: 'before-first-run' | 'filler' }

/** What must be kept in the state topic before what rests on it is sent; then `kept` is called, or `failed`. */
export type Unkept = {
  texts: { chunk: number; text: string | null }[]
  shifts: readonly Shift[] | undefined
  kept(): void
  failed(): void
}

/**
 * How a map begins: identical, from offset 0 (padding counts), or translated from the source's log start on. `at`: only
 * what stands there on the target and after it is the map's, from the source's offset `start` on; so many ordinals are gone.
 */
export type Beginning = {
  translated: boolean
  start: Offset
  at?: { ordinal: bigint; target: Offset } | undefined
}
const baseOf = ({ translated, start, at }: Beginning) => ({
  source: translated || at ? start : Offset(0n),
  ordinal: at?.ordinal ?? 0n,
})
const firstShift = ({ translated, start, at = { ordinal: 0n, target: Offset(0n) } }: Beginning): Shift[] =>
  translated ? [{ source: start, ...at }] : []

/**
 * Where the records of one partition stand on the target: at their own offsets, up to the first shift if there is one;
 * from there on one after the other. Source: MIRROR.md 6 and 7.
 */
export class OffsetMap {
  readonly runs: RunMap
  readonly beginning: Beginning
  #shifts: Shift[]
  #keptChunks: number
  /** Where what is not kept yet begins, on the source; and where what is being kept does. */
  #unkept: Offset | undefined
  #keeping: Offset | undefined
  #shiftsChanged = false

  constructor(beginning: Beginning, kept?: { runs: RunMap; shifts: readonly Shift[]; chunks: number }) {
    this.beginning = beginning
    this.runs = kept?.runs ?? new RunMap(baseOf(beginning))
    this.#shifts = kept?.shifts.length ? [...kept.shifts] : firstShift(beginning)
    this.#keptChunks = kept?.chunks ?? 0
  }
  static baseOf = baseOf

  get shifts(): readonly Shift[] {
    return this.#shifts
  }
  /** Whether what is written now is not at its own offset. */
  get translated(): boolean {
    return this.#shifts.length > 0
  }
  /** Nothing from this source offset on may be sent before what is known of it is kept. */
  get bar(): Offset | undefined {
    if (this.#keeping === undefined || this.#unkept === undefined) return this.#keeping ?? this.#unkept
    return this.#keeping < this.#unkept ? this.#keeping : this.#unkept
  }

  /** What is sent from this source offset on must wait until it is kept. */
  hold(source: Offset): void {
    if (this.#unkept === undefined || source < this.#unkept) this.#unkept = source
  }
  gap(gap: Gap): void {
    this.runs.gap(gap)
    this.#unkept ??= gap.from
  }
  /** Records stand elsewhere from here on. */
  shift(shift: Shift): void {
    const last = this.#shifts.at(-1)
    if (last && shift.ordinal < last.ordinal) throw bug(`a shift at ${shift.ordinal} after ${last.ordinal}`)
    if (last?.ordinal === shift.ordinal)
      this.#shifts = this.#shifts.with(-1, { ...last, target: shift.target })
    else this.#shifts.push(shift)
    this.#shiftsChanged = true
    if (this.#unkept === undefined || shift.source < this.#unkept) this.#unkept = shift.source
  }
  /**
   * What a read of source offsets [from, to) showed. What is known already stays: batches that were sent by it may still
   * land. Unless the source is another now, as compaction takes records out of what was read before.
   */
  learn(from: Offset, to: Offset, gaps: readonly Gap[]): void {
    const known = this.#known < to ? this.#known : to
    if (from < known && !this.#agrees(from, known, gaps)) this.cut(from)
    const after = this.#known
    for (const gap of gaps)
      if (gap.to > after) this.gap(gap.from < after ? { from: Offset(after), to: gap.to } : gap)
  }
  /** Whether a read of source offsets [from, to) shows another source than was read before, up to `sent`. */
  differs(from: Offset, to: Offset, gaps: readonly Gap[], sent: Offset): boolean {
    const read = this.#known > sent ? this.#known : sent
    const known = read < to ? read : to
    return from < known && !this.#agrees(from, known, gaps)
  }
  /** Where the last gap ends. */
  get #known(): bigint {
    return this.runs.startOf(this.runs.runs - 1)
  }
  #agrees(from: bigint, to: bigint, gaps: readonly Gap[]): boolean {
    let left = to - from - (this.runs.ordinalAt(to) - this.runs.ordinalAt(from))
    for (const gap of gaps) {
      if (gap.from >= to) break
      const end = gap.to < to ? gap.to : to
      const known = this.runs.gapAt(gap.from)
      if (!known || known.to < end) return false
      left -= end - gap.from
    }
    return left === 0n
  }
  /** Forgets the gaps from a source offset on. */
  cut(source: Offset): void {
    this.runs.cut(source)
    if (this.#unkept !== undefined && this.#unkept >= source) this.#unkept = undefined
  }
  /** Forgets shifts whose place is not on a target that ends here; gives whether there were any. */
  forgetShifts(target: Offset): boolean {
    const left = this.#shifts.filter(shift => shift.target <= target)
    if (left.length === this.#shifts.length) return false
    const [gone] = this.#shifts.slice(left.length)
    this.#shifts = left.length > 0 ? left : firstShift(this.beginning)
    this.#shiftsChanged = true
    if (gone && (this.#unkept === undefined || gone.source < this.#unkept)) this.#unkept = gone.source
    return true
  }

  /** What is to be kept, as of now; undefined if all is. */
  unkept(): Unkept | undefined {
    if (this.bar === undefined) return undefined
    const texts = changedTexts(this.runs, this.#keptChunks)
    const shifts = this.#shiftsChanged ? this.#shifts.slice() : undefined
    const { changedFrom } = this.runs
    this.#keeping = this.bar
    this.#unkept = undefined
    this.#shiftsChanged = false
    this.runs.changedFrom = undefined
    return {
      texts,
      shifts,
      kept: () => {
        this.#keeping = undefined
        const last = texts.findLast(({ text }) => text !== null)
        if (last) this.#keptChunks = last.chunk + 1
      },
      failed: () => {
        this.#shiftsChanged ||= shifts !== undefined
        if (changedFrom !== undefined) this.runs.changed(changedFrom)
      },
    }
  }

  /** Where the record with this ordinal stands on the target, or will. */
  targetOf(ordinal: bigint): Offset {
    const shift = this.#shifts.findLast(each => each.ordinal <= ordinal)
    return shift ? Offset(shift.target + ordinal - shift.ordinal) : this.runs.sourceOf(ordinal)
  }
  /** How many data records stand before a target offset. */
  ordinalAt(target: bigint): bigint {
    const at = this.#shifts.findLastIndex(each => each.target <= target)
    const shift = this.#shifts[at]
    const next = this.#shifts[at + 1]?.ordinal
    const ordinal = shift ? shift.ordinal + target - shift.target : this.runs.ordinalAt(target)
    return next !== undefined && next < ordinal ? next : ordinal
  }

  /** The target offset of the first record at or after a source offset. `copied`: source offsets before it are across. */
  toTarget(source: Offset, copied: Offset): Translation {
    if (source > copied) return { kind: 'wait', mirroredTo: copied }
    const shift = this.#shifts.findLast(each => each.source <= source)
    if (!shift && this.beginning.translated) return { kind: 'none', why: 'before-first-run' }
    if (!shift) return { kind: 'exact', at: source }
    return { kind: 'exact', at: Offset(shift.target + this.runs.ordinalAt(source) - shift.ordinal) }
  }
  /** The source offset of the record at a target offset. `end`: the copy's. */
  toSource(target: Offset, { start, end }: { start: Offset; end: Offset }): Translation {
    if (target >= end) return { kind: 'wait', mirroredTo: end }
    if (target < start) return { kind: 'none', why: 'before-first-run' }
    const ordinal = this.ordinalAt(target)
    if (this.targetOf(ordinal) !== target) return { kind: 'none', why: 'filler' }
    return { kind: 'exact', at: this.runs.sourceOf(ordinal) }
  }
}
