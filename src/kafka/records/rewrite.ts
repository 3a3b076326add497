import { KmigError } from '../../kit/index.ts'
import { type Codec, compress, decompress } from './codecs.ts'
import { AT, ATTRIBUTE, HEADER, type ProducerStamp, readLong, sizeOfBatch } from './header.ts'
import { checkCrc, sealBatch, writeHeader } from './records.ts'
import { readVarint, sizeOfVarint, varint, writeVarint } from './varint.ts'

export type RewriteOptions = {
  /** Records of the first batch that are left out. */
  skip: number
  stamp: ProducerStamp
  where: string
}

/** Most bytes that a record can grow by: its length, time and offset may each need longer numbers. */
const GROWTH = 16

/**
 * Makes one batch of several dense ones that start at `ats` in `set`, of one codec: each record's length, time delta
 * and offset delta are written anew, the rest is copied. Log append time becomes create time (all records get it).
 * Every batch is checked against its own checksum first, so that damage is not blessed with a new one.
 */
export const rewrite = (
  set: Buffer,
  ats: readonly number[],
  { skip, stamp, where }: RewriteOptions,
): Buffer => {
  const first = ats[0] ?? 0
  const attributes = set.readInt16BE(first + AT.attributes)
  const codec = (attributes & ATTRIBUTE.codec) as Codec
  const appended = (attributes & ATTRIBUTE.logAppendTime) !== 0
  const origin = first + (appended ? AT.maxTimestamp : AT.baseTimestamp)
  const baseTimestamp = set.readBigInt64BE(origin)
  const baseTime = readLong(set, origin)
  const bodies = ats.map(at => bodyOf(set, at, codec, where))
  const room = bodies.reduce((sum, body) => sum + body.end - body.start + body.count * GROWTH, HEADER)
  const out = Buffer.allocUnsafeSlow(room)
  let to = HEADER
  let count = 0
  let maxDelta = 0
  for (const [b, { bytes, start, end, count: records, time }] of bodies.entries()) {
    const shift = time - baseTime
    let from = start
    for (let i = 0; i < records; i++) {
      const length = readVarint(bytes, from)
      const head = varint.at
      const stop = head + length
      if (stop > end) throw new KmigError('CORRUPT_BATCH', `${where}: record ${i} of a batch overruns it`)
      const delta = readVarint(bytes, head + 1)
      readVarint(bytes, varint.at)
      const rest = varint.at
      from = stop
      if (b === 0 && i < skip) continue
      const timeDelta = appended ? 0 : shift + delta
      if (timeDelta > maxDelta || count === 0) maxDelta = timeDelta
      to = writeVarint(out, to, 1 + sizeOfVarint(timeDelta) + sizeOfVarint(count) + stop - rest)
      out[to++] = bytes[head] ?? 0
      to = writeVarint(out, to, timeDelta)
      to = writeVarint(out, to, count++)
      bytes.copy(out, to, rest, stop)
      to += stop - rest
    }
  }
  const seal = {
    baseOffset: 0n,
    codec,
    count,
    baseTimestamp,
    maxTimestamp: baseTimestamp + BigInt(maxDelta),
    stamp,
  }
  if (codec !== 0) return sealBatch(compress(codec, out.subarray(HEADER, to)), seal)
  const batch = out.subarray(0, to)
  writeHeader(batch, to, seal)
  return batch
}

type Body = { bytes: Buffer; start: number; end: number; count: number; time: number }

const bodyOf = (set: Buffer, at: number, codec: Codec, where: string): Body => {
  checkCrc(set, at, where)
  const end = at + sizeOfBatch(set, at)
  const count = set.readInt32BE(at + AT.count)
  const time = readLong(set, at + AT.baseTimestamp)
  if (codec === 0) return { bytes: set, start: at + HEADER, end, count, time }
  const bytes = decompress(codec, set.subarray(at + HEADER, end))
  return { bytes, start: 0, end: bytes.length, count, time }
}
