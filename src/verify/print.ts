import { hash } from 'node:crypto'
import { readVarint, varint } from '../kafka/index.ts'
import type { Cursor } from './cursor.ts'

/** A record small enough to be held in numbers: what compares, and what is shown of it. */
export type Print = {
  offset: number
  time: bigint
  key: Buffer | null
  /** Digests of 20 bytes; null for a null value. */
  value: string | null
  headers: string
  bytes: number
  /** Digest of time, key, value and headers. */
  content: string
}
export type Field = 'offset' | 'timestamp' | 'key' | 'value' | 'headers'

const digest = (bytes: Buffer | string): string => hash('sha1', bytes, 'binary')

/** The record that the cursor stands on. */
export const printOf = ({ offset, time, body, restFrom, restTo }: Cursor): Print => {
  const keyAt = fieldAt(body, restFrom)
  const valueAt = fieldAt(body, keyAt.next)
  const key = keyAt.from < 0 ? null : Buffer.from(body.subarray(keyAt.from, keyAt.next))
  const value = valueAt.from < 0 ? null : digest(body.subarray(valueAt.from, valueAt.next))
  const headers = digest(body.subarray(valueAt.next, restTo))
  const content = digest(`${time} ${key?.length ?? -1} ${key?.toString('binary')} ${value ?? '-'} ${headers}`)
  const bytes = valueAt.from < 0 ? -1 : valueAt.next - valueAt.from
  return { offset, time, key, value, headers, bytes, content }
}

/** `from` is -1 for null. */
const fieldAt = (body: Buffer, at: number): { from: number; next: number } => {
  const length = readVarint(body, at)
  const from = varint.at
  return length < 0 ? { from: -1, next: from } : { from, next: from + length }
}

const sameKey = (a: Buffer | null, b: Buffer | null): boolean =>
  a === null || b === null ? a === b : a.equals(b)

/** Which fields of two records differ, their offsets apart. */
export const unlike = (a: Print, b: Print): Field[] => [
  ...(a.time === b.time ? [] : ['timestamp' as const]),
  ...(sameKey(a.key, b.key) ? [] : ['key' as const]),
  ...(a.value === b.value ? [] : ['value' as const]),
  ...(a.headers === b.headers ? [] : ['headers' as const]),
]
