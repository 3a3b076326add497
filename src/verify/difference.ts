import { hash } from 'node:crypto'
import type { Expected } from './align.ts'
import type { Side } from './feed.ts'
import { type Field, type Print, unlike } from './print.ts'

/** What is shown of a record: key and value as digests, unless keys may be shown. */
export type Look = {
  offset: bigint
  timestamp: bigint
  key: string | null
  value: string | null
  headers: string
}

export type DifferenceKind =
  /** At its place with other contents; `fields` says which. */
  | 'changed'
  /** On the source only. */
  | 'missing'
  /** On the target only. */
  | 'extra'
  /** This record and the next one have changed places. */
  | 'swapped'
  /** From here on the records stand at other offsets than they must. */
  | 'moved'
  /** A batch that does not match its own checksum: what follows was not compared. */
  | 'corrupt'

export type Difference = {
  topic: string
  partition: number
  kind: DifferenceKind
  /** First offset on the source, and on the target; undefined on the side where there is none. */
  source: bigint | undefined
  target: bigint | undefined
  /** How many offsets in a row. */
  length: bigint
  fields: Field[]
  /** The records, where there is one. */
  was: Look | undefined
  is: Look | undefined
  note: string | undefined
}

const short = (digest: string): string => Buffer.from(digest.slice(0, 8), 'binary').toString('hex')
const printable = /^[\x20-\x7e]*$/

const keyText = (key: Buffer | null, showKeys: boolean): string | null => {
  if (key === null) return null
  if (!showKeys) return `sha1:${short(hash('sha1', key, 'binary'))}`
  const text = key.toString()
  return printable.test(text) ? text : `0x${key.toString('hex')}`
}

export const lookOf = (print: Print, showKeys: boolean): Look => ({
  offset: BigInt(print.offset),
  timestamp: print.time,
  key: keyText(print.key, showKeys),
  value: print.value === null ? null : `sha1:${short(print.value)} (${print.bytes} bytes)`,
  headers: `sha1:${short(print.headers)}`,
})

export type Place = { topic: string; partition: number }
export type Naming = Place & { showKeys: boolean }

const blank = { fields: [], was: undefined, is: undefined, note: undefined, length: 1n }
const big = (n: number): bigint => BigInt(n)

/** What is between two places where both sides are alike, in words: the records that one or the other has there. */
export function* explain(
  source: readonly Print[],
  target: readonly Print[],
  expected: Expected,
  { topic, partition, showKeys }: Naming,
): Generator<Difference, void> {
  const at = { topic, partition, ...blank }
  const look = (print: Print) => lookOf(print, showKeys)
  let [i, j] = [0, 0]
  while (i < source.length || j < target.length) {
    const [a, b] = [source[i], target[j]]
    const [a2, b2] = [source[i + 1], target[j + 1]]
    const place = a && b ? sideOf(a, b, expected) : a ? 'source' : 'target'
    if (place === 'both' && a && b) {
      const swap = a2 && b2 && a.content === b2.content && a2.content === b.content
      const places = { source: big(a.offset), target: big(b.offset) }
      const looks = { was: look(a), is: look(b) }
      if (swap) yield { ...at, kind: 'swapped', ...places, length: 2n, ...looks }
      else if (a.content !== b.content)
        yield { ...at, kind: 'changed', ...places, fields: unlike(a, b), ...looks }
      i += swap ? 2 : 1
      j += swap ? 2 : 1
    } else if (place === 'source' && a) {
      const target = expected && big(expected(a.offset))
      yield { ...at, kind: 'missing', source: big(a.offset), target, was: look(a) }
      i++
    } else if (b) {
      yield { ...at, kind: 'extra', source: undefined, target: big(b.offset), is: look(b) }
      j++
    }
  }
}

/** Which of two records comes first; both where they stand at one place. */
const sideOf = (a: Print, b: Print, expected: Expected): Side | 'both' => {
  const place = expected ? expected(a.offset) : b.offset
  return place < b.offset ? 'source' : place > b.offset ? 'target' : 'both'
}

/** From source offset `at` on records stand `by` offsets away from where they must. */
export const moved = ({ topic, partition }: Place, a: Print, b: Print, by: number): Difference => ({
  topic,
  partition,
  ...blank,
  kind: 'moved',
  source: big(a.offset),
  target: big(b.offset),
  fields: ['offset'],
  note: `from here on records stand ${Math.abs(by)} ${Math.abs(by) === 1 ? 'offset' : 'offsets'} too ${by < 0 ? 'low' : 'high'}`,
})

/** Offsets that a side has nothing at, told without reading them one by one. */
export const range = (
  { topic, partition }: Place,
  kind: 'missing' | 'extra',
  from: bigint,
  to: bigint,
  note: string,
): Difference => {
  const places =
    kind === 'missing' ? { source: from, target: undefined } : { source: undefined, target: from }
  return { topic, partition, ...blank, kind, ...places, length: to - from, note }
}

export const corrupt = ({ topic, partition }: Place, side: Side, at: bigint, note: string): Difference => {
  const places = side === 'source' ? { source: at, target: undefined } : { source: undefined, target: at }
  return { topic, partition, ...blank, kind: 'corrupt', ...places, note: `${side}: ${note}` }
}
