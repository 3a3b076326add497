import { Zxid } from '../kit/index.ts'

export const STAT_BYTES = 68

/**
 * What a server keeps about a znode, read from its 68 bytes only where asked: a scan touches two fields of eleven.
 * Times are ms of the leader's clock. Source: zookeeper.jute, class Stat.
 */
export class Stat {
  readonly #bytes: Buffer
  readonly #at: number
  /** It begins at `at`; the bytes are not copied. */
  constructor(bytes: Buffer, at = 0) {
    this.#bytes = bytes
    this.#at = at
  }
  /** Transaction that created the znode. */
  get czxid(): Zxid {
    return Zxid(this.#bytes.readBigInt64BE(this.#at))
  }
  /** Transaction that last set its data; equal data counts. */
  get mzxid(): Zxid {
    return Zxid(this.#bytes.readBigInt64BE(this.#at + 8))
  }
  get ctimeMs(): number {
    return Number(this.#bytes.readBigInt64BE(this.#at + 16))
  }
  get mtimeMs(): number {
    return Number(this.#bytes.readBigInt64BE(this.#at + 24))
  }
  get version(): number {
    return this.#bytes.readInt32BE(this.#at + 32)
  }
  get cversion(): number {
    return this.#bytes.readInt32BE(this.#at + 36)
  }
  get aversion(): number {
    return this.#bytes.readInt32BE(this.#at + 40)
  }
  /** Whether a session owns it. Container and TTL znodes read as not ephemeral. */
  get ephemeral(): boolean {
    return this.#bytes.readInt32BE(this.#at + 44) !== 0 || this.#bytes.readInt32BE(this.#at + 48) !== 0
  }
  get ephemeralOwner(): bigint {
    return this.#bytes.readBigInt64BE(this.#at + 44)
  }
  get dataLength(): number {
    return this.#bytes.readInt32BE(this.#at + 52)
  }
  get numChildren(): number {
    return this.#bytes.readInt32BE(this.#at + 56)
  }
  /** Transaction that last created or deleted a child. */
  get pzxid(): Zxid {
    return Zxid(this.#bytes.readBigInt64BE(this.#at + 60))
  }
}
