import { expect, test } from 'vitest'
import { skewFindings } from '../../../src/cutover/doctor/clock.ts'

const lines = (aheadMs: number, orMs = 5) =>
  skewFindings([{ name: 'new', skew: { aheadMs, orMs } }]).map(
    ({ severity, evidence }) => `${severity}: ${evidence}`,
  )

test('a clock that is off by seconds is told, by minutes blocks, on either side', () => {
  expect(lines(3_000)).toEqual([
    expect.stringMatching(
      /^warning: the clock of the controller of 'new' is 3\.0 s ahead of this host's \(5 ms/,
    ),
  ])
  expect(lines(-3_000)).toEqual([expect.stringMatching(/^warning: .* 3\.0 s behind this host's/)])
  expect(lines(-600_000)).toEqual([expect.stringMatching(/^error: .* 10 m 00 s behind/)])
})
test('what a slow answer may have made is not told', () => {
  expect(lines(1_000)).toEqual([])
  expect(lines(3_000, 1_500)).toEqual([])
  expect(lines(301_000, 2_000)).toEqual([expect.stringMatching(/^warning/)])
})
