import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ATTRIBUTE, type BatchHeader, sequenceOf } from '../../src/kafka/index.ts'
import { Offset } from '../../src/kit/index.ts'
import { ChainScan } from '../../src/mirror/chain.ts'
import { uncovered } from '../../src/mirror/same-records.ts'
import { OffsetMap } from '../../src/offsets/index.ts'

const [P, H] = [7n, 8n]
type Part = { kind: 'data' | 'hole'; count: number }

/** The headers of a copy with identical offsets whose log begins at `first`, after so many holes. */
const headersOf = (parts: readonly Part[], first = 0n, missing = 0n): BatchHeader[] => {
  let [at, ordinal] = [first, first - missing]
  return parts.flatMap(({ kind, count }) => {
    const one = (n: number, control: boolean): BatchHeader => {
      const baseOffset = Offset(at)
      at += BigInt(n)
      const header = {
        baseOffset,
        lastOffset: Offset(at - 1n),
        lastOffsetDelta: n - 1,
        leaderEpoch: 3,
        magic: 2,
        attributes: control ? ATTRIBUTE.control | ATTRIBUTE.transactional : 0,
        count: n,
        maxTimestamp: 1_000n,
        crc: 0,
        size: 100,
        producerId: control ? H : P,
        producerEpoch: control ? 4 : 0,
        baseSequence: control ? -1 : sequenceOf(ordinal),
      }
      if (!control) ordinal += BigInt(n)
      return header
    }
    return kind === 'data' ? [one(count, false)] : Array.from({ length: count }, () => one(1, true))
  })
}
const scan = (first: bigint, headers: readonly BatchHeader[]) => {
  const chain = new ChainScan(Offset(first))
  for (const header of headers) {
    const wrong = chain.follow(header)
    if (wrong !== undefined) return wrong
  }
  return chain.found
}
const anyParts = fc.array(
  fc.record({
    kind: fc.constantFrom('data' as const, 'hole' as const),
    count: fc.integer({ min: 1, max: 9 }),
  }),
  { minLength: 1, maxLength: 30 },
)
const anyStart = fc.record({
  first: fc.bigInt({ min: 1n, max: 1n << 33n }),
  missing: fc.bigInt({ min: 0n, max: 1_000_000n }),
})

describe('a copy whose state is gone is known by its own headers', () => {
  test('holes, ordinals and the end are found as they were, whatever stands before the log’s start', () => {
    fc.assert(
      fc.property(anyParts, anyStart, (parts, { first, missing: most }) => {
        const missing = most < first ? most : 0n
        fc.pre(parts.some(({ kind }) => kind === 'data'))
        const found = scan(first, headersOf(parts, first, missing))
        if (typeof found === 'string') throw new Error(found)
        const data = parts.reduce((sum, { kind, count }) => sum + (kind === 'data' ? BigInt(count) : 0n), 0n)
        expect(found.producer).toEqual({ id: P, epoch: 0 })
        expect(found.ordinal).toBe(first - missing + data)
        const map = new OffsetMap({ translated: false, start: Offset(first) })
        for (const hole of found.holes) map.gap(hole)
        expect(map.runs.ordinalAt(found.end)).toBe(found.ordinal)
        expect(map.runs.ordinalAt(first)).toBe(first - missing)
        let at = first
        for (const { kind, count } of parts) {
          for (let i = 0; i < count; i++, at++) expect(map.runs.gapAt(at) !== undefined).toBe(kind === 'hole')
        }
      }),
    )
  })

  test('a stray repeat, a foreign or transactional batch, a gap, an unmarked batch anywhere: it is none', () => {
    const damage: ((header: BatchHeader) => Partial<BatchHeader>)[] = [
      ({ baseSequence }) => ({ baseSequence: baseSequence + 1 }),
      () => ({ producerId: 99n }),
      () => ({ producerId: -1n }),
      () => ({ attributes: ATTRIBUTE.transactional }),
      () => ({ producerId: H }),
      ({ baseOffset }) => ({ baseOffset: Offset(baseOffset + 1n) }),
      () => ({ magic: 1 }),
    ]
    fc.assert(
      fc.property(anyParts, fc.nat(), fc.constantFrom(...damage), (parts, which, spoil) => {
        const whole = headersOf([
          { kind: 'data', count: 2 },
          { kind: 'hole', count: 1 },
          ...parts,
          { kind: 'data', count: 3 },
        ])
        const data = whole.flatMap(({ attributes }, i) =>
          attributes & ATTRIBUTE.control || i === 0 ? [] : [i],
        )
        const at = data[which % data.length] ?? 0
        expect(typeof scan(0n, whole)).toBe('object')
        expect(
          typeof scan(
            0n,
            whole.map((header, i) => (i === at ? { ...header, ...spoil(header) } : header)),
          ),
        ).toBe('string')
      }),
    )
  })

  test('padding that is still there is told from records', () => {
    const [pad, ...rest] = headersOf([
      { kind: 'data', count: 100 },
      { kind: 'data', count: 5 },
    ])
    const found = scan(0n, [{ ...(pad as BatchHeader), maxTimestamp: -1n }, ...rest])
    expect(found).toMatchObject({ padded: 100n, end: 105n, first: 0n })
  })
})

describe('what a cover leaves out', () => {
  const gap = (from: number, to: number) => ({ from: Offset(BigInt(from)), to: Offset(BigInt(to)) })
  test('is the first offset that no part of it holds', () => {
    const anyGaps = fc
      .uniqueArray(fc.nat({ max: 40 }), { maxLength: 40 })
      .map(all => all.sort((a, b) => a - b))
    const asGaps = (all: readonly number[]) => all.map(at => gap(at, at + 1))
    fc.assert(
      fc.property(anyGaps, anyGaps, (parts, cover) => {
        const first = parts.find(at => !cover.includes(at))
        expect(uncovered(asGaps(parts), asGaps(cover))).toBe(first === undefined ? undefined : BigInt(first))
      }),
    )
    expect(uncovered([gap(0, 5)], [gap(0, 3), gap(4, 9)])).toBe(3n)
  })
})
