import type { Hole, Piece } from '../kafka/index.ts'
import { Offset } from '../kit/index.ts'
import type { Gap } from '../offsets/index.ts'
import type { Place } from './place.ts'

export type Item = Piece | Hole

/** The source offsets of an item that hold nothing. */
export function* gapsIn(item: Item): Generator<Gap, void> {
  if (item.kind === 'hole') yield item
  else if (item.runs) {
    let at = item.base
    for (const { from, count } of item.runs) {
      if (from > at) yield { from: at, to: from }
      at = Offset(from + BigInt(count))
    }
    if (item.end > at) yield { from: at, to: item.end }
  }
}

const startOf = (item: Item): bigint => (item.kind === 'hole' ? item.from : item.base)
const endOf = (item: Item): Offset => (item.kind === 'hole' ? item.to : item.end)

/**
 * What a lane holds, in source order: pieces and holes that are still to go, and pieces under way. A hole stays until the
 * lane has passed it, so that what is held is always without a gap.
 */
export class Pending {
  readonly #queue: Item[] = []
  readonly #flying: Piece[] = []
  /** Pieces that `fresh` has given. */
  readonly #known = new WeakSet<Piece>()
  /** Bytes of the pieces. */
  bytes = 0

  get length(): number {
    return this.#queue.length
  }
  get flying(): number {
    return this.#flying.length
  }
  get head(): Item | undefined {
    return this.#queue[0]
  }
  get firstHole(): Hole | undefined {
    return this.#queue.find(item => item.kind === 'hole')
  }

  push(item: Item): void {
    const last = this.#queue.at(-1)
    if (item.kind === 'hole' && last?.kind === 'hole' && last.to === item.from) {
      this.#queue[this.#queue.length - 1] = { ...last, to: item.to }
      return
    }
    this.#queue.push(item)
    if (item.kind === 'piece') this.bytes += item.bytes.length
  }

  /** Pieces that came since this was asked last. */
  fresh(): Piece[] {
    const found = this.#queue.filter((item): item is Piece => item.kind === 'piece' && !this.#known.has(item))
    for (const piece of found) this.#known.add(piece)
    return found
  }

  /** The piece that goes next: the first that no hole stands before which `stops`. */
  next(stops: (hole: Hole) => boolean): Piece | undefined {
    for (const item of this.#queue) {
      if (item.kind === 'piece') return item
      if (stops(item)) return undefined
    }
    return undefined
  }
  /** It is under way now. */
  sent(piece: Piece): void {
    this.#queue.splice(this.#queue.indexOf(piece), 1)
    this.#flying.push(piece)
  }
  /** It is not under way any more. Gives its place among those that were, -1 if it was not one. */
  came(piece: Piece): number {
    const index = this.#flying.indexOf(piece)
    if (index >= 0) this.#flying.splice(index, 1)
    return index
  }
  /** Puts one back that came without having landed: those of a lost connection come in any order. */
  back(piece: Piece): void {
    this.#queue.push(piece)
    this.#queue.sort((a, b) => (startOf(a) < startOf(b) ? -1 : 1))
  }
  release(piece: Piece): void {
    this.bytes -= piece.bytes.length
    piece.done?.()
  }

  /** Drops what lies before a place; gives the pieces of it. */
  passed({ source, ordinal }: Place): Piece[] {
    const landed: Piece[] = []
    for (let item = this.#queue[0]; item; item = this.#queue[0]) {
      const gone = item.kind === 'hole' ? item.to <= source : item.ordinal + BigInt(item.count) <= ordinal
      if (!gone) {
        if (item.kind === 'hole' && item.from < source) this.#queue[0] = { ...item, from: source }
        break
      }
      this.#queue.shift()
      if (item.kind === 'piece') landed.push(item)
    }
    return landed
  }

  /** Whether what is held goes on at `from` up to `to` without a gap: one that landed may be gone from the target again. */
  follows(from: Place, to: Offset): boolean {
    let { source, ordinal } = from
    for (const item of this.#queue) {
      if (startOf(item) !== source) return false
      if (item.kind === 'piece' && item.ordinal !== ordinal) return false
      if (item.kind === 'piece') ordinal += BigInt(item.count)
      source = endOf(item)
    }
    return source === to
  }

  drop(): void {
    for (const item of this.#queue.splice(0)) if (item.kind === 'piece') this.release(item)
  }
}
