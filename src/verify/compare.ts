import { isKmigError, messageOf } from '../kit/index.ts'
import { align, type Expected } from './align.ts'
import { type Cursor, samePayload, sameRecord } from './cursor.ts'
import { corrupt, explain, moved, type Naming, range } from './difference.ts'
import type { SideDigest } from './digest.ts'
import type { Print } from './print.ts'
import type { Tally } from './tally.ts'
import type { Walk } from './walk.ts'

/** Records looked at on each side to find where two logs come together again. */
const LOOK_AHEAD = 2_048

/** Unpacks a batch that both sides have, once, for both digests. */
const digestBoth = (
  cursor: Cursor,
  away: number,
  { source, target }: { source: SideDigest | undefined; target: SideDigest | undefined },
): void => {
  const { count } = cursor
  cursor.open()
  for (let i = 0; i < count; i++) {
    source?.add(cursor, cursor.offset)
    target?.add(cursor, cursor.offset + away)
    cursor.nextRecord()
  }
}

/** How far a comparison has come: what is before these offsets has been compared. */
export type Reached = { source: number; target: number; shift: number }

export type CompareOptions = {
  naming: Naming
  source: Walk
  target: Walk
  /** Where a source record's copy stands; undefined where only the order counts. */
  image: ((offset: number) => number) | undefined
  /** Where each side ends. */
  ends: { source: bigint; target: bigint }
  reached: Reached
  tally: Tally
  /** Called now and then, when `reached` has moved. */
  on(): void
}

/**
 * Holds two logs against each other as they come, in step: batches with equal payload as they are, others record by record,
 * byte for byte. Where they part, records are looked at ahead of both to find the least that explains it, so that one
 * lost record is told as one. Memory: what is under way on both sides and `LOOK_AHEAD` records in numbers.
 */
export class Comparison {
  readonly #o: CompareOptions
  readonly #expected: Expected
  #movedAt: number | undefined

  constructor(options: CompareOptions) {
    this.#o = options
    const { image, reached } = options
    this.#expected = image && (offset => image(offset) + reached.shift)
    if (reached.shift !== 0) this.#movedAt = reached.source
  }

  async run(): Promise<void> {
    const { source, target, tally, naming, ends, reached } = this.#o
    try {
      while ((await this.#fill()) && source.cursor.ready && target.cursor.ready) {
        if (!this.#inStep(source.cursor, target.cursor)) await this.#apart()
        this.#o.on()
      }
      await this.#tails()
    } catch (e) {
      if (!isKmigError(e, 'CORRUPT_BATCH')) throw e
      const side = target.cursor.damaged ? 'target' : 'source'
      source.digest = target.digest = undefined // of part of the records it would mislead
      tally.add(corrupt(naming, side, BigInt(reached[side]), messageOf(e)), reached.source)
      for (const each of ['source', 'target'] as const)
        tally.skip(each, BigInt(reached[each]), ends[each], `behind a damaged batch on the ${side}`)
    }
    if (this.#movedAt !== undefined) tally.mark(this.#movedAt, Math.max(this.#movedAt, reached.source - 1))
    this.#o.on()
  }

  async #fill(): Promise<boolean> {
    const { source, target, image } = this.#o
    await Promise.all([source.fill(), target.fill()])
    for (const [side, walk, other] of [
      ['source', source, target],
      ['target', target, source],
    ] as const) {
      const { trimmedTo } = walk
      if (trimmedTo === undefined) continue
      walk.trimmedTo = undefined
      const { tally, reached, ends } = this.#o
      const otherSide = side === 'source' ? 'target' : 'source'
      const why = `retention on the ${side} deleted it meanwhile`
      if (image && image(0) === 0 && reached.shift === 0) {
        tally.skip(otherSide, BigInt(reached[otherSide]), trimmedTo, why)
        await other.skipTo(Number(trimmedTo))
        reached.source = reached.target = Number(trimmedTo)
      } else {
        for (const each of ['source', 'target'] as const)
          tally.skip(each, BigInt(reached[each]), ends[each], why)
        reached.source = Number(ends.source)
        reached.target = Number(ends.target)
        source.cursor.close()
        target.cursor.close()
        return false
      }
    }
    return true
  }

  /** Goes on while both sides are alike; false when they part. */
  #inStep(a: Cursor, b: Cursor): boolean {
    const { reached, tally } = this.#o
    const expected = this.#expected
    const counts = tally.state
    const digests = { source: this.#o.source.digest, target: this.#o.target.digest }
    while (a.ready && b.ready) {
      if (a.fresh && b.fresh && a.whole && b.whole && samePayload(a, b)) {
        if (!expected || (expected(a.base) === b.base && expected(a.last) === b.last)) {
          reached.source = a.last + 1
          reached.target = b.last + 1
          counts.records += a.count
          counts.untouched++
          if (digests.source) digestBoth(a, b.base - a.base, digests)
          else a.nextBatch()
          b.nextBatch()
          continue
        }
      }
      if (a.fresh || b.fresh) {
        if (b.fresh) counts.unpacked++
        a.open()
        b.open()
        continue // a batch may turn out to have no record that is wanted
      }
      if (!sameRecord(a, b) || (expected && expected(a.offset) !== b.offset)) return false
      reached.source = a.offset + 1
      reached.target = b.offset + 1
      counts.records++
      digests.source?.add(a, a.offset)
      digests.target?.add(b, b.offset)
      a.nextRecord()
      b.nextRecord()
    }
    return true
  }

  /** Looks ahead, tells what differs, and comes back when both sides are in step again or one has ended. */
  async #apart(): Promise<void> {
    const { source, target } = this.#o
    const [ours, theirs]: [Print[], Print[]] = [[], []]
    for (;;) {
      await source.take(ours, LOOK_AHEAD - ours.length)
      await target.take(theirs, LOOK_AHEAD - theirs.length)
      if (ours.length === 0 || theirs.length === 0) {
        this.#tell(ours, theirs)
        return
      }
      const { a, b, found } = align(ours, theirs, this.#expected)
      this.#tell(ours.splice(0, a), theirs.splice(0, b))
      if (found) this.#shifted(ours[0], theirs[0])
      if (await this.#drain(ours, theirs)) return
    }
  }

  #tell(ours: readonly Print[], theirs: readonly Print[]): void {
    const { tally, naming, reached } = this.#o
    for (const difference of explain(ours, theirs, this.#expected, naming))
      tally.add(difference, reached.source)
    tally.state.records += Math.min(ours.length, theirs.length)
    this.#reach(ours.at(-1), theirs.at(-1))
  }

  #reach(a: Print | undefined, b: Print | undefined): void {
    const { reached } = this.#o
    if (a) reached.source = a.offset + 1
    if (b) reached.target = b.offset + 1
  }

  /** Both stand at equal records: if not at the places that were expected, all that follows is moved. */
  #shifted(a: Print | undefined, b: Print | undefined): void {
    const { image, reached, tally, naming } = this.#o
    if (!image || !a || !b) return
    const by = b.offset - image(a.offset)
    if (by === reached.shift) return
    if (this.#movedAt !== undefined) tally.mark(this.#movedAt, a.offset - 1)
    reached.shift = by
    this.#movedAt = by === 0 ? undefined : a.offset
    if (by !== 0) tally.add(moved(naming, a, b, by), a.offset)
  }

  /** Compares what was taken ahead until nothing of it is left (true), or the sides part again. */
  async #drain(ours: Print[], theirs: Print[]): Promise<boolean> {
    const { source, target, tally } = this.#o
    let i = 0
    let j = 0
    const rest = (): void => {
      ours.splice(0, i)
      theirs.splice(0, j)
    }
    for (;;) {
      if (i === ours.length && j === theirs.length) return true
      const more =
        (i < ours.length || (await source.take(ours, 1))) &&
        (j < theirs.length || (await target.take(theirs, 1)))
      const [a, b] = [ours[i], theirs[j]]
      if (
        !more ||
        !a ||
        !b ||
        a.content !== b.content ||
        (this.#expected && this.#expected(a.offset) !== b.offset)
      ) {
        rest()
        return false
      }
      this.#reach(a, b)
      tally.state.records++
      i++
      j++
    }
  }

  /** What only one side has at its end. */
  async #tails(): Promise<void> {
    const { source, target, ends, tally, naming, reached } = this.#o
    if (await source.fill()) {
      source.cursor.open()
      const at = source.cursor.ready && !source.cursor.fresh ? source.cursor.offset : source.cursor.base
      tally.add(range(naming, 'missing', BigInt(at), ends.source, 'up to the end of the source'), at)
      if (source.digest) await source.digestTo(Number(ends.source))
    }
    if (await target.fill()) {
      target.cursor.open()
      const at = target.cursor.ready && !target.cursor.fresh ? target.cursor.offset : target.cursor.base
      tally.add(
        range(naming, 'extra', BigInt(at), ends.target, 'up to the end of the target'),
        reached.source,
      )
      if (target.digest) await target.digestTo(Number(ends.target))
    }
    reached.source = Math.max(reached.source, Number(ends.source))
    reached.target = Math.max(reached.target, Number(ends.target))
  }
}
