import { KmigError } from '../kit/index.ts'

/**
 * Reads big-endian values from a Buffer, moving `position`. Nothing is copied: bytes are views of the buffer.
 * Throws PROTOCOL, with the position, for anything that reaches past the end or has an impossible length.
 * Names with 32 take an int32 length (-1 = null), names with 16 an int16 length, compact names a varint of length + 1.
 */
export class Reader {
  readonly buffer: Buffer
  position: number
  constructor(buffer: Buffer, position = 0) {
    this.buffer = buffer
    this.position = position
  }

  get left(): number {
    return this.buffer.length - this.position
  }

  fail(what: string): KmigError {
    return new KmigError('PROTOCOL', `${what} at byte ${this.position} of ${this.buffer.length}`)
  }

  #advance(bytes: number): number {
    const at = this.position
    if (bytes > this.buffer.length - at) throw this.fail(`${bytes} bytes are wanted, ${this.left} are left,`)
    this.position = at + bytes
    return at
  }

  int8(): number {
    return this.buffer.readInt8(this.#advance(1))
  }
  int16(): number {
    return this.buffer.readInt16BE(this.#advance(2))
  }
  int32(): number {
    return this.buffer.readInt32BE(this.#advance(4))
  }
  int64(): bigint {
    return this.buffer.readBigInt64BE(this.#advance(8))
  }
  uint8(): number {
    return this.buffer.readUInt8(this.#advance(1))
  }
  uint16(): number {
    return this.buffer.readUInt16BE(this.#advance(2))
  }
  uint32(): number {
    return this.buffer.readUInt32BE(this.#advance(4))
  }
  float64(): number {
    return this.buffer.readDoubleBE(this.#advance(8))
  }
  bool(): boolean {
    return this.int8() !== 0
  }

  /** Unsigned varint of at most 32 bits. */
  unsignedVarint(): number {
    let value = 0
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.uint8()
      value += (byte & 0x7f) * 2 ** shift
      if (byte < 0x80) {
        if (value > 0xffffffff) break
        return value
      }
    }
    throw this.fail('a varint of more than 32 bits')
  }
  /** Zigzag varint, int32. */
  varint(): number {
    const raw = this.unsignedVarint()
    return (raw >>> 1) ^ -(raw & 1)
  }
  /** Zigzag varint, int64. */
  varlong(): bigint {
    let raw = 0n
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = this.uint8()
      raw |= BigInt(byte & 0x7f) << shift
      if (byte < 0x80) {
        if (raw > 0xffffffffffffffffn) break
        return (raw >> 1n) ^ -(raw & 1n)
      }
    }
    throw this.fail('a varint of more than 64 bits')
  }

  /** 16 bytes as 22 characters of base64url, the way Kafka prints them. Source: org.apache.kafka.common.Uuid. */
  uuid(): string {
    return this.raw(16).toString('base64url')
  }

  /** The next bytes, as a view. */
  raw(bytes: number): Buffer {
    if (bytes < 0) throw this.fail(`a length of ${bytes}`)
    const at = this.#advance(bytes)
    return this.buffer.subarray(at, at + bytes)
  }
  #text(bytes: number): string {
    if (bytes < 0) throw this.fail(`a length of ${bytes}`)
    const at = this.#advance(bytes)
    return this.buffer.toString('utf8', at, at + bytes)
  }
  #nullable<T>(bytes: number, read: (bytes: number) => T): T | null {
    return bytes === -1 ? null : read(bytes)
  }

  string16(): string {
    return this.#text(this.int16())
  }
  nullableString16(): string | null {
    return this.#nullable(this.int16(), n => this.#text(n))
  }
  string32(): string {
    return this.#text(this.int32())
  }
  nullableString32(): string | null {
    return this.#nullable(this.int32(), n => this.#text(n))
  }
  compactString(): string {
    return this.#text(this.unsignedVarint() - 1)
  }
  compactNullableString(): string | null {
    return this.#nullable(this.unsignedVarint() - 1, n => this.#text(n))
  }

  bytes32(): Buffer {
    return this.raw(this.int32())
  }
  nullableBytes32(): Buffer | null {
    return this.#nullable(this.int32(), n => this.raw(n))
  }
  compactBytes(): Buffer {
    return this.raw(this.unsignedVarint() - 1)
  }
  compactNullableBytes(): Buffer | null {
    return this.#nullable(this.unsignedVarint() - 1, n => this.raw(n))
  }

  #items<T>(count: number, read: () => T): T[] {
    if (count < 0 || count > this.left) throw this.fail(`an array of ${count} with ${this.left} bytes left,`)
    const items: T[] = []
    for (let i = 0; i < count; i++) items.push(read())
    return items
  }
  array32<T>(read: () => T): T[] {
    return this.#items(this.int32(), read)
  }
  nullableArray32<T>(read: () => T): T[] | null {
    return this.#nullable(this.int32(), n => this.#items(n, read))
  }
  compactArray<T>(read: () => T): T[] {
    return this.#items(this.unsignedVarint() - 1, read)
  }
  compactNullableArray<T>(read: () => T): T[] | null {
    return this.#nullable(this.unsignedVarint() - 1, n => this.#items(n, read))
  }
}
