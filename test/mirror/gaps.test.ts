import { expect, test } from 'vitest'
import { acceptedGaps, accepts } from '../../src/mirror/gaps.ts'

const gaps = acceptedGaps(['orders-3', 'a.b_c-1-0:1200'])
for (const [where, to, accepted] of [
  ['orders-3', 9n, true],
  ['orders-4', 9n, false],
  ['a.b_c-1-0', 1_200n, true],
  ['a.b_c-1-0', 1_201n, false],
] as const)
  test(`a loss of ${where} before ${to} is ${accepted ? '' : 'not '}accepted`, () =>
    expect(accepts(gaps, where, to)).toBe(accepted))

for (const text of ['', 'orders', 'orders-', 'orders-3:', 'orders-3:-1', 'orders-3:x', 'or ders-3'])
  test(`'${text}' names no gap`, () =>
    expect(() => acceptedGaps([text])).toThrow(expect.objectContaining({ code: 'USAGE' })))
