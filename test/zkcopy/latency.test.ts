import { expect, test } from 'vitest'
import { summary } from '../../src/zkcopy/latency.ts'

const rows = [
  [[3], 3, 3, 3],
  [[4, 1, 3, 2], 2, 4, 4],
  [Array.from({ length: 100 }, (_, i) => i + 1), 50, 99, 100],
  [Array.from({ length: 10_000 }, (_, i) => 10_000 - i), 5_000, 9_900, 10_000],
] as const
for (const [took, p50Ms, p99Ms, maxMs] of rows) {
  test(`of ${took.length} times half take at most ${p50Ms} ms, 99 % at most ${p99Ms} ms`, () => {
    expect(summary(Float64Array.from(took))).toEqual({ count: took.length, p50Ms, p99Ms, maxMs })
  })
}
