import { isKmigError } from '../kit/index.ts'

/** What JSON can hold, with 64-bit numbers as strings, maps as objects, sets as lists. */
export type Json = string | number | boolean | null | Json[] | { [key: string]: Json }

const border = (_key: string, value: unknown): unknown => {
  if (typeof value === 'bigint') return String(value)
  if (value instanceof Map) return Object.fromEntries(value)
  if (value instanceof Set) return [...value]
  if (value instanceof Error) {
    return isKmigError(value) ? { code: value.code, message: value.message } : { message: value.message }
  }
  return value
}

/** The value as it looks outside: bigint as string, undefined left out, secrets redacted by their own toJSON. */
export const toJson = (value: unknown): Json => JSON.parse(JSON.stringify(value, border) ?? 'null') as Json
