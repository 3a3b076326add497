import { expect, test } from 'vitest'
import { FramePool } from '../../src/kafka/index.ts'

const MB = 1 << 20

test('memory that was given back is taken again, the last one first', () => {
  const pool = new FramePool(8 * MB)
  const [first, last] = [pool.take(2 * MB), pool.take(2 * MB)]
  pool.give(first.buffer as ArrayBuffer)
  pool.give(last.buffer as ArrayBuffer)
  expect(pool.take(2 * MB - 7).buffer).toBe(last.buffer)
  expect(pool.take(2 * MB).buffer).toBe(first.buffer)
})

test('frames that have become too small do not keep out those that fit', () => {
  const pool = new FramePool(8 * MB)
  const small = Array.from({ length: 8 }, () => pool.take(MB))
  for (const { buffer } of small) pool.give(buffer as ArrayBuffer)
  const grown = pool.take(4 * MB)
  pool.give(grown.buffer as ArrayBuffer)
  expect(pool.take(4 * MB).buffer).toBe(grown.buffer)
})

test('no more is kept than was asked for', () => {
  const pool = new FramePool(4 * MB)
  const frames = Array.from({ length: 6 }, () => pool.take(2 * MB))
  for (const { buffer } of frames) pool.give(buffer as ArrayBuffer)
  const kept = new Set(frames.slice(-2).map(({ buffer }) => buffer))
  const again = frames.map(() => pool.take(2 * MB).buffer)
  expect(again.filter(buffer => kept.has(buffer))).toHaveLength(2)
  expect(again.filter(buffer => frames.some(frame => frame.buffer === buffer))).toHaveLength(2)
  const large = pool.take(6 * MB)
  pool.give(large.buffer as ArrayBuffer)
  expect(pool.take(6 * MB).buffer).not.toBe(large.buffer)
})
