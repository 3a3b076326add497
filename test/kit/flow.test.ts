import { setTimeout as wait } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { chooser, inFlight, retry, sleep } from '../../src/kit/index.ts'

const forever = new AbortController().signal

test('work in flight is bounded, and its results come in the order of the items', async () => {
  let now = 0
  let most = 0
  const work = async (n: number) => {
    most = Math.max(most, ++now)
    await wait(10 - n)
    now--
    return n
  }
  const got = await Array.fromAsync(inFlight([1, 2, 3, 4, 5, 6, 7], 3, work, forever))
  expect(got).toEqual([1, 2, 3, 4, 5, 6, 7])
  expect(most).toBe(3)
})

test('the first failure ends it, aborts the others, and waits for them', async () => {
  let ended = 0
  const work = async (n: number, signal: AbortSignal) => {
    if (n === 2) throw new Error('second')
    await sleep(10_000, signal).catch(() => {})
    ended++
  }
  const run = Array.fromAsync(inFlight([2, 1, 3], 3, work, forever))
  await expect(run).rejects.toThrow('second')
  expect(ended).toBe(2)
})

test('an abort ends it with its reason', async () => {
  const stop = new AbortController()
  const run = Array.fromAsync(
    inFlight([1, 2], 1, async (_, signal) => await sleep(10_000, signal), stop.signal),
  )
  stop.abort(new Error('enough'))
  await expect(run).rejects.toThrow('enough')
})

test('what can pass is tried again, what can’t is thrown at once', async () => {
  let tries = 0
  const flaky = async () => {
    if (++tries < 3) throw new Error('passes')
    return tries
  }
  expect(await retry(flaky, { withinMs: 5_000, retriable: () => true })).toBe(3)
  tries = 0
  await expect(retry(flaky, { withinMs: 5_000, retriable: () => false })).rejects.toThrow('passes')
  expect(tries).toBe(1)
})

for (const [include, exclude, name, chosen] of [
  [undefined, undefined, 'orders', true],
  [['orders*'], undefined, 'orders.eu', true],
  [['orders?'], undefined, 'orders', false],
  [['*'], ['tmp*'], 'tmp1', false],
  [['a.b'], undefined, 'axb', false],
  [['a(b'], undefined, 'a(b', true],
] as const) {
  test(`--topics ${include ?? '-'} --exclude ${exclude ?? '-'} ${chosen ? 'takes' : 'leaves'} ${name}`, () => {
    expect(chooser(include, exclude)(name)).toBe(chosen)
  })
}
