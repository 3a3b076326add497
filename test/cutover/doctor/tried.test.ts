import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { tried } from '../../../src/cutover/doctor/facts.ts'
import { KmigError } from '../../../src/kit/index.ts'

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})
const forever = () => new Promise<never>(() => {})

test('a check that gets no answer ends after a minute, is told as not looked at, and asks no more', async () => {
  let asking: AbortSignal | undefined
  const seen = tried(signal => {
    asking = signal
    return forever()
  }, new AbortController())
  await vi.advanceTimersByTimeAsync(59_000)
  expect(asking?.aborted).toBe(false)
  await vi.advanceTimersByTimeAsync(1_000)
  expect(await seen).toEqual({ kind: 'unseen', why: expect.stringContaining('no answer within') })
  expect(asking?.aborted).toBe(true)
})

test('whoever ends the command ends a check that waits, at once', async () => {
  const end = new AbortController()
  const seen = tried(forever, end)
  end.abort(new KmigError('ABORTED', 'enough'))
  await expect(seen).rejects.toThrow('enough')
})
