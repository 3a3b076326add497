import { KmigError, Offset } from '../../kit/index.ts'
import { type Codec, compress, decompress } from './codecs.ts'
import { crcOf } from './crc.ts'
import { AT, ATTRIBUTE, HEADER, LOG_OVERHEAD, type ProducerStamp, readHeader, sizeOfBatch } from './header.ts'
import { readVarint, sizeOfVarint, varint, writeVarint } from './varint.ts'

export type RecordHeader = { key: Buffer; value: Buffer | null }
/** A record as a consumer sees it; timestamp in ms. */
export type KafkaRecord = {
  offset: Offset
  timestamp: bigint
  key: Buffer | null
  value: Buffer | null
  headers: RecordHeader[]
}

/** What a record of a new batch holds; offsets follow from its place. */
export type NewRecord = {
  timestamp?: bigint
  key?: Buffer | null
  value?: Buffer | null
  headers?: readonly RecordHeader[]
}

/** A non-producer: what a client without idempotence sends. */
export const NO_PRODUCER: ProducerStamp = { producerId: -1n, producerEpoch: -1, baseSequence: -1 }

/** The records of one v2 batch, unpacked. Throws CORRUPT_BATCH. Source: DefaultRecord. */
export function* recordsOf(bytes: Buffer, at = 0): Generator<KafkaRecord, void> {
  const header = readHeader(bytes, at)
  if (header.magic !== 2)
    throw new KmigError(
      'CORRUPT_BATCH',
      `message format ${header.magic} at offset ${header.baseOffset}, not 2`,
    )
  const base = bytes.readBigInt64BE(at + AT.baseTimestamp)
  const appended = (header.attributes & ATTRIBUTE.logAppendTime) !== 0
  const body = decompress(header.attributes & ATTRIBUTE.codec, bytes.subarray(at + HEADER, at + header.size))
  let from = 0
  const take = (): Buffer | null => {
    const length = readVarint(body, from)
    from = varint.at
    if (length < 0) return null
    from += length
    if (from > body.length)
      throw new KmigError('CORRUPT_BATCH', `a record of the batch at ${header.baseOffset} overruns it`)
    return body.subarray(from - length, from)
  }
  for (let i = 0; i < header.count; i++) {
    const length = readVarint(body, from)
    const end = varint.at + length
    const timestampDelta = readVarint(body, varint.at + 1)
    const offsetDelta = readVarint(body, varint.at)
    from = varint.at
    const key = take()
    const value = take()
    const headers: RecordHeader[] = []
    const count = readVarint(body, from)
    from = varint.at
    for (let h = 0; h < count; h++) headers.push({ key: take() ?? Buffer.alloc(0), value: take() })
    if (from !== end)
      throw new KmigError(
        'CORRUPT_BATCH',
        `record ${i} of the batch at ${header.baseOffset} is not ${length} bytes`,
      )
    yield {
      offset: Offset(header.baseOffset + BigInt(offsetDelta)),
      timestamp: appended ? header.maxTimestamp : base + BigInt(timestampDelta),
      key,
      value,
      headers,
    }
  }
}

export const sizeOfField = (field: Buffer | null): number =>
  field ? sizeOfVarint(field.length) + field.length : 1
export const writeField = (to: Buffer, at: number, field: Buffer | null): number => {
  if (!field) return writeVarint(to, at, -1)
  const start = writeVarint(to, at, field.length)
  to.set(field, start)
  return start + field.length
}

/** A v2 batch of records, CreateTime. `baseOffset` is what a reader of the bytes sees; brokers set their own. */
export const encodeBatch = (
  records: readonly NewRecord[],
  o: { stamp?: ProducerStamp; codec?: Codec; baseOffset?: bigint } = {},
): Buffer => {
  const times = records.map(record => record.timestamp ?? BigInt(Date.now()))
  const base = times[0] ?? 0n
  const bodies = records.map((record, i) => {
    const delta = Number((times[i] ?? base) - base)
    const key = record.key ?? null
    const value = record.value ?? null
    const headers = record.headers ?? []
    let size =
      1 +
      sizeOfVarint(delta) +
      sizeOfVarint(i) +
      sizeOfField(key) +
      sizeOfField(value) +
      sizeOfVarint(headers.length)
    for (const h of headers) size += sizeOfField(h.key) + sizeOfField(h.value)
    const body = Buffer.alloc(sizeOfVarint(size) + size)
    let at = writeVarint(body, 0, size) + 1 // attributes of a record: none
    at = writeVarint(body, at, delta)
    at = writeVarint(body, at, i)
    at = writeField(body, writeField(body, at, key), value)
    at = writeVarint(body, at, headers.length)
    for (const h of headers) at = writeField(body, writeField(body, at, h.key), h.value)
    return body
  })
  const max = times.reduce((a, b) => (a > b ? a : b), base)
  return sealBatch(compress(o.codec ?? 0, Buffer.concat(bodies)), {
    baseOffset: o.baseOffset ?? 0n,
    codec: o.codec ?? 0,
    count: records.length,
    baseTimestamp: base,
    maxTimestamp: max,
    stamp: o.stamp ?? NO_PRODUCER,
  })
}

export type Seal = {
  baseOffset: bigint
  codec: Codec
  count: number
  baseTimestamp: bigint
  maxTimestamp: bigint
  stamp: ProducerStamp
}

/** Puts a header before packed records: a whole batch, dense (last delta = count - 1), CreateTime. */
export const sealBatch = (packed: Buffer, seal: Seal): Buffer => {
  const bytes = Buffer.allocUnsafeSlow(HEADER + packed.length)
  bytes.set(packed, HEADER)
  writeHeader(bytes, bytes.length, seal)
  return bytes
}

/** Writes the header of the batch that fills `bytes` from 0 to `size`, its records being in place. */
export const writeHeader = (bytes: Buffer, size: number, seal: Seal): void => {
  bytes.writeBigInt64BE(seal.baseOffset, AT.baseOffset)
  bytes.writeInt32BE(size - LOG_OVERHEAD, AT.length)
  bytes.writeInt32BE(-1, AT.leaderEpoch)
  bytes.writeInt8(2, AT.magic)
  bytes.writeInt16BE(seal.codec, AT.attributes)
  bytes.writeInt32BE(seal.count - 1, AT.lastOffsetDelta)
  bytes.writeBigInt64BE(seal.baseTimestamp, AT.baseTimestamp)
  bytes.writeBigInt64BE(seal.maxTimestamp, AT.maxTimestamp)
  writeStamp(bytes, 0, seal.stamp)
  bytes.writeInt32BE(seal.count, AT.count)
  bytes.writeUInt32BE(crcOf(bytes), AT.crc)
}

export const writeStamp = (bytes: Buffer, at: number, stamp: ProducerStamp): void => {
  bytes.writeBigInt64BE(stamp.producerId, at + AT.producerId)
  bytes.writeInt16BE(stamp.producerEpoch, at + AT.producerEpoch)
  bytes.writeInt32BE(stamp.baseSequence, at + AT.baseSequence)
}

/** Throws CORRUPT_BATCH if a batch does not match its own checksum. */
export const checkCrc = (bytes: Buffer, at: number, where: string, view?: DataView): void => {
  const found = crcOf(bytes, at, view)
  const said = bytes.readUInt32BE(at + AT.crc)
  if (found !== said) {
    throw new KmigError(
      'CORRUPT_BATCH',
      `${where}: batch of ${sizeOfBatch(bytes, at)} bytes at offset ${bytes.readBigInt64BE(at)} has CRC ${found}, its header says ${said}`,
      {
        try: ['check the disks of the broker that leads it; move leadership to a healthy replica'],
      },
    )
  }
}
