import { expect, test } from 'vitest'
import { Lease, type Moment } from '../../src/kafka/index.ts'

const clock = () => {
  const now: Moment = { monotonicMs: 1_000, wallMs: 50_000 }
  const at = () => ({ ...now })
  const lease = new Lease(8_000, at(), at)
  return { now, at, lease }
}

test('a lease is good from the moment at which the answered heartbeat was sent', () => {
  const { now, at, lease } = clock()
  now.monotonicMs += 5_000
  now.wallMs += 5_000
  const sent = at()
  now.monotonicMs += 2_000
  now.wallMs += 2_000
  lease.renew(sent)
  now.monotonicMs += 5_999
  now.wallMs += 5_999
  expect(lease.holds).toBe(true)
  now.monotonicMs += 1
  now.wallMs += 1
  expect(lease.holds).toBe(false)
  expect(lease.why).toMatch(/8000 ms/)
})
test('a process that slept while its monotonic clock stood still is no owner, and a buffered answer makes it none', () => {
  const { now, at, lease } = clock()
  const sent = at()
  now.wallMs += 60_000
  lease.renew(sent)
  expect(lease.holds).toBe(false)
  lease.renew(at())
  expect(lease.holds).toBe(false)
})
test('a wall clock that is set back prolongs nothing', () => {
  const { now, lease } = clock()
  now.wallMs -= 3_600_000
  now.monotonicMs += 7_999
  expect(lease.holds).toBe(true)
  now.monotonicMs += 1
  expect(lease.holds).toBe(false)
})
test('an ended lease says why, and the first reason stays', () => {
  const { lease } = clock()
  lease.end('the group joins anew')
  lease.end('later')
  expect(lease.why).toBe('the group joins anew')
})
