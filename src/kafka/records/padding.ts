import { constants, zstdCompressSync } from 'node:zlib'
import type { ProducerStamp } from './header.ts'
import { sealBatch } from './records.ts'
import { sizeOfVarint, writeVarint } from './varint.ts'

/** Records of a full pad. The broker holds every one while it validates, so not more. Source: MIRROR.md 6. */
export const PAD_RECORDS = 100_000

const bodies = new Map<number, Buffer>()
const bodyOf = (count: number): Buffer => {
  let body = bodies.get(count)
  if (!body) {
    const raw = Buffer.alloc(count * 10)
    let at = 0
    for (let i = 0; i < count; i++) {
      at = writeVarint(raw, at, 5 + sizeOfVarint(i)) // attributes, time delta, offset delta, no key, no value, no header
      at = writeVarint(raw, at + 1, 0)
      at = writeVarint(raw, at, i)
      at = writeVarint(raw, writeVarint(raw, at, -1), -1) + 1
    }
    body = zstdCompressSync(raw.subarray(0, at), { params: { [constants.ZSTD_c_compressionLevel]: 3 } })
    if (bodies.size > 8) bodies.clear()
    bodies.set(count, body)
  }
  return body
}

/**
 * A batch of `count` empty records (null key and value, timestamp -1, zstd), that moves a partition's end by `count`
 * offsets for 0.6 byte an offset. They are deleted before anybody reads the partition.
 */
export const padBatch = (count: number, stamp: ProducerStamp): Buffer =>
  sealBatch(bodyOf(count), { baseOffset: 0n, codec: 4, count, baseTimestamp: -1n, maxTimestamp: -1n, stamp })
