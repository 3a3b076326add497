import { isKmigError, KmigError, Offset } from '../../kit/index.ts'
import type { Codec } from './codecs.ts'
import { patchHeader, viewOf } from './crc.ts'
import { AT, ATTRIBUTE, HEADER, isWhole, type ProducerStamp, readLong, sizeOfBatch } from './header.ts'
import { LEAST_OLD, oldMessages } from './old-format.ts'
import { checkCrc, writeStamp } from './records.ts'
import { type Body, bodyOf, type Origin, originOf, type Rewritten, rewrite } from './rewrite.ts'
import { type Aborted, fatesOf } from './transactions.ts'

/** Source offsets [from, from + count) whose records lie next to each other, all present. */
export type Run = { from: Offset; count: number }

/** A batch that can be produced: whole, stamped, its own offset deltas without a gap. */
export type Piece = {
  kind: 'piece'
  bytes: Buffer
  /** Source offset of its first record. */
  base: Offset
  /** Records. */
  count: number
  /** The source offset after its last record: base + count where it is dense. */
  end: Offset
  /** Which source offsets its records have, in order, where holes lie between them; undefined: dense. */
  runs?: readonly Run[] | undefined
  /** How many data records of the partition precede it: its sequence is this modulo 2^31. */
  ordinal: bigint
  how: 'passed' | 'merged' | 'reencoded'
  /** Source batches that it has records of; messages of an old format that were read together count as one. */
  batches: number
  /** Called once, when nobody needs `bytes` any more. */
  done?: (() => void) | undefined
}

/** Source offsets [from, to) that hold nothing to mirror; where reasons mix, the first. */
export type Hole = {
  kind: 'hole'
  from: Offset
  to: Offset
  why: 'marker' | 'aborted' | 'compacted' | 'lost' | 'carried'
}

/** The largest batch that the target takes, by which of its settings, and what that counts beside the batch. */
export type BatchLimit = { bytes: number; setting: string; beside: number }

export type RecodeOptions = {
  /** `topic-partition`, for errors. */
  where: string
  /** The first offset that is wanted; batches before it are skipped, one that contains it is trimmed. */
  from: Offset
  /** Data records of the partition before `from`. */
  ordinal: bigint
  /** Who sends the batch that so many data records precede. */
  stamp(ordinal: bigint): ProducerStamp
  /** `split`: a piece ends before every hole, so that it can be filled. `squeeze`: holes vanish inside merged and re-encoded pieces. */
  holes: 'split' | 'squeeze'
  /** Of the fetch's answer; sorted or not. */
  aborted: readonly Aborted[]
  /** Producers whose records the target has already, elsewhere. */
  skip?: ReadonlySet<bigint> | undefined
  /** A batch that is larger is split. Without it there is no limit. */
  limit?: BatchLimit | undefined
  /** Batches of at least so many bytes pass untouched; smaller ones are merged with their neighbours. By codec: 0 none, else packed. */
  passFrom: { plain: number; packed: number }
  /** A merged batch is closed before it grows beyond this many bytes. */
  mergeTo: number
}

/**
 * What became of a record set, in source order. `next`: the first offset not handled, `ordinal`: the data records before
 * it; `stop` says why it ends there, if not for want of bytes.
 */
export type Recoded = { items: (Piece | Hole)[]; next: Offset; ordinal: bigint; stop?: KmigError }

const APART = ATTRIBUTE.transactional | ATTRIBUTE.control
/** A packed batch of more is worth its compression: merging would unpack and pack it again. */
const FEW_RECORDS = 16
/** Times and offsets whose upper half is beyond this can't be told apart exactly as numbers: such batches are not merged. */
const WILD = 1 << 20

/** Batches that go into the target as one. `from`: where they are trimmed; `to`: the first offset after them. */
type Group = {
  ats: number[]
  from: bigint
  to: bigint
  bytes: number
  codec: number
  /** Whether its records, or which of them, must change. */
  touched: boolean
  small: boolean
}

/**
 * Turns the record set of a fetch into batches for the target and the holes between them: passed by a changed header
 * (checksum patched, payload untouched), merged from small neighbours, or re-encoded where a batch has holes, must be
 * trimmed, holds log append times, is of an old format or larger than the target takes. Source: MIRROR.md 3 and 4.
 */
export const recode = (set: Buffer, o: RecodeOptions): Recoded => {
  const { where } = o
  const items: (Piece | Hole)[] = []
  const maxBytes = o.limit?.bytes ?? Number.POSITIVE_INFINITY
  const mergeTo = Math.min(o.mergeTo, maxBytes)
  const fateOf = fatesOf(o.aborted)
  let next: bigint = o.from
  let { ordinal } = o
  let group: Group | undefined
  /** What lies between `group`, or the last item, and `next`. */
  let gap: Hole | undefined

  const hole = (from: bigint, to: bigint, why: Hole['why']) => {
    const last = items.at(-1)
    if (last?.kind === 'hole' && last.to === from) last.to = Offset(to)
    else items.push({ kind: 'hole', from: Offset(from), to: Offset(to), why })
  }
  const drop = (to: bigint, why: Hole['why']) => {
    if (o.holes === 'split') close()
    if (gap) gap.to = Offset(to)
    else gap = { kind: 'hole', from: Offset(next), to: Offset(to), why }
    next = to
  }
  /** Rewritten batches, and what they leave out of [from, to). */
  const put = (made: readonly Rewritten[], from: bigint, to: bigint, how: Piece['how']) => {
    let at = from
    for (const { bytes, count, base, end, runs, ordinal: first, bodies } of made) {
      if (count === 1 && o.limit && bytes.length > maxBytes) {
        next = at
        throw tooLarge(where, base, bytes.length, o.limit)
      }
      if (base > at) hole(at, base, 'compacted')
      const piece: Piece = {
        kind: 'piece',
        bytes,
        base: Offset(base),
        count,
        end: Offset(end),
        ordinal: first,
        how,
        batches: bodies,
      }
      if (runs) piece.runs = runs.map(run => ({ from: Offset(run.from), count: run.count }))
      items.push(piece)
      ordinal = first + BigInt(count)
      at = end
    }
    if (to > at) hole(at, to, 'compacted')
  }
  const remake = (bodies: readonly Body[], origin: Origin, codec: number, from: bigint): Rewritten[] =>
    rewrite(bodies, {
      where,
      codec: codec as Codec,
      origin,
      from,
      ordinal,
      stamp: o.stamp,
      dense: o.holes === 'split',
      maxBytes,
    })
  const send = ({ ats, from, to, bytes, codec, touched }: Group) => {
    const [first = 0] = ats
    if (ats.length === 1 && !touched && bytes <= maxBytes) {
      const piece = pass(set, first, bytes, ordinal, o.stamp(ordinal))
      items.push(piece)
      ordinal += BigInt(piece.count)
      return
    }
    next = from // until its batches turn out to be whole
    const { bodies, damage } = wholeOf(set, ats, where)
    const made = remake(bodies, originOf(set, first), codec, from)
    put(made, from, damage ? from : to, ats.length > 1 ? 'merged' : 'reencoded')
    next = damage ? (made.at(-1)?.end ?? from) : to
    if (damage) throw damage
  }
  const close = () => {
    const [sent, after, resume] = [group, gap, next]
    group = undefined
    gap = undefined
    if (sent) send(sent)
    if (after) hole(after.from, after.to, after.why)
    next = resume
  }

  const takeOld = (at: number): number => {
    close()
    const { codec, bodies, next: to, end } = oldMessages(set, at, mergeTo, where)
    for (const [i, { body, origin }] of bodies.entries()) {
      const until = bodies[i + 1]?.origin.base ?? to
      if (until <= next) continue
      put(remake([body], origin, codec, next), next, until, 'reencoded')
      next = until
    }
    return end
  }

  const take = (at: number, size: number) => {
    const base = set.readBigInt64BE(at)
    const lastDelta = set.readInt32BE(at + AT.lastOffsetDelta)
    const end = base + BigInt(lastDelta + 1)
    const count = set.readInt32BE(at + AT.count)
    const attributes = set.readInt16BE(at + AT.attributes)
    const skipped = o.skip?.has(set.readBigInt64BE(at + AT.producerId))
    const fate = skipped ? 'carried' : attributes & APART ? fateOf(set, at, end - 1n, where) : undefined
    if (end <= next) return
    if (base > next) {
      checkCrc(set, at, where)
      drop(base, 'compacted')
    }
    if (fate) {
      drop(end, fate)
      return
    }
    if (count === 0) {
      checkCrc(set, at, where)
      drop(end, 'compacted')
      return
    }
    const touched = base < next || lastDelta + 1 !== count || (attributes & ATTRIBUTE.logAppendTime) !== 0
    const small = isSmall(set, at, size, attributes, count, o)
    const codec = attributes & ATTRIBUTE.codec
    if (group?.small && small && group.codec === codec && group.bytes + size <= mergeTo) {
      group.ats.push(at)
      group.bytes += size
      group.to = end
      gap = undefined
    } else {
      close()
      group = { ats: [at], from: next, to: end, bytes: size, codec, touched, small }
    }
    next = end
  }

  /** Takes small batches that plainly go on from the group, by the thousand: without a bigint for each. Gives where that ends. */
  const follow = (from: number): number => {
    if (!group?.small || gap || o.skip?.size) return from
    const { ats, codec } = group
    const first = Number(next) // exact: what is small is not wild
    let [at, count, { bytes }] = [from, 0, group]
    for (; isWhole(set, at); ) {
      const size = sizeOfBatch(set, at)
      if (size < HEADER || bytes + size > mergeTo || set[at + AT.magic] !== 2) break
      const records = set.readInt32BE(at + AT.count)
      const dense = records > 0 && set.readInt32BE(at + AT.lastOffsetDelta) + 1 === records
      if (!dense || set.readInt16BE(at + AT.attributes) !== codec) break
      if (readLong(set, at) !== first + count || !isSmall(set, at, size, codec, records, o)) break
      ats.push(at)
      bytes += size
      count += records
      at += size
    }
    next = BigInt(first + count)
    group.bytes = bytes
    group.to = next
    return at
  }

  const walk = () => {
    for (let at = 0; isWhole(set, at); ) {
      const size = sizeOfBatch(set, at)
      const magic = size < LEAST_OLD ? 0 : set.readInt8(at + AT.magic)
      if (size < (magic < 2 ? LEAST_OLD : HEADER) || magic > 2) throw notABatch(where, set, at, size)
      if (magic < 2) at = takeOld(at)
      else {
        take(at, size)
        at = follow(at + size)
      }
    }
  }
  let stop: KmigError | undefined
  for (const step of [walk, close]) {
    try {
      step()
    } catch (e) {
      if (!isKmigError(e)) throw e
      stop = e
    }
  }
  return { items, next: Offset(next), ordinal, ...(stop ? { stop } : {}) }
}

/** The batches unpacked, up to the first that is damaged. */
const wholeOf = (
  set: Buffer,
  ats: readonly number[],
  where: string,
): { bodies: Body[]; damage?: KmigError } => {
  const bodies: Body[] = []
  const view = viewOf(set)
  try {
    for (const at of ats) bodies.push(bodyOf(set, at, where, view))
  } catch (e) {
    if (!isKmigError(e)) throw e
    return { bodies, damage: e }
  }
  return { bodies }
}

const pass = (set: Buffer, at: number, size: number, ordinal: bigint, stamp: ProducerStamp): Piece => {
  const base = set.readBigInt64BE(at)
  patchHeader(set, at, () => {
    set.writeInt16BE(set.readInt16BE(at + AT.attributes) & ATTRIBUTE.codec, at + AT.attributes)
    writeStamp(set, at, stamp)
  })
  set.writeInt32BE(-1, at + AT.leaderEpoch)
  set.writeBigInt64BE(0n, at)
  const count = set.readInt32BE(at + AT.count)
  const bytes = set.subarray(at, at + size)
  const end = Offset(base + BigInt(count))
  return { kind: 'piece', bytes, base: Offset(base), count, end, ordinal, how: 'passed', batches: 1 }
}

const isSmall = (
  set: Buffer,
  at: number,
  size: number,
  attributes: number,
  count: number,
  o: RecodeOptions,
): boolean => {
  const packed = (attributes & ATTRIBUTE.codec) !== 0
  if (size >= (packed ? o.passFrom.packed : o.passFrom.plain) || (packed && count > FEW_RECORDS)) return false
  if (Math.abs(set.readInt32BE(at + AT.baseTimestamp)) >= WILD) return false
  if (Math.abs(set.readInt32BE(at + AT.maxTimestamp)) >= WILD) return false
  return set.readInt32BE(at + AT.baseOffset) < WILD
}

const notABatch = (where: string, set: Buffer, at: number, size: number): KmigError =>
  new KmigError(
    'CORRUPT_BATCH',
    `${where}: what stands at offset ${set.readBigInt64BE(at)} is no record batch: ${size} bytes${size < LEAST_OLD ? '' : `, format ${set.readInt8(at + AT.magic)}`}`,
    { try: ['check the disks of the broker that leads it; move leadership to a healthy replica'] },
  )

const tooLarge = (where: string, offset: bigint, bytes: number, limit: BatchLimit): KmigError =>
  new KmigError(
    'RECORD_TOO_LARGE',
    `${where} offset ${offset}: this one record is a batch of ${bytes} bytes, the target takes ${limit.bytes}`,
    { try: [`raise ${limit.setting} to at least ${bytes + limit.beside}`] },
  )
