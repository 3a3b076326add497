import { KmigError, Offset } from '../../kit/index.ts'
import { patchHeader } from './crc.ts'
import { AT, ATTRIBUTE, isWhole, type ProducerStamp, sizeOfBatch } from './header.ts'
import { checkCrc, writeStamp } from './records.ts'
import { rewrite } from './rewrite.ts'

/** A batch that can be produced: whole, dense, stamped. `base` is the offset of its first record. */
export type Piece = {
  bytes: Buffer
  base: Offset
  count: number
  how: 'passed' | 'merged' | 'reencoded'
  /** Source batches that went into it. */
  batches: number
  /** Called once, when nobody needs `bytes` any more. */
  done?: (() => void) | undefined
}

export type RecodeOptions = {
  /** `topic-partition`, for errors. */
  where: string
  /** The first offset that is wanted; batches before it are skipped, one that contains it is trimmed. */
  from: Offset
  /** Who sends the batch whose first record has this offset. */
  stamp(base: bigint): ProducerStamp
  /** Batches of at least so many bytes pass untouched; smaller ones are merged with their neighbours. By codec: 0 none, else packed. */
  passFrom: { plain: number; packed: number }
  /** A merged batch is closed before it grows beyond this many bytes. */
  mergeTo: number
}

/** What became of a record set. `next` is the first offset not handled; `stop` says why it ends there, if not for want of bytes. */
export type Recoded = { pieces: Piece[]; next: Offset; stop?: KmigError }

const APART = ATTRIBUTE.transactional | ATTRIBUTE.control
/** A packed batch of more is worth its compression: merging would unpack and pack it again. */
const FEW_RECORDS = 16
/** Timestamps whose upper half is beyond this can't be added up exactly as numbers: such batches are not merged. */
const WILD_TIME = 1 << 20

/**
 * Turns the record set of a fetch into batches for the target: passed by a changed header (checksum patched, payload
 * untouched), merged from small neighbours, or re-encoded where a batch must be trimmed or holds log append times.
 * Dense partitions only: the first hole ends it with HOLE. Source: MIRROR.md 4.
 */
export const recode = (set: Buffer, o: RecodeOptions): Recoded => {
  const pieces: Piece[] = []
  let next: bigint = o.from
  const done = (stop?: KmigError): Recoded => ({ pieces, next: Offset(next), ...(stop ? { stop } : {}) })
  for (let at = 0; isWhole(set, at); ) {
    const size = sizeOfBatch(set, at)
    if (set.readInt8(at + AT.magic) !== 2) return done(oldFormat(o.where, set, at))
    const base = set.readBigInt64BE(at)
    const last = base + BigInt(set.readInt32BE(at + AT.lastOffsetDelta))
    if (last < next) {
      at += size
      continue
    }
    const stop = holeBefore(set, at, base, next, o.where)
    if (stop) return done(stop)
    const attributes = set.readInt16BE(at + AT.attributes)
    if (base < next || attributes & ATTRIBUTE.logAppendTime) {
      const skip = Number(next - base)
      const bytes = rewrite(set, [at], { skip, stamp: o.stamp(next), where: o.where })
      pieces.push({ bytes, base: Offset(next), count: Number(last - next) + 1, how: 'reencoded', batches: 1 })
      next = last + 1n
      at += size
      continue
    }
    const group = isSmall(set, at, size, o) ? neighbours(set, at, o) : [at]
    if (group.length > 1) {
      const bytes = rewrite(set, group, { skip: 0, stamp: o.stamp(next), where: o.where })
      const count = bytes.readInt32BE(AT.count)
      pieces.push({ bytes, base: Offset(next), count, how: 'merged', batches: group.length })
      next += BigInt(count)
      const tail = group.at(-1) ?? at
      at = tail + sizeOfBatch(set, tail)
    } else {
      pieces.push(pass(set, at, size, o))
      next = last + 1n
      at += size
    }
  }
  return done()
}

const pass = (set: Buffer, at: number, size: number, o: RecodeOptions): Piece => {
  const base = set.readBigInt64BE(at)
  patchHeader(set, at, () => {
    set.writeInt16BE(set.readInt16BE(at + AT.attributes) & ATTRIBUTE.codec, at + AT.attributes)
    writeStamp(set, at, o.stamp(base))
  })
  set.writeInt32BE(-1, at + AT.leaderEpoch)
  set.writeBigInt64BE(0n, at)
  const count = set.readInt32BE(at + AT.count)
  return { bytes: set.subarray(at, at + size), base: Offset(base), count, how: 'passed', batches: 1 }
}

const isSmall = (set: Buffer, at: number, size: number, o: RecodeOptions): boolean => {
  const attributes = set.readInt16BE(at + AT.attributes)
  const time = set.readInt32BE(at + AT.baseTimestamp)
  if (Math.abs(time) >= WILD_TIME) return false
  if (!(attributes & ATTRIBUTE.codec)) return size < o.passFrom.plain
  return size < o.passFrom.packed && set.readInt32BE(at + AT.count) <= FEW_RECORDS
}

/** Where the small batches start that go into one with that at `at`: dense, of one codec, one after the other. */
const neighbours = (set: Buffer, at: number, o: RecodeOptions): number[] => {
  const attributes = set.readInt16BE(at + AT.attributes)
  const group = [at]
  let bytes = sizeOfBatch(set, at)
  let end = set.readBigInt64BE(at) + BigInt(set.readInt32BE(at + AT.count))
  for (let to = at + bytes; isWhole(set, to); ) {
    const size = sizeOfBatch(set, to)
    const count = set.readInt32BE(to + AT.count)
    const fits =
      bytes + size <= o.mergeTo &&
      set.readInt8(to + AT.magic) === 2 &&
      set.readInt16BE(to + AT.attributes) === attributes &&
      set.readInt32BE(to + AT.lastOffsetDelta) === count - 1 &&
      set.readBigInt64BE(to) === end &&
      isSmall(set, to, size, o)
    if (!fits) break
    group.push(to)
    bytes += size
    end += BigInt(count)
    to += size
  }
  return group
}

/** Why the batch at `at` can't follow densely on `next`; undefined if it can. Checks first that the batch is undamaged. */
const holeBefore = (
  set: Buffer,
  at: number,
  base: bigint,
  next: bigint,
  where: string,
): KmigError | undefined => {
  const attributes = set.readInt16BE(at + AT.attributes)
  const dense = set.readInt32BE(at + AT.lastOffsetDelta) + 1 === set.readInt32BE(at + AT.count)
  if (base <= next && dense && !(attributes & APART)) return undefined
  checkCrc(set, at, where)
  if (base > next) return hole(where, next, `the next batch starts at ${base}: compacted away, or deleted`)
  if (attributes & ATTRIBUTE.control) return hole(where, base, 'a transaction marker stands there')
  if (attributes & ATTRIBUTE.transactional)
    return hole(where, base, 'a transaction starts there, and its marker will be one')
  return hole(
    where,
    base,
    `the batch of offsets ${base} to ${base + BigInt(set.readInt32BE(at + AT.lastOffsetDelta))} holds ${set.readInt32BE(at + AT.count)} records: compacted`,
  )
}

const hole = (where: string, offset: bigint, why: string): KmigError =>
  new KmigError('HOLE', `${where} offset ${offset}: ${why}; partitions with holes can't be mirrored yet`, {
    try: [
      `leave the topic out with --exclude ${where.replace(/-\d+$/, '')}`,
      'what was copied before it stays exact; nothing after it was copied',
    ],
  })

const oldFormat = (where: string, set: Buffer, at: number): KmigError =>
  new KmigError(
    'OLD_FORMAT',
    `${where} offset ${set.readBigInt64BE(at)}: message format ${set.readInt8(at + AT.magic)}, only 2 can be mirrored yet`,
    {
      try: [`leave the topic out with --exclude ${where.replace(/-\d+$/, '')}`],
    },
  )
