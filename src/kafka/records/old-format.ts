import { crc32 } from 'node:zlib'
import { KmigError } from '../../kit/index.ts'
import { CODECS, type Codec, decompress, decompressOldLz4 } from './codecs.ts'
import { AT, ATTRIBUTE, isWhole, sizeOfBatch } from './header.ts'
import { sizeOfField, writeField } from './records.ts'
import type { Body, Origin } from './rewrite.ts'
import { sizeOfVarint, writeVarint } from './varint.ts'

/** Where the fields of a message of format 0 or 1 stand, after offset and size; format 1 has a timestamp before the key. */
const OLD = { crc: 12, magic: 16, attributes: 17, timestamp: 18 } as const
/** Bytes of the smallest message: no key, no value, no timestamp. */
export const LEAST_OLD = 26
/** What a record of v2 needs beyond its key and value, at most: length, attributes, time, offset, two lengths, headers. */
const MOST_V2 = 5 + 1 + 10 + 5 + 5 + 5 + 1

type Message = { offset: bigint; timestamp: bigint; key: Buffer | null; value: Buffer | null }
type Entry = Message & { magic: number; attributes: number }

export type OldMessages = {
  codec: Codec
  /** In order; each has times near to each other, and goes into batches of its own. */
  bodies: { body: Body; origin: Origin }[]
  /** The first offset after them. */
  next: bigint
  /** Where they end in the set. */
  end: number
}

/**
 * Reads messages of format 0 or 1 that stand one after the other with one codec, about `bytes` of them, and encodes them
 * as records of v2: no headers, no timestamp (-1) in format 0. Source: LegacyRecord, AbstractLegacyRecordBatch.
 */
export const oldMessages = (set: Buffer, at: number, bytes: number, where: string): OldMessages => {
  const codec = (set.readInt8(at + OLD.attributes) & ATTRIBUTE.codec) as Codec
  const found: Message[] = []
  let end = at
  let next = 0n
  do {
    const entry = entryAt(set, end, where)
    if (codec === 0) found.push(entry)
    else for (const message of unwrapped(entry, where)) found.push(message)
    next = entry.offset + 1n
    end += sizeOfBatch(set, end)
  } while (
    end - at < bytes &&
    isOld(set, end) &&
    (set.readInt8(end + OLD.attributes) & ATTRIBUTE.codec) === codec
  )
  return { codec, bodies: bodiesOf(found), next, end }
}

/** Whether a whole message of format 0 or 1 starts there. */
export const isOld = (set: Buffer, at: number): boolean =>
  isWhole(set, at) && sizeOfBatch(set, at) >= LEAST_OLD && set.readInt8(at + AT.magic) < 2

const corrupt = (where: string, offset: bigint, what: string): KmigError =>
  new KmigError('CORRUPT_BATCH', `${where}: the message at offset ${offset} ${what}`, {
    try: ['check the disks of the broker that leads it; move leadership to a healthy replica'],
  })

const entryAt = (set: Buffer, at: number, where: string): Entry => {
  const offset = set.readBigInt64BE(at)
  const end = at + sizeOfBatch(set, at)
  const magic = set.readInt8(at + OLD.magic)
  const crc = crc32(set.subarray(at + OLD.magic, end))
  if (crc !== set.readUInt32BE(at + OLD.crc)) throw corrupt(where, offset, `has CRC ${crc}, not what it says`)
  let from = OLD.timestamp + at + (magic === 0 ? 0 : 8)
  const take = (): Buffer | null => {
    const length = from + 4 <= end ? set.readInt32BE(from) : end
    from += 4
    if (length < 0) return null
    from += length
    if (from > end) throw corrupt(where, offset, 'is shorter than its key and value')
    return set.subarray(from - length, from)
  }
  return {
    offset,
    magic,
    attributes: set.readInt8(at + OLD.attributes),
    timestamp: magic === 0 ? -1n : set.readBigInt64BE(at + OLD.timestamp),
    key: take(),
    value: take(),
  }
}

/** The messages inside a packed one. Format 1 counts their offsets from the first, and the wrapper has that of the last. */
const unwrapped = ({ offset, magic, attributes, timestamp, value }: Entry, where: string): Message[] => {
  const codec = attributes & ATTRIBUTE.codec
  if (!value) throw corrupt(where, offset, `is ${CODECS[codec as Codec]} of nothing`)
  const set = magic === 0 && codec === 3 ? decompressOldLz4(value) : decompress(codec, value)
  const inner: Entry[] = []
  let at = 0
  for (; isOld(set, at); at += sizeOfBatch(set, at)) inner.push(entryAt(set, at, where))
  const last = inner.at(-1)
  if (!last || at !== set.length || inner.some(({ attributes }) => attributes & ATTRIBUTE.codec))
    throw corrupt(where, offset, 'does not hold whole messages')
  // offset 0: what some versions of librdkafka wrote
  const shift = magic === 0 || offset === 0n ? 0n : offset - last.offset
  if (shift < 0n) throw corrupt(where, offset, `holds one with the larger offset ${last.offset}`)
  const appended = (attributes & ATTRIBUTE.logAppendTime) !== 0
  for (const message of inner) {
    message.offset += shift
    if (appended && magic === 1) message.timestamp = timestamp
  }
  return inner
}

/** Times of one body lie so near to each other that their distance is exact as a number. */
const bodiesOf = (messages: readonly Message[]): OldMessages['bodies'] => {
  const bodies: OldMessages['bodies'] = []
  for (let from = 0; from < messages.length; ) {
    const first = messages[from] as Message
    let to = from + 1
    while (to < messages.length && isNear(first, messages[to] as Message)) to++
    bodies.push(bodyOfOld(messages.slice(from, to), first))
    from = to
  }
  return bodies
}

const isNear = (a: Message, b: Message): boolean => {
  const apart = b.timestamp - a.timestamp
  return apart < 1n << 52n && apart > -(1n << 52n) && b.offset - a.offset < 1n << 31n
}

const bodyOfOld = (messages: readonly Message[], first: Message): { body: Body; origin: Origin } => {
  const size = ({ key, value }: Message) => (key?.length ?? 0) + (value?.length ?? 0) + MOST_V2
  const bytes = Buffer.allocUnsafeSlow(messages.reduce((sum, message) => sum + size(message), 0))
  let end = 0
  for (const { offset, timestamp, key, value } of messages) {
    const time = Number(timestamp - first.timestamp)
    const delta = Number(offset - first.offset)
    const length = 1 + sizeOfVarint(time) + sizeOfVarint(delta) + sizeOfField(key) + sizeOfField(value) + 1
    end = writeVarint(bytes, end, length)
    bytes[end++] = 0
    end = writeVarint(bytes, writeVarint(bytes, end, time), delta)
    end = writeField(bytes, writeField(bytes, end, key), value)
    bytes[end++] = 0
  }
  const body = { bytes, start: 0, end, count: messages.length, base: 0, time: 0, appended: false }
  return { body, origin: { base: first.offset, time: first.timestamp } }
}
