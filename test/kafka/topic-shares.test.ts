import { expect, test } from 'vitest'
import { shares } from '../../src/kafka/topics.ts'

test('topics are made in requests of at most 5,000 partitions: brokers refuse 10,000 at once', () => {
  const topics = [3_000, 1_999, 2, 4_999, 9_000, 1].map(partitions => ({ partitions }))
  const sizes = shares(topics).map(share => share.map(({ partitions }) => partitions))
  expect(sizes).toEqual([[3_000, 1_999], [2], [4_999], [9_000], [1]])
  expect(shares([])).toEqual([])
})
