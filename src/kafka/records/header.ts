import { Offset } from '../../kit/index.ts'

/** Bytes of a v2 batch header; records follow. Source: DefaultRecordBatch. */
export const HEADER = 61
/** Bytes before the length field's count begins: baseOffset and batchLength. */
export const LOG_OVERHEAD = 12
/** Where each field stands. */
export const AT = {
  baseOffset: 0,
  length: 8,
  leaderEpoch: 12,
  magic: 16,
  crc: 17,
  attributes: 21,
  lastOffsetDelta: 23,
  baseTimestamp: 27,
  maxTimestamp: 35,
  producerId: 43,
  producerEpoch: 51,
  baseSequence: 53,
  count: 57,
} as const
export const ATTRIBUTE = {
  codec: 0x07,
  logAppendTime: 0x08,
  transactional: 0x10,
  control: 0x20,
  deleteHorizon: 0x40,
} as const

/** What the broker of an ordinary client would write: who sends it, and the sequence of its first record. */
export type ProducerStamp = { producerId: bigint; producerEpoch: number; baseSequence: number }

/** A batch header, read. `size` is of the whole batch in bytes, header included. */
export type BatchHeader = ProducerStamp & {
  baseOffset: Offset
  lastOffset: Offset
  leaderEpoch: number
  magic: number
  attributes: number
  lastOffsetDelta: number
  count: number
  maxTimestamp: bigint
  crc: number
  size: number
}

export const sizeOfBatch = (bytes: Buffer, at: number): number =>
  LOG_OVERHEAD + bytes.readInt32BE(at + AT.length)

/** Whether a whole v2 batch (or older message) starts at `at`: the last one of a fetch may be cut off. */
export const isWhole = (bytes: Buffer, at: number): boolean =>
  at + LOG_OVERHEAD <= bytes.length && at + sizeOfBatch(bytes, at) <= bytes.length

/** 64-bit as a number: exact up to 2^53, else only its size is right. */
export const readLong = (bytes: Buffer, at: number): number =>
  bytes.readInt32BE(at) * 4294967296 + bytes.readUInt32BE(at + 4)

export const readHeader = (bytes: Buffer, at = 0): BatchHeader => {
  const baseOffset = bytes.readBigInt64BE(at + AT.baseOffset)
  const lastOffsetDelta = bytes.readInt32BE(at + AT.lastOffsetDelta)
  return {
    baseOffset: Offset(baseOffset),
    lastOffset: Offset(baseOffset + BigInt(lastOffsetDelta)),
    leaderEpoch: bytes.readInt32BE(at + AT.leaderEpoch),
    magic: bytes.readInt8(at + AT.magic),
    attributes: bytes.readInt16BE(at + AT.attributes),
    lastOffsetDelta,
    maxTimestamp: bytes.readBigInt64BE(at + AT.maxTimestamp),
    producerId: bytes.readBigInt64BE(at + AT.producerId),
    producerEpoch: bytes.readInt16BE(at + AT.producerEpoch),
    baseSequence: bytes.readInt32BE(at + AT.baseSequence),
    count: bytes.readInt32BE(at + AT.count),
    crc: bytes.readUInt32BE(at + AT.crc),
    size: sizeOfBatch(bytes, at),
  }
}

/** The whole batches of a record set, with where each starts. Needs magic 2; ends at what can't be a batch. */
export function* headers(bytes: Buffer): Generator<{ at: number; header: BatchHeader }, void> {
  for (let at = 0; isWhole(bytes, at) && sizeOfBatch(bytes, at) >= HEADER; at += sizeOfBatch(bytes, at)) {
    yield { at, header: readHeader(bytes, at) }
  }
}

/** Sequences are 31 bits and wrap. Source: DefaultRecordBatch.incrementSequence. */
export const sequenceOf = (ordinal: bigint): number => Number(ordinal & 0x7fffffffn)
