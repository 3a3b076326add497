import { AT, ATTRIBUTE } from './header.ts'
import { checkCrc, recordsOf } from './records.ts'

/** What the answer to a read_committed fetch says of aborted transactions. */
export type Aborted = { producerId: bigint; firstOffset: bigint }

/** Why a batch with a transactional or control bit holds nothing to mirror; undefined if it does. */
export type Fate = (set: Buffer, at: number, last: bigint, where: string) => 'marker' | 'aborted' | undefined

const ABORT = 0
const NONE = new Set<bigint>()

/**
 * Follows the aborted transactions through the batches of one answer, which must be shown in order: a transaction begins
 * at its first offset and ends with its producer's abort marker; its batches are dropped whole, unread. What is dropped
 * is checked against its checksum first: a flipped bit must not make a record vanish. Source: CompletedFetch.
 */
export const fatesOf = (list: readonly Aborted[]): Fate => {
  const waiting = list.length > 1 ? [...list].sort((a, b) => (a.firstOffset < b.firstOffset ? -1 : 1)) : list
  const aborted = waiting.length > 0 ? new Set<bigint>() : NONE
  let begun = 0
  return (set, at, last, where) => {
    for (let next = waiting[begun]; next && next.firstOffset <= last; next = waiting[++begun])
      aborted.add(next.producerId)
    const attributes = set.readInt16BE(at + AT.attributes)
    if (attributes & ATTRIBUTE.control) {
      checkCrc(set, at, where)
      if (endsInAbort(set, at)) aborted.delete(set.readBigInt64BE(at + AT.producerId))
      return 'marker'
    }
    if (aborted.size === 0 || !aborted.has(set.readBigInt64BE(at + AT.producerId))) return undefined
    checkCrc(set, at, where)
    return 'aborted'
  }
}

/** A marker's key is its version and its type. The cleaner leaves control batches without records behind. */
const endsInAbort = (set: Buffer, at: number): boolean => {
  for (const { key } of recordsOf(set, at))
    return key !== null && key.length >= 4 && key.readInt16BE(2) === ABORT
  return false
}
