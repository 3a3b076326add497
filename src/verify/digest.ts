import { createHash, type Hash } from 'node:crypto'
import { WINDOW } from './tally.ts'

/**
 * What a record's place is in a digest: its offset; its number within its window, from 0, where offsets differ; or none,
 * where only the last record of each key counts.
 */
export type DigestBy = 'offset' | 'ordinal' | 'key'

/** At most 65,536 records of one side: the offset of the first one, the one behind the last, and their SHA-256. */
export type DigestWindow = { from: bigint; to: bigint; records: number; bytes: number; sha256: string }

/** A digest of what one side holds of a partition: it says nothing of the other side, so that anybody can recompute it. */
export type Digest = {
  by: DigestBy
  /** Offsets that were read, the end outside. */
  from: bigint
  to: bigint
  records: number
  /** Of keys, values and headers, with their lengths. */
  bytes: number
  /** Of the windows' digests, one after the other; for `key` the sum of the records' digests. */
  sha256: string
  windows: DigestWindow[]
}

/** What is enough to go on with later: where reading began, and the windows that no further record can change. */
export type Kept = { from: bigint; windows: readonly DigestWindow[] }
export type KeptDigests = { source: Kept; target: Kept }

/** Where a record's fields lie, as of `Cursor`. */
export type Located = { offset: number; time: bigint; body: Buffer; restFrom: number; restTo: number }

/** Place and time, 8 bytes each; key, value and headers follow as record format v2 writes them. */
const HEAD = 16
const STAGE = 64 << 10

const windowOf = (offset: number): number => Math.floor(offset / WINDOW)

const writeHead = (to: Buffer, at: number, place: number, time: bigint): void => {
  to.writeInt32BE(Math.floor(place / 4294967296), at)
  to.writeUInt32BE(place >>> 0, at + 4)
  to.writeBigInt64BE(time, at + 8)
}

/**
 * Digests the records of one side as they come. Only whole windows are `kept`, so that a run that goes on later begins
 * with the first record behind them; nothing else need be remembered. Form: docs/verify.md.
 */
export class SideDigest implements Kept {
  readonly by: 'offset' | 'ordinal'
  readonly from: bigint
  readonly windows: DigestWindow[]
  readonly #stage = Buffer.allocUnsafe(STAGE)
  #used = 0
  #hash: Hash | undefined
  #open = { from: 0, to: 0, records: 0, bytes: 0 }

  constructor(by: 'offset' | 'ordinal', { from, windows }: Kept) {
    this.by = by
    this.from = from
    this.windows = [...windows]
  }

  /** Where reading goes on: everything before it is in a whole window. */
  get next(): bigint {
    return this.windows.at(-1)?.to ?? this.from
  }

  /** `offset`: of this side, where the fields are those of the other side's equal record. */
  add({ time, body, restFrom, restTo }: Located, offset: number): void {
    if (!this.#hash || this.#isOver(offset)) this.#begin(offset)
    const size = restTo - restFrom
    if (this.#used + HEAD + size > STAGE) this.#flush()
    writeHead(this.#stage, this.#used, this.by === 'offset' ? offset : this.#open.records, time)
    this.#used += HEAD
    if (HEAD + size > STAGE) {
      this.#flush()
      this.#hash?.update(body.subarray(restFrom, restTo))
    } else {
      body.copy(this.#stage, this.#used, restFrom, restTo)
      this.#used += size
    }
    const open = this.#open
    open.to = offset + 1
    open.records++
    open.bytes += size
  }

  #isOver(offset: number): boolean {
    const { from, records } = this.#open
    return this.by === 'offset' ? windowOf(offset) !== windowOf(from) : records === WINDOW
  }
  #begin(offset: number): void {
    const ended = this.#ended()
    if (ended) this.windows.push(ended)
    this.#hash = createHash('sha256')
    this.#open = { from: offset, to: offset, records: 0, bytes: 0 }
  }
  #flush(): void {
    this.#hash?.update(this.#stage.subarray(0, this.#used))
    this.#used = 0
  }
  #ended(): DigestWindow | undefined {
    if (!this.#hash) return undefined
    this.#flush()
    const { from, to, records, bytes } = this.#open
    const sha256 = this.#hash.digest('hex')
    this.#hash = undefined
    return { from: BigInt(from), to: BigInt(to), records, bytes, sha256 }
  }

  /** The digest of all that was added; nothing can be added after it. `to`: the end of what was read. */
  end(to: bigint): Digest {
    const last = this.#ended()
    const windows = last ? [...this.windows, last] : this.windows.slice()
    const all = createHash('sha256')
    for (const { sha256 } of windows) all.update(sha256, 'hex')
    const sum = (of: (window: DigestWindow) => number) => windows.reduce((n, window) => n + of(window), 0)
    return {
      ...{ by: this.by, from: this.from, to, windows, sha256: all.digest('hex') },
      records: sum(each => each.records),
      bytes: sum(each => each.bytes),
    }
  }
}

const MODULUS = 1n << 256n

/** Digest of a set, in any order: the SHA-256 of its records, added up modulo 2^256. */
export class SetDigest {
  #sum = 0n
  #records = 0
  #bytes = 0

  /** `sha256`: 32 bytes as a binary string. */
  add(sha256: string, bytes: number): void {
    this.#sum = (this.#sum + BigInt(`0x${Buffer.from(sha256, 'binary').toString('hex')}`)) % MODULUS
    this.#records++
    this.#bytes += bytes
  }

  end(from: bigint, to: bigint): Digest {
    const sha256 = this.#sum.toString(16).padStart(64, '0')
    return { by: 'key', from, to, records: this.#records, bytes: this.#bytes, sha256, windows: [] }
  }
}
