import { crc32c } from '@node-rs/crc32'
import { AT, HEADER, sizeOfBatch } from './header.ts'

/*
 * CRC is linear: for two messages of one length, crc(a) xor crc(b) is the raw remainder of (a xor b). When only the 40
 * header bytes differ, that is the remainder of their difference, moved on by the zero bits of the payload:
 * times x^(8 * payload) modulo the polynomial. So a header can change without a pass over the payload, and damage done
 * to the payload on the way still fails the target's check.
 */
const POLYNOMIAL = 0x82f63b78 // CRC-32C, bits reflected: bit 31 is x^0

/** TABLE[n * 256 + b]: byte b followed by n zero bytes, so that eight bytes are taken in one step. Signed, as shifts are. */
const TABLE = new Int32Array(8 * 256)
for (let i = 0; i < TABLE.length; i++) {
  if (i < 256) {
    let rest = i
    for (let bit = 0; bit < 8; bit++) rest = rest & 1 ? (rest >>> 1) ^ POLYNOMIAL : rest >>> 1
    TABLE[i] = rest
  } else {
    const shorter = TABLE[i - 256] as number
    TABLE[i] = (shorter >>> 8) ^ (TABLE[shorter & 0xff] as number)
  }
}

/** Below this a call into native code costs more than the work (measured: 0.5 us a call). */
const NATIVE_FROM = 1024

/** CRC-32C of a whole batch, from its attributes to its end. `known`: a view of the same bytes, where many batches are asked for. */
export const crcOf = (bytes: Buffer, at = 0, known?: DataView): number => {
  const end = at + sizeOfBatch(bytes, at)
  if (end - at >= NATIVE_FROM) return crc32c(bytes.subarray(at + AT.attributes, end))
  const view = known ?? viewOf(bytes)
  let rest = -1
  let i = at + AT.attributes
  for (; i + 8 <= end; i += 8) {
    const low = rest ^ view.getInt32(i, true)
    const high = view.getInt32(i + 4, true)
    rest =
      (TABLE[1792 + (low & 0xff)] as number) ^
      (TABLE[1536 + ((low >>> 8) & 0xff)] as number) ^
      (TABLE[1280 + ((low >>> 16) & 0xff)] as number) ^
      (TABLE[1024 + (low >>> 24)] as number) ^
      (TABLE[768 + (high & 0xff)] as number) ^
      (TABLE[512 + ((high >>> 8) & 0xff)] as number) ^
      (TABLE[256 + ((high >>> 16) & 0xff)] as number) ^
      (TABLE[high >>> 24] as number)
  }
  for (; i < end; i++) rest = (rest >>> 8) ^ (TABLE[(rest ^ view.getUint8(i)) & 0xff] as number)
  return ~rest >>> 0
}

/** Reads words several times faster than a Buffer's methods; costs as much to make as a batch's header to read. */
export const viewOf = ({ buffer, byteOffset, length }: Buffer): DataView =>
  new DataView(buffer, byteOffset, length)

/** a * b modulo the polynomial. */
const multiply = (a: number, b: number): number => {
  let product = 0
  let factor = b
  for (let bit = 0x80000000; bit !== 0; bit >>>= 1) {
    if (a & bit) product ^= factor
    factor = factor & 1 ? (factor >>> 1) ^ POLYNOMIAL : factor >>> 1
  }
  return product >>> 0
}

/** x^(8 * 2^k) for k = 0..31. */
const POWERS: number[] = [0x00800000]
for (let k = 1; k < 32; k++) POWERS.push(multiply(POWERS[k - 1] ?? 0, POWERS[k - 1] ?? 0))

const shifts = new Map<number, number>()
/** x^(8 * bytes): kept, as batches of a topic come in few sizes. */
const shiftOf = (bytes: number): number => {
  let shift = shifts.get(bytes)
  if (shift === undefined) {
    shift = 0x80000000
    for (let k = 0, rest = bytes; rest > 0; k++, rest >>>= 1)
      if (rest & 1) shift = multiply(shift, POWERS[k] ?? 0)
    if (shifts.size > 4096) shifts.clear()
    shifts.set(bytes, shift)
  }
  return shift
}

const before = new Uint8Array(HEADER - AT.attributes)

/** Changes fields between attributes and count by `change`, and the checksum with them. */
export const patchHeader = (bytes: Buffer, at: number, change: () => void): void => {
  const start = at + AT.attributes
  for (let i = 0; i < before.length; i++) before[i] = bytes[start + i] ?? 0
  change()
  let rest = 0
  for (let i = 0; i < before.length; i++) {
    const difference = (before[i] ?? 0) ^ (bytes[start + i] ?? 0)
    rest = (rest >>> 8) ^ (TABLE[(rest ^ difference) & 0xff] ?? 0)
  }
  const payload = sizeOfBatch(bytes, at) - HEADER
  const crc = bytes.readUInt32BE(at + AT.crc) ^ multiply(shiftOf(payload), rest >>> 0)
  bytes.writeUInt32BE(crc >>> 0, at + AT.crc)
}
