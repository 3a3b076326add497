import { KmigError } from '../../kit/index.ts'

/**
 * Zigzag varints of record bodies, as numbers. `varint.at` is where the last read ended: a module-wide cursor instead
 * of a pair per call, as these run several times per record. Exact up to 2^53; beyond that CORRUPT_BATCH.
 * Source: ByteUtils.readVarint, readVarlong.
 */
export const varint = { at: 0 }

export const readVarint = (bytes: Uint8Array, from: number): number => {
  const first = bytes[from] ?? overrun(from)
  if (first < 0x80) {
    varint.at = from + 1
    return (first >>> 1) ^ -(first & 1)
  }
  let value = first & 0x7f
  let scale = 128
  for (let i = from + 1; i < from + 10; i++) {
    const byte = bytes[i] ?? overrun(i)
    value += (byte & 0x7f) * scale
    if (byte < 0x80) {
      if (value > Number.MAX_SAFE_INTEGER) break
      varint.at = i + 1
      return value % 2 === 1 ? -(value + 1) / 2 : value / 2
    }
    scale *= 128
  }
  throw new KmigError('CORRUPT_BATCH', `varint at byte ${from} of a record set does not end or is over 2^53`)
}

/** Bytes that `writeVarint` takes for a value. */
export const sizeOfVarint = (value: number): number => {
  let rest = value < 0 ? -2 * value - 1 : 2 * value
  let size = 1
  for (; rest >= 0x80; size++) rest = Math.floor(rest / 128)
  return size
}

/** Writes at `to`, returns where it ended. */
export const writeVarint = (bytes: Uint8Array, to: number, value: number): number => {
  let rest = value < 0 ? -2 * value - 1 : 2 * value
  let at = to
  for (; rest >= 0x80; rest = Math.floor(rest / 128)) bytes[at++] = (rest % 128) | 0x80
  bytes[at++] = rest
  return at
}

const overrun = (at: number): never => {
  throw new KmigError('CORRUPT_BATCH', `record set ends at byte ${at}, in the middle of a number`)
}
