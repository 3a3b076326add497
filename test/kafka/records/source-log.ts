import { crc32 } from 'node:zlib'
import { patchHeader } from '../../../src/kafka/records/crc.ts'
import {
  AT,
  ATTRIBUTE,
  type Codec,
  compress,
  encodeBatch,
  type NewRecord,
} from '../../../src/kafka/records/index.ts'
import { sealBatch, writeField } from '../../../src/kafka/records/records.ts'
import { sizeOfVarint, writeVarint } from '../../../src/kafka/records/varint.ts'

export type Placed = Required<NewRecord> & { offset: bigint }

/** A v2 batch as the cleaner leaves one: records at any offsets from `base` to `last`. */
export const sparseBatch = (
  records: readonly Placed[],
  {
    base,
    last,
    codec,
    bits,
    producerId,
  }: { base: bigint; last: bigint; codec: Codec; bits: number; producerId: bigint },
): Buffer => {
  const baseTimestamp = records[0]?.timestamp ?? 0n
  const body = Buffer.concat(
    records.map(({ offset, timestamp, key, value, headers }) => {
      const raw = Buffer.alloc(200 + (key?.length ?? 0) + (value?.length ?? 0))
      let at = writeVarint(raw, 1, Number(timestamp - baseTimestamp))
      at = writeVarint(raw, at, Number(offset - base))
      at = writeField(raw, writeField(raw, at, key), value)
      at = writeVarint(raw, at, headers.length)
      for (const header of headers) at = writeField(raw, writeField(raw, at, header.key), header.value)
      const length = Buffer.alloc(sizeOfVarint(at))
      writeVarint(length, 0, at)
      return Buffer.concat([length, raw.subarray(0, at)])
    }),
  )
  const batch = sealBatch(compress(codec, body), {
    baseOffset: base,
    codec,
    count: records.length,
    baseTimestamp,
    maxTimestamp: records.reduce((max, { timestamp }) => (timestamp > max ? timestamp : max), baseTimestamp),
    stamp: { producerId, producerEpoch: 0, baseSequence: 0 },
  })
  patchHeader(batch, 0, () => {
    batch.writeInt16BE(codec | bits, AT.attributes)
    batch.writeInt32BE(Number(last - base), AT.lastOffsetDelta)
  })
  return batch
}

/** The marker that ends a transaction; one whose record the cleaner took has no type left. */
export const markerBatch = (offset: bigint, producerId: bigint, type: 'abort' | 'commit'): Buffer => {
  const key = Buffer.from([0, 0, 0, type === 'abort' ? 0 : 1])
  const batch = encodeBatch([{ key, value: Buffer.alloc(6), timestamp: 5n }], {
    baseOffset: offset,
    stamp: { producerId, producerEpoch: 0, baseSequence: -1 },
  })
  patchHeader(batch, 0, () => batch.writeInt16BE(ATTRIBUTE.control | ATTRIBUTE.transactional, AT.attributes))
  return batch
}

/** A message of format 0 or 1. */
export const oldMessage = (
  magic: 0 | 1,
  attributes: number,
  { offset, timestamp, key, value }: Pick<Placed, 'offset' | 'timestamp' | 'key' | 'value'>,
): Buffer => {
  const field = (bytes: Buffer | null) => {
    const length = Buffer.alloc(4)
    length.writeInt32BE(bytes ? bytes.length : -1)
    return Buffer.concat([length, bytes ?? Buffer.alloc(0)])
  }
  const time = Buffer.alloc(magic === 0 ? 0 : 8)
  if (magic === 1) time.writeBigInt64BE(timestamp)
  const rest = Buffer.concat([Buffer.from([magic, attributes]), time, field(key), field(value)])
  const head = Buffer.alloc(16)
  head.writeBigInt64BE(offset)
  head.writeInt32BE(rest.length + 4, 8)
  head.writeUInt32BE(crc32(rest), 12)
  return Buffer.concat([head, rest])
}

/** Messages packed into one: format 1 counts offsets from the first of those that were there before compaction. */
export const oldWrapper = (magic: 0 | 1, codec: Codec, base: bigint, messages: readonly Placed[]): Buffer => {
  const inner = messages.map(message =>
    oldMessage(magic, 0, { ...message, offset: magic === 0 ? message.offset : message.offset - base }),
  )
  const last = messages.at(-1)
  return oldMessage(magic, codec, {
    offset: last?.offset ?? base,
    timestamp: last?.timestamp ?? -1n,
    key: null,
    value: compress((codec & ATTRIBUTE.codec) as Codec, Buffer.concat(inner)),
  })
}
