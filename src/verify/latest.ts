import { hash } from 'node:crypto'
import { readVarint, varint } from '../kafka/index.ts'
import type { Cursor } from './cursor.ts'
import type { SetDigest } from './digest.ts'
import type { Walk } from './walk.ts'

/** Keys held at a time, about 250 bytes each. With more the topic is read in several passes, a share of the keys in each. */
export const KEYS_AT_ONCE = 400_000

type Last = { offset: number; content: string; bytes: number }
/** What both sides hold last of a key. `newer`: a record beyond the compared end supersedes it. */
type Entry = { source: Last | undefined; target: Last | undefined; newer: boolean }

export type LatestOptions = {
  /** Opens a side anew: each pass reads it from its beginning to its present end. */
  open(side: 'source' | 'target'): Promise<Walk>
  /** Records from here on are newer than the comparison. */
  ends: { source: number; target: number }
  /** Where a source record's copy stands; undefined where that is not held against it. */
  image: ((offset: number) => number) | undefined
  keysAtOnce?: number
  /** Get the last record of each key that is compared. */
  digests?: { source: SetDigest; target: SetDigest } | undefined
  on(): void
}

/** A key whose last values differ: where its last record stands on each side, if it has one. */
export type LatestDifference = { source: number | undefined; target: number | undefined }
export type LatestCounts = { keys: number; superseded: number; records: number; passes: number }

/**
 * Compares the last value of each key, which is what compaction keeps: a key without a value is equal to none, as both
 * sides may remove tombstones when they like. Keys are told apart and held by their digests.
 */
export async function* compareLatest(options: LatestOptions): AsyncGenerator<LatestDifference, LatestCounts> {
  const { open, ends, image, keysAtOnce = KEYS_AT_ONCE, digests, on } = options
  const contentOf = digests ? digestOf : tagOf
  const counts: LatestCounts = { keys: 0, superseded: 0, records: 0, passes: 0 }
  let shares = 1
  for (let share = 0; share < shares; share++) {
    const table = new Map<string, Entry>()
    counts.passes++
    for (const side of ['source', 'target'] as const) {
      await using walk = await open(side)
      while (await walk.fill()) {
        const { cursor } = walk
        while (cursor.ready) {
          cursor.open()
          for (; cursor.ready && !cursor.fresh; cursor.nextRecord()) {
            counts.records++
            const key = keyOf(cursor)
            if (shareOf(key, shares) !== share) continue
            note(table, key, side, cursor, { end: ends[side], contentOf })
            // more shares can only be made while none has been compared
            while (share === 0 && table.size > keysAtOnce) {
              shares *= 2
              for (const each of table.keys()) if (shareOf(each, shares) !== 0) table.delete(each)
            }
          }
        }
        on()
      }
    }
    for (const { source, target, newer } of table.values()) {
      if (newer) counts.superseded++
      else {
        counts.keys++
        if (source) digests?.source.add(source.content, source.bytes)
        if (target) digests?.target.add(target.content, target.bytes)
        const away = image && source && target && image(source.offset) !== target.offset
        if (away || source?.content !== target?.content)
          yield { source: source?.offset, target: target?.offset }
      }
    }
  }
  return counts
}

/** Shares are powers of two, so that doubling them splits each. */
const shareOf = (key: string, shares: number): number =>
  ((key.charCodeAt(0) << 16) | (key.charCodeAt(1) << 8) | key.charCodeAt(2)) & (shares - 1)

const note = (
  table: Map<string, Entry>,
  key: string,
  side: 'source' | 'target',
  cursor: Cursor,
  { end, contentOf }: { end: number; contentOf: (cursor: Cursor) => string },
): void => {
  const entry = table.get(key) ?? { source: undefined, target: undefined, newer: false }
  table.set(key, entry)
  if (cursor.offset >= end) entry.newer = true
  else {
    const { offset, restFrom, restTo } = cursor
    entry[side] = buried(cursor)
      ? undefined
      : { offset, content: contentOf(cursor), bytes: restTo - restFrom }
  }
}

const NO_KEY = '\0none'
const keyOf = ({ body, restFrom }: Cursor): string => {
  const length = readVarint(body, restFrom)
  const from = varint.at
  return hash('sha1', length < 0 ? NO_KEY : body.subarray(from, from + length), 'binary')
}

/** A tombstone: no value. */
const buried = ({ body, restFrom }: Cursor): boolean => {
  const keyLength = readVarint(body, restFrom)
  return readVarint(body, varint.at + Math.max(0, keyLength)) < 0
}

/** What tells time, key, value and headers of a record from others. */
const tagOf = ({ body, restFrom, restTo, time }: Cursor): string =>
  `${time} ${hash('sha1', body.subarray(restFrom, restTo), 'binary')}`

/** The same, as digests are made of. */
const digestOf = ({ body, restFrom, restTo, time }: Cursor): string => {
  const record = Buffer.allocUnsafe(8 + restTo - restFrom)
  record.writeBigInt64BE(time)
  body.copy(record, 8, restFrom, restTo)
  return hash('sha256', record, 'binary')
}
