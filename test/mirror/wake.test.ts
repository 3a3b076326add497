import { expect, test } from 'vitest'
import { Wake } from '../../src/mirror/wake.ts'

test('a loop whose work always comes to nothing lets timers through (a mirror without its lease stood still for ever)', async () => {
  const wake = new Wake(new AbortController().signal)
  let due = false
  setTimeout(() => (due = true), 5)
  let rounds = 0
  for (; !due && rounds < 1_000_000; rounds++) {
    wake.ring()
    await wake.wait()
  }
  expect(due, `${rounds} rounds`).toBe(true)
})

test('a ring that comes while nobody waits is kept', async () => {
  const wake = new Wake(new AbortController().signal)
  wake.ring()
  await wake.wait()
  let woken = false
  const waiting = wake.wait().then(() => (woken = true))
  await new Promise(setImmediate)
  expect(woken).toBe(false)
  wake.ring()
  await waiting
})
