import { expect, test } from 'vitest'
import { pauseFindings, pausesOf, type Sent } from '../../../src/cutover/doctor/pauses.ts'

const sent = (topic: string, partition: number, producerId: bigint, everyMs: number, count = 10): Sent[] =>
  Array.from({ length: count }, (_, i) => ({ topic, partition, producerId, atMs: i * everyMs }))

test('a writer pauses as long as on the partition that it writes to most often', () => {
  const batches = [...sent('orders', 0, 7n, 60_000), ...sent('orders', 1, 7n, 2_000)]
  expect(pausesOf(batches)).toEqual([{ topic: 'orders', producerId: 7n, ms: 2_000 }])
})
test('writers without an id are told apart by their topics, and one that hardly wrote tells nothing', () => {
  const batches = [...sent('a', 0, -1n, 1_000), ...sent('b', 0, -1n, 90_000), ...sent('c', 0, 9n, 1, 4)]
  expect(pausesOf(batches).map(({ topic, ms }) => [topic, ms])).toEqual([
    ['a', 1_000],
    ['b', 90_000],
  ])
})
test('records out of order make no negative pause', () => {
  const batches = sent('a', 0, 1n, 500).reverse()
  expect(pausesOf(batches)).toEqual([{ topic: 'a', producerId: 1n, ms: 500 }])
})
test('only pauses beyond the window are told, with the window that would see them', () => {
  const pauses = [
    { topic: 'a', producerId: 1n, ms: 9_000 },
    { topic: 'b', producerId: -1n, ms: 44_100 },
  ]
  expect(pauseFindings(pauses, 10_000)).toMatchObject([
    {
      severity: 'warning',
      evidence: expect.stringMatching(/: producer without an id of b \(/),
      fix: expect.stringContaining('--still-for 45s'),
    },
  ])
  expect(pauseFindings(pauses, 45_000)).toEqual([])
})
