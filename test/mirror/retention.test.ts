import { expect, test } from 'vitest'
import { forecast } from '../../src/mirror/retention.ts'

const samples = (...points: readonly (readonly [seconds: number, start: bigint, position: bigint])[]) =>
  points.map(([seconds, start, position]) => ({ at: seconds * 1_000, start, position }))

test('a log start that comes nearer passes the copy when it has made up what lies between', () => {
  expect(forecast(samples([0, 0n, 10_000n], [100, 5_000n, 11_000n]))).toEqual({
    etaMs: 150_000,
    startRate: 50,
    copyRate: 10,
  })
})
test('steps of whole segments count by the time that they took', () => {
  const steps = samples([0, 0n, 9_000n], [100, 0n, 9_000n], [200, 3_000n, 9_000n], [300, 3_000n, 9_000n])
  expect(forecast(steps)?.etaMs).toBe(600_000)
})
test('already passed is now', () => {
  expect(forecast(samples([0, 0n, 10n], [10, 50n, 10n]))?.etaMs).toBe(0)
})
for (const [why, points] of [
  ['the copy is as fast', samples([0, 0n, 100n], [10, 50n, 150n])],
  ['nothing is deleted', samples([0, 7n, 100n], [10, 7n, 100n])],
  ['there is one look only', samples([0, 7n, 100n])],
  ['there is none', []],
] as const)
  test(`no forecast: ${why}`, () => expect(forecast(points)).toBeUndefined())
