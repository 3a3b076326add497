import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  decodeClaim,
  decodeShare,
  encodeClaim,
  encodeShare,
  shareOut,
  type Work,
} from '../../src/mirror/shares.ts'

const work = (weights: readonly number[], owner?: (i: number) => string | undefined): Work[] =>
  weights.map((weight, i) => ({ where: `orders-${i}`, weight, owner: owner?.(i) }))

describe('partitions are shared among processes', () => {
  test('each partition has one owner, whoever had it before', () => {
    const members = fc.uniqueArray(fc.constantFrom('a', 'b', 'c', 'd'), { minLength: 1 })
    const weights = fc.array(fc.nat(1_000_000), { maxLength: 60 })
    fc.assert(
      fc.property(
        members,
        weights,
        fc.array(fc.constantFrom('a', 'b', 'gone', undefined)),
        (who, kilos, had) => {
          const shares = shareOut(
            work(kilos, i => had[i]),
            who,
          )
          expect([...shares.keys()].sort()).toEqual([...who].sort())
          expect([...shares.values()].flat().sort()).toEqual(kilos.map((_, i) => `orders-${i}`).sort())
        },
      ),
    )
  })
  test('nobody carries more than the fair share and the heaviest partition', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 1000 }), { minLength: 1 }),
        fc.integer({ min: 1, max: 5 }),
        (kilos, count) => {
          const who = Array.from({ length: count }, (_, i) => `m${i}`)
          const fair = kilos.reduce((a, b) => a + b, 0) / count
          const shares = shareOut(
            work(kilos, i => `m${i % 7}`),
            who,
          )
          const weightOf = (wheres: string[]) =>
            wheres.reduce((sum, each) => sum + (kilos[Number(each.split('-')[1])] ?? 0), 0)
          for (const wheres of shares.values())
            expect(weightOf(wheres)).toBeLessThanOrEqual(fair + Math.max(...kilos))
        },
      ),
    )
  })
  test('what is balanced already stays where it is', () => {
    const before = shareOut(work(Array(13).fill(7)), ['a', 'b', 'c'])
    const owner = new Map([...before].flatMap(([who, wheres]) => wheres.map(where => [where, who] as const)))
    const after = shareOut(
      work(Array(13).fill(7), i => owner.get(`orders-${i}`)),
      ['c', 'b', 'a'],
    )
    expect(after.get('a')).toEqual(before.get('a'))
    expect(after.get('b')).toEqual(before.get('b'))
  })
  test('of a member that is gone only its own partitions move', () => {
    const owners = (i: number) => ['a', 'b', 'c'][i % 3]
    const after = shareOut(work(Array(12).fill(1), owners), ['a', 'b'])
    for (const [who, wheres] of after)
      for (const i of [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11].filter(each => owners(each) === who))
        expect(wheres).toContain(`orders-${i}`)
  })
})

test('shares and claims are read as they were written; a share of another form is refused, a claim is never taken for free', () => {
  expect(decodeShare(encodeShare(['a-1', 'b-2']))).toEqual(['a-1', 'b-2'])
  expect(decodeShare(Buffer.alloc(0))).toEqual([])
  expect(() => decodeShare(Buffer.from('{}'))).toThrow(/unknown form/)
  const held = { kind: 'free', instance: 'one', generation: 3 } as const
  expect(decodeClaim(encodeClaim(held))).toEqual(held)
  expect(decodeClaim('')).toBeUndefined()
  expect(decodeClaim('what?')).toMatchObject({ kind: 'held' })
})
