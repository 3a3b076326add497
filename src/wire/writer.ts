import { bug } from '../kit/index.ts'

/** Pieces from this size on are spliced into the output, smaller ones are copied. */
const SPLICE_BYTES = 4096

/**
 * Writes big-endian values. `finish()` gives the pieces in order: own bytes, and between them the big Buffers that were
 * handed in, uncopied (so they must not change until they are sent). Names as in Reader.
 */
export class Writer {
  #pieces: Buffer[] = []
  #pieceBytes = 0
  #buffer: Buffer
  #start = 0
  #end = 0
  constructor(capacity = 512) {
    this.#buffer = Buffer.allocUnsafe(capacity)
  }

  /** Bytes written so far. */
  get length(): number {
    return this.#pieceBytes + this.#end - this.#start
  }

  #room(bytes: number): number {
    const at = this.#end
    if (at + bytes > this.#buffer.length) {
      const held = this.#buffer.subarray(this.#start, at)
      this.#buffer = Buffer.allocUnsafe(Math.max(512, 2 * held.length + bytes))
      held.copy(this.#buffer)
      this.#start = 0
      this.#end = held.length + bytes
      return held.length
    }
    this.#end = at + bytes
    return at
  }

  int8(value: number): this {
    const at = this.#room(1)
    this.#buffer.writeInt8(value, at)
    return this
  }
  int16(value: number): this {
    const at = this.#room(2)
    this.#buffer.writeInt16BE(value, at)
    return this
  }
  int32(value: number): this {
    const at = this.#room(4)
    this.#buffer.writeInt32BE(value, at)
    return this
  }
  int64(value: bigint): this {
    const at = this.#room(8)
    this.#buffer.writeBigInt64BE(value, at)
    return this
  }
  uint8(value: number): this {
    const at = this.#room(1)
    this.#buffer.writeUInt8(value, at)
    return this
  }
  uint16(value: number): this {
    const at = this.#room(2)
    this.#buffer.writeUInt16BE(value, at)
    return this
  }
  uint32(value: number): this {
    const at = this.#room(4)
    this.#buffer.writeUInt32BE(value, at)
    return this
  }
  float64(value: number): this {
    const at = this.#room(8)
    this.#buffer.writeDoubleBE(value, at)
    return this
  }
  bool(value: boolean): this {
    return this.int8(value ? 1 : 0)
  }

  unsignedVarint(value: number): this {
    let rest = value >>> 0
    while (rest > 0x7f) {
      this.uint8((rest & 0x7f) | 0x80)
      rest >>>= 7
    }
    return this.uint8(rest)
  }
  varint(value: number): this {
    return this.unsignedVarint((value << 1) ^ (value >> 31))
  }
  varlong(value: bigint): this {
    let rest = BigInt.asUintN(64, (value << 1n) ^ (value >> 63n))
    while (rest > 0x7fn) {
      this.uint8(Number(rest & 0x7fn) | 0x80)
      rest >>= 7n
    }
    return this.uint8(Number(rest))
  }

  /** 22 characters of base64url to 16 bytes. */
  uuid(value: string): this {
    const bytes = Buffer.from(value, 'base64url')
    if (bytes.length !== 16) throw bug(`'${value}' is not a uuid of 16 bytes in base64url`)
    return this.raw(bytes)
  }

  /** Copies the bytes as they are. */
  raw(bytes: Uint8Array): this {
    const at = this.#room(bytes.length) // first: making room may replace the buffer
    this.#buffer.set(bytes, at)
    return this
  }
  /** Puts the bytes into the output without copying them (small ones are copied). */
  splice(bytes: Buffer): this {
    if (bytes.length < SPLICE_BYTES) return this.raw(bytes)
    this.#cut()
    this.#pieces.push(bytes)
    this.#pieceBytes += bytes.length
    return this
  }
  #cut(): void {
    if (this.#end === this.#start) return
    this.#pieces.push(this.#buffer.subarray(this.#start, this.#end))
    this.#pieceBytes += this.#end - this.#start
    this.#start = this.#end
  }

  #text(value: string, bytes: number): this {
    const at = this.#room(bytes)
    this.#buffer.write(value, at, bytes, 'utf8')
    return this
  }
  string16(value: string): this {
    const bytes = Buffer.byteLength(value)
    if (bytes > 0x7fff) throw bug(`a string of ${bytes} bytes does not fit an int16 length`)
    return this.int16(bytes).#text(value, bytes)
  }
  nullableString16(value: string | null): this {
    return value === null ? this.int16(-1) : this.string16(value)
  }
  string32(value: string): this {
    const bytes = Buffer.byteLength(value)
    return this.int32(bytes).#text(value, bytes)
  }
  nullableString32(value: string | null): this {
    return value === null ? this.int32(-1) : this.string32(value)
  }
  compactString(value: string): this {
    const bytes = Buffer.byteLength(value)
    return this.unsignedVarint(bytes + 1).#text(value, bytes)
  }
  compactNullableString(value: string | null): this {
    return value === null ? this.unsignedVarint(0) : this.compactString(value)
  }

  bytes32(value: Buffer): this {
    return this.int32(value.length).splice(value)
  }
  nullableBytes32(value: Buffer | null): this {
    return value === null ? this.int32(-1) : this.bytes32(value)
  }
  compactBytes(value: Buffer): this {
    return this.unsignedVarint(value.length + 1).splice(value)
  }
  compactNullableBytes(value: Buffer | null): this {
    return value === null ? this.unsignedVarint(0) : this.compactBytes(value)
  }

  array32<T>(items: readonly T[], write: (item: T) => void): this {
    this.int32(items.length)
    for (const item of items) write(item)
    return this
  }
  nullableArray32<T>(items: readonly T[] | null, write: (item: T) => void): this {
    return items === null ? this.int32(-1) : this.array32(items, write)
  }
  compactArray<T>(items: readonly T[], write: (item: T) => void): this {
    this.unsignedVarint(items.length + 1)
    for (const item of items) write(item)
    return this
  }
  compactNullableArray<T>(items: readonly T[] | null, write: (item: T) => void): this {
    return items === null ? this.unsignedVarint(0) : this.compactArray(items, write)
  }

  /** The pieces in order. */
  finish(): Buffer[] {
    this.#cut()
    return this.#pieces
  }
  /** Everything in one Buffer. */
  toBuffer(): Buffer {
    const pieces = this.finish()
    return pieces.length === 1 && pieces[0] ? pieces[0] : Buffer.concat(pieces)
  }
}
