import { expect, test } from 'vitest'
import { Rates } from '../../src/mirror/rates.ts'

const run = (points: readonly (readonly [at: number, records: number, lag: number])[]) => {
  const rates = new Rates()
  for (const [at, records, lag] of points)
    rates.add({ at, records: BigInt(records), bytes: BigInt(records * 10), lag: BigInt(lag) })
  return rates.now
}

test('rates are of the last 10 s, so an old burst is no rate', () => {
  const steady = Array.from({ length: 60 }, (_, i) => [i * 250, i * 100, 0] as const)
  expect(run(steady)).toEqual({ recordRate: 400, byteRate: 4_000, etaMs: undefined })
  const last = steady.at(-1)?.[1] ?? 0
  const rest = Array.from({ length: 60 }, (_, i) => [15_000 + i * 250, last, 0] as const)
  expect(run([...steady, ...rest])).toMatchObject({ recordRate: 0, byteRate: 0 })
})

test('the time that is left counts what is still being written to the source', () => {
  expect(
    run([
      [0, 0, 100_000],
      [5_000, 50_000, 80_000],
    ]),
  ).toMatchObject({ recordRate: 10_000, etaMs: 20_000 })
})

test('a lag that does not shrink has no end in sight', () => {
  expect(
    run([
      [0, 0, 1_000],
      [5_000, 50_000, 1_000],
    ]).etaMs,
  ).toBeUndefined()
})
