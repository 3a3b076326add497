import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Brakes, TokenBucket } from '../../src/mirror/brakes.ts'

test('over any run of answers the bucket lets through its rate, one second’s worth and one answer, never more', () => {
  const steps = fc.array(fc.tuple(fc.nat({ max: 3_000 }), fc.nat({ max: 500_000 })), { maxLength: 60 })
  fc.assert(
    fc.property(fc.integer({ min: 1_000, max: 1_000_000 }), steps, (rate, run) => {
      let now = 0
      let taken = 0
      const bucket = new TokenBucket(rate, now)
      for (const [ms, bytes] of run) {
        now += ms
        const wait = bucket.waitMs(now)
        now += wait
        expect(bucket.waitMs(now)).toBe(0)
        expect(taken).toBeLessThanOrEqual(rate + (rate * now) / 1_000)
        bucket.take(bytes, now)
        taken += bytes
      }
    }),
  )
})

test('a quota of a broker and the own limit are named as what slows the mirror', () => {
  const brakes = new Brakes(1_000)
  expect(brakes.reason).toBeUndefined()
  brakes.throttled('source', 350)
  expect(brakes.reason).toContain('quota of the source (waits of 350 ms)')
  brakes.took(5_000)
  expect(brakes.restMs()).toBeGreaterThan(3_000)
  expect(brakes.reason).toContain('--max-rate')
})
