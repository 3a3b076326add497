import { expect, test } from 'vitest'
import { latencyWatch, paced } from '../../src/zkcopy/pace.ts'
import { parseRate } from '../../src/zkcopy/rate.ts'

const signal = new AbortController().signal

for (const [texts, rate] of [
  [[], undefined],
  [['2000'], { operations: 2_000 }],
  [['2000/s'], { operations: 2_000 }],
  [['5MB/s'], { bytes: 5_000_000 }],
  [['512kB'], { bytes: 512_000 }],
  [['100B/s'], { bytes: 100 }],
  [['1.5GB/s', '100'], { operations: 100, bytes: 1_500_000_000 }],
] as const) {
  test(`--rate ${texts.join(' --rate ')} is ${JSON.stringify(rate)}`, () =>
    expect(parseRate(texts)).toEqual(rate))
}
for (const text of ['', '0', '-1', '0.5', '5M', '5 MB', 'fast', '5MiB/s', '2000/m']) {
  test(`--rate '${text}' is refused`, () =>
    expect(() => parseRate([text])).toThrow(expect.objectContaining({ code: 'USAGE' })))
}
test('the same kind of rate twice is refused', () =>
  expect(() => parseRate(['1MB/s', '2MB/s'])).toThrow(expect.objectContaining({ code: 'USAGE' })))

test('writes are spread by bytes where these are the tighter limit', async () => {
  const pace = paced({ operations: 1_000_000, bytes: 10_000 })
  const start = performance.now()
  for (let i = 0; i < 5; i++) await pace.turn({ operations: 1, bytes: 1_000 }, signal)
  expect(performance.now() - start).toBeGreaterThan(390)
})

const took = (watch: ReturnType<typeof latencyWatch>, ms: number, times: number, operations = 500) => {
  for (let i = 0; i < times; i++) watch.took(ms, operations)
}
test('a target that answers slower than at the start is left alone, longer each time, and no longer once it is fast', () => {
  const watch = latencyWatch()
  took(watch, 5, 42)
  expect(watch.pause()).toBeUndefined()
  took(watch, 60, 6)
  expect(watch.pause()).toEqual({ forMs: 500, p50Ms: 60, startP50Ms: 5 })
  expect(watch.pause()).toBeUndefined()
  took(watch, 80, 6)
  expect(watch.pause()).toMatchObject({ forMs: 1_000, p50Ms: 80 })
  took(watch, 5, 6)
  expect(watch.pause()).toBeUndefined()
  took(watch, 60, 6)
  expect(watch.pause()).toMatchObject({ forMs: 500 })
})
test('noise of a fast target, one slow answer, and batches of another size are no reason', () => {
  const watch = latencyWatch()
  took(watch, 1, 12)
  took(watch, 15, 6)
  took(watch, 1, 5)
  took(watch, 5_000, 1)
  took(watch, 300, 12, 1)
  took(watch, 300, 6, 1)
  expect(watch.pause()).toBeUndefined()
})
