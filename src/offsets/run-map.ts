import { bug, Offset } from '../kit/index.ts'

/** Where counting begins: the record at or after `source` that comes first has this ordinal. */
export type Base = { source: Offset; ordinal: bigint }
/** Source offsets [from, to) that hold nothing to mirror. */
export type Gap = { from: Offset; to: Offset }

/** Runs in one piece of memory: 16 KB. The last piece grows up to it, as most partitions have no hole at all. */
const PIECE = 1024
const FIRST = 4

/**
 * Which source offsets hold records, as runs without holes: where each starts, and how many records stand before it (the
 * ordinal of its first). The last run is open: offsets past the last gap count as records. 16 bytes a run; lookups both
 * ways in O(log n). Grows at its end, and is cut there when the source is read again. Source: MIRROR.md 7.
 */
export class RunMap {
  readonly base: Base
  /** Pairs of start and ordinal. */
  readonly #pieces: BigInt64Array[] = [new BigInt64Array(2 * FIRST)]
  #count = 0
  /** The lowest run that was changed since `changedFrom` was reset. */
  changedFrom: number | undefined

  constructor(base: Base) {
    this.base = base
    this.push(base.source, base.ordinal)
    this.changedFrom = undefined
  }

  get runs(): number {
    return this.#count
  }
  /** Offsets that hold nothing to mirror. */
  get holes(): bigint {
    const last = this.#count - 1
    return this.startOf(last) - this.base.source - (this.ordinalOfRun(last) - this.base.ordinal)
  }
  /** Bytes of memory that the runs take. */
  get bytes(): number {
    return this.#pieces.reduce((sum, piece) => sum + piece.byteLength, 0)
  }
  /** Where a run starts. */
  startOf(run: number): bigint {
    return this.#pieces[Math.floor(run / PIECE)]?.[2 * (run % PIECE)] ?? this.#beyond(run)
  }
  ordinalOfRun(run: number): bigint {
    return this.#pieces[Math.floor(run / PIECE)]?.[2 * (run % PIECE) + 1] ?? this.#beyond(run)
  }

  /** Adds a gap after all others. Offsets between the last gap and this one hold records. */
  gap({ from, to }: Gap): void {
    const last = this.#count - 1
    const start = this.startOf(last)
    if (from < start || to <= from) throw bug(`a gap of ${from} to ${to} in a run map that ends at ${start}`)
    if (from === start) this.#set(last, to, this.ordinalOfRun(last))
    else this.push(to, this.ordinalOfRun(last) + from - start)
  }

  /** A run as it was kept; `gap` is how maps grow otherwise. */
  push(start: bigint, ordinal: bigint): void {
    const run = this.#count++
    if (run === PIECE * this.#pieces.length) this.#pieces.push(new BigInt64Array(2 * FIRST))
    const last = this.#pieces.length - 1
    const piece = this.#pieces[last]
    if (piece && 2 * (run % PIECE) === piece.length) {
      const larger = new BigInt64Array(2 * piece.length)
      larger.set(piece)
      this.#pieces[last] = larger
    }
    this.#set(run, start, ordinal)
  }

  /** Forgets what is known of offsets from `source` on: they will be read again. */
  cut(source: bigint): void {
    for (let last = this.#count - 1; last >= 0 && this.startOf(last) > source; last--) {
      const gapFrom = last === 0 ? this.base.source : this.#endOf(last - 1)
      if (last === 0 || gapFrom < source) {
        this.#set(last, source > gapFrom ? source : gapFrom, this.ordinalOfRun(last))
        return
      }
      this.changed(last)
      this.#count--
      if (this.#count % PIECE === 0) this.#pieces.pop()
    }
  }

  /** How many data records stand before a source offset. */
  ordinalAt(source: bigint): bigint {
    const run = this.#find(source, i => this.startOf(i))
    if (run < 0) return this.base.ordinal
    const inRun = this.ordinalOfRun(run) + source - this.startOf(run)
    const next = run + 1 < this.#count ? this.ordinalOfRun(run + 1) : inRun
    return inRun < next ? inRun : next
  }
  /** The source offset of the record with this ordinal. Throws BUG on one before the base. */
  sourceOf(ordinal: bigint): Offset {
    const run = this.#find(ordinal, i => this.ordinalOfRun(i))
    if (run < 0) throw bug(`ordinal ${ordinal} is before the first, ${this.base.ordinal}`)
    return Offset(this.startOf(run) + ordinal - this.ordinalOfRun(run))
  }
  /** The gap that an offset lies in; undefined if it holds a record. */
  gapAt(source: bigint): Gap | undefined {
    if (source < this.base.source) return undefined
    const run = this.#find(source, i => this.startOf(i))
    if (run < 0) return { from: this.base.source, to: Offset(this.startOf(0)) }
    if (run + 1 === this.#count || source < this.#endOf(run)) return undefined
    return { from: Offset(this.#endOf(run)), to: Offset(this.startOf(run + 1)) }
  }

  /** The last run whose key is at most `wanted`, -1 if there is none. */
  #find(wanted: bigint, key: (run: number) => bigint): number {
    let low = 0
    let high = this.#count
    while (low < high) {
      const middle = (low + high) >>> 1
      if (key(middle) <= wanted) low = middle + 1
      else high = middle
    }
    return low - 1
  }
  #endOf(run: number): bigint {
    return this.startOf(run) + this.ordinalOfRun(run + 1) - this.ordinalOfRun(run)
  }
  #set(run: number, start: bigint, ordinal: bigint): void {
    const piece = this.#pieces[Math.floor(run / PIECE)] ?? this.#beyond(run)
    piece[2 * (run % PIECE)] = start
    piece[2 * (run % PIECE) + 1] = ordinal
    this.changed(run)
  }
  /** Runs from this one on were changed. */
  changed(run: number): void {
    this.changedFrom = this.changedFrom === undefined ? run : Math.min(run, this.changedFrom)
  }
  #beyond(run: number): never {
    throw bug(`run ${run} of ${this.#count}`)
  }
}
