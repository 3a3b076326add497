import type { Print } from './print.ts'

/** Where a target record must stand, by the offset of the source's; undefined where only the order counts. */
export type Expected = ((offset: number) => number) | undefined

/** How many records must follow alike before two places are taken for the same. */
const CONFIRM = 8
/** What it costs to say that all that follows stands at other offsets. */
const MOVE_COST = 2
/** Places of one content that are tried. */
const TRIES = 8

/**
 * Where two runs of records whose first ones differ come together again: the first `a` records of the one and `b` of the
 * other are the difference. The cheapest explanation wins: fewest records, offsets unmoved. If they don't come together
 * within what is here, `found` is false and the difference is what can be said for sure about the beginning.
 */
export const align = (
  source: readonly Print[],
  target: readonly Print[],
  expected: Expected,
): { a: number; b: number; found: boolean } => {
  const places = Map.groupBy(
    target.map((_, j) => j),
    j => target[j]?.content,
  )
  let best: { a: number; b: number; cost: number } | undefined
  for (let i = 0; i < source.length && i < (best?.cost ?? Number.POSITIVE_INFINITY); i++) {
    const near = (places.get(source[i]?.content) ?? []).slice(0, TRIES)
    for (const j of [...near, ...sameDistance(source, target, i)]) {
      const moved = expected !== undefined && expected(source[i]?.offset ?? 0) !== target[j]?.offset
      const cost = i + j + (moved ? MOVE_COST : 0)
      if (cost < (best?.cost ?? Number.POSITIVE_INFINITY) && alike(source, target, i, j))
        best = { a: i, b: j, cost }
    }
  }
  return best ? { a: best.a, b: best.b, found: true } : { ...apart(source, target, expected), found: false }
}

/** Of many records with one content the one at the same place, which `TRIES` may have cut off. */
const sameDistance = (source: readonly Print[], target: readonly Print[], i: number): number[] =>
  source[i]?.content === target[i]?.content && i < target.length ? [i] : []

const alike = (source: readonly Print[], target: readonly Print[], i: number, j: number): boolean => {
  const run = Math.min(CONFIRM, source.length - i, target.length - j)
  for (let k = 0; k < run; k++) if (source[i + k]?.content !== target[j + k]?.content) return false
  return run > 0
}

/** By offsets: what is on one side only up to the next record of the other, else the pairs at equal places. */
const apart = (
  source: readonly Print[],
  target: readonly Print[],
  expected: Expected,
): { a: number; b: number } => {
  const pairs = Math.min(source.length, target.length)
  const [x, y] = [source[0], target[0]]
  if (!expected || !x || !y) return { a: pairs, b: pairs }
  const behind = source.findIndex(({ offset }) => expected(offset) >= y.offset)
  if (behind !== 0) return { a: behind < 0 ? source.length : behind, b: 0 }
  const ahead = target.findIndex(({ offset }) => offset >= expected(x.offset))
  if (ahead !== 0) return { a: 0, b: ahead < 0 ? target.length : ahead }
  let same = 1
  while (same < pairs && expected(source[same]?.offset ?? 0) === target[same]?.offset) same++
  return { a: same, b: same }
}
