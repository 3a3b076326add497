import { KmigError } from '../../kit/index.ts'
import { type Codec, compress, decompress } from './codecs.ts'
import { AT, ATTRIBUTE, HEADER, type ProducerStamp, readLong, sizeOfBatch } from './header.ts'
import { checkCrc, sealBatch, writeHeader } from './records.ts'
import { readVarint, sizeOfVarint, varint, writeVarint } from './varint.ts'

/** Unpacked records of one batch, from `start` to `end` of `bytes`, encoded as in v2. */
export type Body = {
  bytes: Buffer
  start: number
  end: number
  count: number
  /** What the offset deltas of its records count from. As a number: only its distance to that of other bodies matters. */
  base: number
  /** What their time deltas count from; where `appended`, the time of them all. A number, as `base`. */
  time: number
  appended: boolean
}

/** The first body's base and time, exactly: the others' are as near to it as numbers can say. */
export type Origin = { base: bigint; time: bigint }

export type RewriteOptions = {
  where: string
  codec: Codec
  origin: Origin
  /** Records before this offset are left out. */
  from: bigint
  /** Data records of the partition that precede. */
  ordinal: bigint
  stamp(ordinal: bigint): ProducerStamp
  /** A batch ends before every hole; else holes vanish inside it. */
  dense: boolean
  /** No batch of several records grows beyond so many bytes. */
  maxBytes: number
}

/** A new batch. `runs`: where its records stood, if not next to each other. */
export type Rewritten = {
  bytes: Buffer
  count: number
  /** Offset of its first record, and the one after its last. */
  base: bigint
  end: bigint
  runs: { from: bigint; count: number }[] | undefined
  ordinal: bigint
  /** Bodies that it has records of. */
  bodies: number
}

/** Most bytes that a record can grow by: its length, time and offset may each need longer numbers. */
const GROWTH = 16
/** Packed batches of one size differ: aim lower than the limit. */
const AIM = 0.9

/**
 * Makes new batches of the records of several, which go on from one another: each record's length, time delta and offset
 * delta are written anew, the rest is copied. Log append time becomes create time. One batch comes out unless holes or
 * the target's limit divide it.
 */
export const rewrite = (bodies: readonly Body[], o: RewriteOptions): Rewritten[] => {
  for (let budget = o.codec === 0 ? o.maxBytes : Number.POSITIVE_INFINITY; ; ) {
    const made = write(bodies, o, budget)
    const over = made.find(({ bytes, count }) => bytes.length > o.maxBytes && count > 1)
    if (!over) return made
    const unpacked = Math.min(budget, sizeOf(bodies))
    budget = Math.floor(unpacked * Math.min(AIM, (AIM * o.maxBytes) / over.bytes.length))
  }
}

const sizeOf = (bodies: readonly Body[]): number =>
  bodies.reduce((sum, { start, end, count }) => sum + end - start + count * GROWTH, HEADER)

const write = (bodies: readonly Body[], o: RewriteOptions, budget: number): Rewritten[] => {
  const made: Rewritten[] = []
  const out = Buffer.allocUnsafeSlow(sizeOf(bodies))
  const cursor: Cursor = { body: 0, record: 0, at: bodies[0]?.start ?? 0 }
  const { base: origin, time: baseTimestamp } = o.origin
  let ordinal = o.ordinal
  for (;;) {
    const filled = fill(out, bodies, cursor, o, budget)
    if (!filled) return made
    const { size, count, first, end, latest } = filled
    const seal = {
      baseOffset: 0n,
      codec: o.codec,
      count,
      baseTimestamp,
      maxTimestamp: baseTimestamp + BigInt(latest),
      stamp: o.stamp(ordinal),
    }
    let bytes: Buffer = out.subarray(0, size)
    if (o.codec !== 0) bytes = sealBatch(compress(o.codec, bytes.subarray(HEADER)), seal)
    else {
      if (cursor.body < bodies.length || made.length > 0) bytes = Buffer.from(bytes) // `out` is filled again
      writeHeader(bytes, size, seal)
    }
    made.push({
      bytes,
      count,
      base: origin + BigInt(first),
      end: origin + BigInt(end),
      runs: filled.runs?.map(({ first, count }) => ({ from: origin + BigInt(first), count })),
      ordinal,
      bodies: filled.bodies,
    })
    ordinal += BigInt(count)
  }
}

type Cursor = { body: number; record: number; at: number }
/** Offsets and times count from those of the first body. */
type Filled = {
  size: number
  count: number
  first: number
  end: number
  latest: number
  runs: { first: number; count: number }[] | undefined
  bodies: number
}

/** Fills `out` behind a header's room with one batch's records from `cursor` on, and moves it; undefined if none are left. */
const fill = (
  out: Buffer,
  bodies: readonly Body[],
  cursor: Cursor,
  o: RewriteOptions,
  budget: number,
): Filled | undefined => {
  const { dense, where } = o
  const origin = bodies[0]?.base ?? 0
  const baseTime = bodies[0]?.time ?? 0
  const least = Number(o.from - o.origin.base)
  let to = HEADER
  let count = 0
  let latest = 0
  let first = 0
  let next = -1
  let runs: Filled['runs']
  let runFrom = 0
  let runCount = 0
  let firstBody = 0
  let lastBody = 0
  let { record, at } = cursor
  for (let b = cursor.body; b < bodies.length; b++) {
    const body = bodies[b]
    if (!body) break
    const { bytes, end, count: records, appended } = body
    const timeShift = body.time - baseTime
    const shift = body.base - origin
    if (b > cursor.body) {
      at = body.start
      record = 0
    }
    for (; record < records; record++) {
      const length = readVarint(bytes, at)
      const head = varint.at
      const stop = head + length
      const delta = readVarint(bytes, head + 1)
      const offset = shift + readVarint(bytes, varint.at)
      const rest = varint.at
      if (stop > end || rest > stop || offset < next)
        throw new KmigError(
          'CORRUPT_BATCH',
          `${where}: record ${record} of the batch at offset ${body.base} overruns it or goes back`,
        )
      if (offset < least) {
        at = stop
        continue
      }
      const timeDelta = appended ? timeShift : timeShift + delta
      const size = 1 + sizeOfVarint(timeDelta) + sizeOfVarint(count) + stop - rest
      if (count === 0) {
        first = offset
        runFrom = offset
        firstBody = b
      } else if ((dense && offset !== next) || to + size + sizeOfVarint(size) > budget) {
        cursor.body = b
        cursor.record = record
        cursor.at = at
        runs?.push({ first: runFrom, count: count - runCount })
        return { size: to, count, first, end: next, latest, runs, bodies: lastBody - firstBody + 1 }
      } else if (offset !== next) {
        runs ??= []
        runs.push({ first: runFrom, count: count - runCount })
        runFrom = offset
        runCount = count
      }
      if (timeDelta > latest || count === 0) latest = timeDelta
      to = writeVarint(out, to, size)
      out[to++] = bytes[head] ?? 0
      to = writeVarint(out, to, timeDelta)
      to = writeVarint(out, to, count++)
      bytes.copy(out, to, rest, stop)
      to += stop - rest
      next = offset + 1
      lastBody = b
      at = stop
    }
  }
  cursor.body = bodies.length
  if (count === 0) return undefined
  runs?.push({ first: runFrom, count: count - runCount })
  return { size: to, count, first, end: next, latest, runs, bodies: lastBody - firstBody + 1 }
}

/** Where a delete horizon stands in the base timestamp's place, times count from it all the same (DefaultRecordBatch). */
export const originOf = (set: Buffer, at: number): Origin => {
  const appended = (set.readInt16BE(at + AT.attributes) & ATTRIBUTE.logAppendTime) !== 0
  return {
    base: set.readBigInt64BE(at + AT.baseOffset),
    time: set.readBigInt64BE(at + (appended ? AT.maxTimestamp : AT.baseTimestamp)),
  }
}

/** Unpacks a v2 batch. It is checked against its own checksum first, so that damage is not blessed with a new one. */
export const bodyOf = (set: Buffer, at: number, where: string, view?: DataView): Body => {
  checkCrc(set, at, where, view)
  const end = at + sizeOfBatch(set, at)
  const attributes = set.readInt16BE(at + AT.attributes)
  const codec = attributes & ATTRIBUTE.codec
  const appended = (attributes & ATTRIBUTE.logAppendTime) !== 0
  const count = set.readInt32BE(at + AT.count)
  const base = readLong(set, at + AT.baseOffset)
  const time = readLong(set, at + (appended ? AT.maxTimestamp : AT.baseTimestamp))
  if (codec === 0) return { bytes: set, start: at + HEADER, end, count, base, time, appended }
  const bytes = decompress(codec, set.subarray(at + HEADER, end))
  return { bytes, start: 0, end: bytes.length, count, base, time, appended }
}
