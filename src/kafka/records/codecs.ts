import { gunzipSync, gzipSync, zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import { compressFrameSync, decompressFrameSync } from 'lz4-napi'
import { compressSync as snappyCompress, uncompressSync as snappyUncompress } from 'snappy'
import { KmigError } from '../../kit/index.ts'

/** Compression of a batch's records, by the number in its attributes. Source: CompressionType. */
export const CODECS = ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const
export type Codec = 0 | 1 | 2 | 3 | 4

/** Java's snappy wraps its blocks: magic, version, lowest compatible version, then length and block. Source: SnappyOutputStream. */
const XERIAL = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0, 0, 0, 0, 1, 0, 0, 0, 1])
const XERIAL_BLOCK = 32 << 10

const snappyFramed = (raw: Buffer): Buffer => {
  const pieces: Buffer[] = [XERIAL]
  for (let at = 0; at < raw.length; at += XERIAL_BLOCK) {
    const block = Buffer.from(snappyCompress(raw.subarray(at, at + XERIAL_BLOCK)))
    const length = Buffer.allocUnsafe(4)
    length.writeInt32BE(block.length)
    pieces.push(length, block)
  }
  return Buffer.concat(pieces)
}

const snappyPlain = (packed: Buffer): Buffer => {
  if (!packed.subarray(0, 8).equals(XERIAL.subarray(0, 8))) return Buffer.from(snappyUncompress(packed))
  const pieces: Buffer[] = []
  for (let at = XERIAL.length; at + 4 <= packed.length; ) {
    const length = packed.readInt32BE(at)
    pieces.push(Buffer.from(snappyUncompress(packed.subarray(at + 4, at + 4 + length))))
    at += 4 + length
  }
  return Buffer.concat(pieces)
}

export const compress = (codec: Codec, raw: Buffer): Buffer => {
  switch (codec) {
    case 0:
      return raw
    case 1:
      return gzipSync(raw)
    case 2:
      return snappyFramed(raw)
    case 3:
      return compressFrameSync(raw)
    case 4:
      return zstdCompressSync(raw)
    default:
      throw codec satisfies never
  }
}

/** Throws CORRUPT_BATCH if the bytes are not of that codec. */
export const decompress = (codec: number, packed: Buffer): Buffer => {
  try {
    switch (codec as Codec) {
      case 0:
        return packed
      case 1:
        return gunzipSync(packed)
      case 2:
        return snappyPlain(packed)
      case 3:
        return decompressFrameSync(packed)
      case 4:
        return zstdDecompressSync(packed)
    }
  } catch (cause) {
    throw new KmigError('CORRUPT_BATCH', `${CODECS[codec as Codec]} data can't be unpacked`, { cause })
  }
  throw new KmigError('CORRUPT_BATCH', `compression type ${codec} is unknown`)
}

const multiply = (a: number, b: number): number => Math.imul(a, b) >>> 0
const rotate = (a: number, by: number): number => ((a << by) | (a >>> (32 - by))) >>> 0

/** xxHash32 of fewer than 16 bytes, seed 0. */
const shortHash = (bytes: Buffer): number => {
  let hash = (0x165667b1 + bytes.length) >>> 0
  let at = 0
  for (; at + 4 <= bytes.length; at += 4)
    hash = multiply(rotate((hash + multiply(bytes.readUInt32LE(at), 0xc2b2ae3d)) >>> 0, 17), 0x27d4eb2f)
  for (; at < bytes.length; at++)
    hash = multiply(rotate((hash + multiply(bytes[at] ?? 0, 0x165667b1)) >>> 0, 11), 0x9e3779b1)
  hash = multiply(hash ^ (hash >>> 15), 0x85ebca77)
  hash = multiply(hash ^ (hash >>> 13), 0xc2b2ae3d)
  return (hash ^ (hash >>> 16)) >>> 0
}

/**
 * lz4 as it is in messages of format 0: the checksum of its frame header is taken over the magic too, which the frame's
 * specification forbids. It is put right first, then the frame is as any other. Source: KAFKA-3160, Lz4BlockInputStream.
 */
export const decompressOldLz4 = (packed: Buffer): Buffer => {
  const frame = Buffer.from(packed)
  const flags = frame[4] ?? 0
  const end = 6 + (flags & 0x08 ? 8 : 0) + (flags & 0x01 ? 4 : 0)
  if (end < frame.length) frame[end] = (shortHash(frame.subarray(4, end)) >>> 8) & 0xff
  return decompress(3, frame)
}
