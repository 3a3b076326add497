import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Offset } from '../../src/kit/index.ts'
import { judgeOffset } from '../../src/offsets/index.ts'

const bounds = { start: Offset(100n), end: Offset(200n) }

for (const [source, there, expected] of [
  [150n, undefined, { kind: 'commit', at: 150n }],
  [150n, 150n, { kind: 'unchanged', at: 150n }],
  [150n, 120n, { kind: 'commit', at: 150n }],
  [150n, 160n, { kind: 'kept', at: 160n }],
  [20n, undefined, { kind: 'commit', at: 100n }],
  [200n, undefined, { kind: 'commit', at: 200n }],
  [201n, undefined, { kind: 'waiting', at: 201n, copied: 200n }],
] as const) {
  test(`a group at ${source} (there: ${there ?? 'none'}) with records 100 to 199 copied: ${expected.kind} ${expected.at}`, () => {
    expect(
      judgeOffset(Offset(source), there === undefined ? undefined : Offset(there), bounds),
    ).toMatchObject(expected)
  })
}

test('an offset is never committed before the copy begins, beyond its end, or backwards', () => {
  const n = fc.bigInt({ min: 0n, max: 300n })
  fc.assert(
    fc.property(n, fc.option(n), n, n, (source, there, a, b) => {
      const [start, end] = a < b ? [a, b] : [b, a]
      const outcome = judgeOffset(Offset(source), there === null ? undefined : Offset(there), {
        start: Offset(start),
        end: Offset(end),
      })
      if (outcome.kind !== 'commit') return
      expect(outcome.at >= start && outcome.at <= end && outcome.at >= (there ?? 0n)).toBe(true)
      expect(outcome.at).toBe(source < start ? start : source)
    }),
  )
})
