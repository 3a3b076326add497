import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Offset } from '../../src/kit/index.ts'
import { type Gap, mapOf, RunMap } from '../../src/offsets/index.ts'
import { changedTexts, textOf } from '../../src/offsets/run-text.ts'

/** Lengths of records and of the gap after them, in turn. */
const shapes = fc.array(fc.tuple(fc.nat({ max: 6 }), fc.integer({ min: 1, max: 5 })), {
  maxLength: 60,
  size: 'max',
})
const base = fc.record({
  source: fc.constantFrom(0n, 7n, 2n ** 60n).map(Offset),
  ordinal: fc.constantFrom(0n, 3n, 2n ** 33n),
})
type Base = { source: Offset; ordinal: bigint }

const gapsOf = (from: bigint, shape: readonly (readonly [number, number])[]): Gap[] => {
  let at = from
  return shape.map(([records, gap]) => {
    const start = Offset(at + BigInt(records))
    at = start + BigInt(gap)
    return { from: start, to: Offset(at) }
  })
}
const filled = (begin: Base, gaps: readonly Gap[]): RunMap => {
  const map = new RunMap(begin)
  for (const gap of gaps) map.gap(gap)
  return map
}

/** Offset by offset: whether it holds a record, and how many records stand before it. */
const expectMap = (map: RunMap, { source, ordinal }: Base, gaps: readonly Gap[]): void => {
  const end = (gaps.at(-1)?.to ?? source) + 3n
  let records = ordinal
  let holes = 0n
  for (let at: bigint = source; at < end; at++) {
    const hole = gaps.some(({ from, to }) => from <= at && at < to)
    expect(map.ordinalAt(at)).toBe(records)
    const gap = map.gapAt(at)
    expect(gap !== undefined, `a gap at ${at}`).toBe(hole)
    if (gap) expect(gap.from <= at && at < gap.to).toBe(true)
    if (hole) holes++
    else expect(map.sourceOf(records++)).toBe(at)
  }
  expect(map.holes).toBe(holes)
}

describe('a run map', () => {
  test('knows of every source offset whether it holds a record, and its ordinal, both ways', () => {
    fc.assert(
      fc.property(base, shapes, (begin, shape) => {
        const gaps = gapsOf(begin.source, shape)
        expectMap(filled(begin, gaps), begin, gaps)
      }),
    )
  })

  test('is cut at any offset, in a gap too, and goes on from there as if nothing had followed', () => {
    fc.assert(
      fc.property(base, shapes, fc.nat({ max: 200 }), shapes, (begin, shape, cut, more) => {
        const gaps = gapsOf(begin.source, shape)
        const map = filled(begin, gaps)
        const at = Offset(begin.source + BigInt(cut))
        map.cut(at)
        const left = gaps
          .filter(({ from }) => from < at)
          .map(({ from, to }) => ({ from, to: to < at ? to : at }))
        expectMap(map, begin, left)
        const next = gapsOf(at, more)
        for (const gap of next) map.gap(gap)
        expectMap(map, begin, [...left, ...next])
      }),
    )
  })

  test('comes back from its texts as it was, and only the texts that changed are written again', () => {
    fc.assert(
      fc.property(
        base,
        fc.array(fc.tuple(fc.nat({ max: 2 ** 40 }), fc.integer({ min: 1, max: 2 ** 40 })), {
          maxLength: 900,
          size: 'max',
        }),
        fc.array(fc.tuple(fc.nat({ max: 900 }), fc.nat({ max: 900 })), { maxLength: 4 }),
        (begin, shape, steps) => {
          const all = gapsOf(begin.source, shape)
          const kept: string[] = []
          const map = new RunMap(begin)
          let given = 0
          for (const [grow, shrink] of [...steps, [900, 0] as const]) {
            for (const gap of all.slice(given, given + grow)) map.gap(gap)
            given = Math.min(all.length, given + grow)
            if (shrink > 0 && given > 0) {
              given = Math.max(0, given - shrink)
              map.cut(all[given]?.from ?? 0n)
            }
            for (const { chunk, text } of changedTexts(map, kept.length).reverse()) {
              if (text === null) kept.length = Math.min(kept.length, chunk)
              else kept[chunk] = text
            }
            map.changedFrom = undefined
            const again = mapOf(begin, kept, 't-0')
            expect(again.runs).toBe(map.runs)
            for (let run = 0; run < map.runs; run++) {
              expect(again.startOf(run)).toBe(map.startOf(run))
              expect(again.ordinalOfRun(run)).toBe(map.ordinalOfRun(run))
            }
          }
        },
      ),
      { numRuns: 30 },
    )
  })

  for (const texts of [['x'], ['0 0 1+'], ['5 9'], ['0 0 1+1', '1 0']])
    test(`damage is found: ${JSON.stringify(texts)}`, () => {
      expect(() => mapOf({ source: Offset(3n), ordinal: 0n }, texts, 't-0')).toThrow(
        expect.objectContaining({ code: 'STATE_DAMAGED' }),
      )
    })

  test('takes 24 bytes a run at most, and finds in a million of them', () => {
    const map = new RunMap({ source: Offset(0n), ordinal: 0n })
    for (let i = 1n; i <= 1_000_000n; i++) map.gap({ from: Offset(10n * i - 1n), to: Offset(10n * i) })
    expect(map.bytes / map.runs).toBeLessThanOrEqual(24)
    expect(map.ordinalAt(5_000_005n)).toBe(4_500_005n)
    expect(map.sourceOf(4_500_005n)).toBe(5_000_005n)
    expect(textOf(map, 2).length).toBeLessThan(2_000)
  })
})
