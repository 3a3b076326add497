import { crc32c } from '@node-rs/crc32'

/** What a record of a writer says about itself. */
export type Stamp = {
  /** One run of writers and readers, 16 hex digits. */
  run: string
  writer: number
  topic: string
  partition: number
  /** Counts from 0 for each writer and partition. */
  serial: number
  timeMs: number
}

/** What a record's value turned out to be. */
export type Reading =
  | { kind: 'stamped'; stamp: Stamp }
  | { kind: 'corrupt'; why: string }
  | { kind: 'foreign' } // no value of a writer at all

const MAGIC = 0x6b6d6967 // "kmig"
const FIXED = 4 + 8 + 4 + 4 + 8 + 8 + 1
const CRC = 4

/** Bytes that a value has at least for a topic's name. */
export const leastBytes = (topic: string): number => FIXED + Buffer.byteLength(topic) + CRC

/** magic, run, writer, partition, serial, time, topic, filler, CRC32C of all before; `bytes` long in all. */
export const writePayload = (stamp: Stamp, bytes: number): Buffer => {
  const topic = Buffer.from(stamp.topic)
  const value = Buffer.alloc(Math.max(bytes, leastBytes(stamp.topic)), stamp.serial & 0xff)
  let at = value.writeUInt32BE(MAGIC)
  at = value.writeBigUInt64BE(BigInt(`0x${stamp.run}`), at)
  at = value.writeUInt32BE(stamp.writer, at)
  at = value.writeUInt32BE(stamp.partition, at)
  at = value.writeBigUInt64BE(BigInt(stamp.serial), at)
  at = value.writeBigUInt64BE(BigInt(stamp.timeMs), at)
  at = value.writeUInt8(topic.length, at)
  topic.copy(value, at)
  value.writeUInt32BE(crc32c(value.subarray(0, -CRC)), value.length - CRC)
  return value
}

export const readPayload = (bytes: Uint8Array | null): Reading => {
  if (!bytes || bytes.length < FIXED + CRC) return { kind: 'foreign' }
  const value = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (value.readUInt32BE() !== MAGIC) return { kind: 'foreign' }
  if (crc32c(value.subarray(0, -CRC)) !== value.readUInt32BE(value.length - CRC)) {
    return { kind: 'corrupt', why: 'its CRC32C does not match' }
  }
  const length = value.readUInt8(FIXED - 1)
  return {
    kind: 'stamped',
    stamp: {
      run: value.readBigUInt64BE(4).toString(16).padStart(16, '0'),
      writer: value.readUInt32BE(12),
      partition: value.readUInt32BE(16),
      serial: Number(value.readBigUInt64BE(20)),
      timeMs: Number(value.readBigUInt64BE(28)),
      topic: value.toString('utf8', FIXED, FIXED + length),
    },
  }
}
