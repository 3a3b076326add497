import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { inAll, tried } from '../../../src/cutover/doctor/facts.ts'
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

test('all checks together have 90 s: those that come later are told as not looked at, and at once', async () => {
  using limit = inAll(new AbortController())
  const started = performance.now()
  const all = (async () => {
    const seen = []
    for (const _ of ['one', 'other', 'third', 'fourth']) seen.push(await tried(forever, limit))
    return seen.map(each => (each.kind === 'unseen' ? each.why : 'seen'))
  })()
  await vi.advanceTimersByTimeAsync(90_000)
  const late = expect.stringContaining('all checks together have')
  expect(await all).toEqual([expect.stringContaining('no answer within'), late, late, late])
  expect(performance.now() - started).toBe(90_000)
})

test('whoever ends the command ends all checks, also late ones', async () => {
  const end = new AbortController()
  using limit = inAll(end)
  const seen = tried(forever, limit)
  end.abort(new KmigError('ABORTED', 'enough'))
  await expect(seen).rejects.toThrow('enough')
})
