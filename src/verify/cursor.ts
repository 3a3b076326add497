import {
  AT,
  ATTRIBUTE,
  type Body,
  checkCrc,
  decompress,
  HEADER,
  isWhole,
  type OldMessages,
  oldMessages,
  readVarint,
  sizeOfBatch,
  varint,
} from '../kafka/index.ts'
import { isKmigError, KmigError } from '../kit/index.ts'
import { AbortedBatches } from './aborted.ts'
import type { RecordSet } from './feed.ts'

/** 64-bit as a number; `scope.ts` lets no partition in whose offsets don't fit. */
const longAt = (bytes: Buffer, at: number): number =>
  bytes.readInt32BE(at) * 4294967296 + bytes.readUInt32BE(at + 4)

/** A batch as the header scan sees it: control batches and aborted ones too. */
export type BatchSeen = {
  base: number
  last: number
  count: number
  control: boolean
  bytes: Buffer
  at: number
}

export type CursorOptions = {
  /** For errors. */
  where: string
  /** Records from here on. */
  from: number
  /** Records before this. */
  to: number
  /** Told of every batch. */
  saw?: ((batch: BatchSeen) => void) | undefined
}

/**
 * Walks over the committed data of record sets, batch by batch, and record by record only where that is asked for: a
 * batch is unpacked by `open`. A record's fields are where they lie: nothing is allocated for each. Every batch is held
 * against its own checksum first. Throws CORRUPT_BATCH.
 */
export class Cursor {
  /** Whether it stands on a batch (`fresh`) or on a record. */
  ready = false
  fresh = false
  /** Nothing that is wanted can follow. */
  past = false
  /** It met a batch that is not what its checksum or header says. */
  damaged = false
  bytes: Buffer = Buffer.alloc(0)
  base = 0
  last = 0
  count = 0
  codec = 0
  appended = false
  baseTime = 0n
  maxTime = 0n
  payloadFrom = 0
  payloadTo = 0
  /** The record: its offset, and where its key, value and headers lie. */
  offset = 0
  body: Buffer = this.bytes
  restFrom = 0
  restTo = 0
  from: number
  readonly #options: CursorOptions
  #set: RecordSet | undefined
  #aborted = new AbortedBatches([])
  #at = 0
  #timeDelta = 0
  #index = 0
  #end = 0
  #pos = 0
  /** Messages of an old format, as bodies of v2. */
  #old: OldMessages['bodies'] = []
  #body: Body | undefined

  constructor(options: CursorOptions) {
    this.#options = options
    this.from = options.from
  }

  /** Every record of the batch is wanted. */
  get whole(): boolean {
    return this.base >= this.from && this.last < this.#options.to
  }
  get time(): bigint {
    return this.appended ? this.maxTime : this.baseTime + BigInt(this.#timeDelta)
  }

  /** Goes on with another set; the one before is given back. */
  load(set: RecordSet): void {
    this.close()
    this.#set = set
    this.bytes = set.bytes
    this.#aborted = new AbortedBatches(set.aborted)
    this.#at = 0
    this.#old = []
    this.#seek()
  }
  close(): void {
    this.#set?.done()
    this.#set = undefined
    this.ready = false
  }

  /** To the first record of a fresh batch. */
  open(): void {
    if (!this.fresh) return
    this.fresh = false
    try {
      this.body =
        this.#body?.bytes ?? decompress(this.codec, this.bytes.subarray(this.payloadFrom, this.payloadTo))
      this.#pos = this.#body?.start ?? 0
      this.#end = this.#body?.end ?? this.body.length
      this.#index = 0
      this.#step()
    } catch (e) {
      this.#fail(e)
    }
  }

  nextBatch(): void {
    this.#seek()
  }

  nextRecord(): void {
    try {
      this.#step()
    } catch (e) {
      this.#fail(e)
    }
  }

  #fail(e: unknown): never {
    this.ready = false
    this.damaged ||= isKmigError(e, 'CORRUPT_BATCH')
    throw e
  }

  #step(): void {
    const { where, to } = this.#options
    const { body } = this
    while (this.#index < this.count) {
      const length = readVarint(body, this.#pos)
      const head = varint.at
      this.restTo = head + length
      if (this.restTo > this.#end)
        throw new KmigError(
          'CORRUPT_BATCH',
          `${where}: record ${this.#index} of the batch at ${this.base} overruns it`,
        )
      this.#timeDelta = readVarint(body, head + 1)
      this.offset = this.base + readVarint(body, varint.at)
      this.restFrom = varint.at
      this.#pos = this.restTo
      this.#index++
      if (this.offset < this.from) continue
      if (this.offset < to) return
      this.past = true
      this.ready = false
      return
    }
    this.#seek()
  }

  #seek(): void {
    const { bytes } = this
    const { where, to, saw } = this.#options
    this.ready = false
    this.#body = undefined
    while (this.#old.length > 0 || isWhole(bytes, this.#at)) {
      const at = this.#at
      if (this.#old.length > 0 || bytes.readInt8(at + AT.magic) !== 2) {
        this.#seekOld()
        return
      }
      this.#at += sizeOfBatch(bytes, at)
      const base = longAt(bytes, at)
      const last = base + bytes.readInt32BE(at + AT.lastOffsetDelta)
      const count = bytes.readInt32BE(at + AT.count)
      const attributes = bytes.readInt16BE(at + AT.attributes)
      const control = (attributes & ATTRIBUTE.control) !== 0
      saw?.({ base, last, count, control, bytes, at })
      if (this.#leftOut(attributes, control, last, at) || last < this.from) continue
      if (base >= to) {
        this.past = true
        return
      }
      if (count === 0) continue // what a cleaner leaves of a batch
      try {
        checkCrc(bytes, at, where)
      } catch (e) {
        this.#fail(e)
      }
      this.base = base
      this.last = last
      this.count = count
      this.codec = attributes & ATTRIBUTE.codec
      this.appended = (attributes & ATTRIBUTE.logAppendTime) !== 0
      this.baseTime = bytes.readBigInt64BE(at + AT.baseTimestamp)
      this.maxTime = bytes.readBigInt64BE(at + AT.maxTimestamp)
      this.payloadFrom = at + HEADER
      this.payloadTo = this.#at
      this.ready = true
      this.fresh = true
      return
    }
  }

  /** Onto the next messages of an old format: never equal as they are, as nobody writes such any more. */
  #seekOld(): void {
    const { where, to } = this.#options
    try {
      if (this.#old.length === 0) {
        const { bodies, end } = oldMessages(this.bytes, this.#at, OLD_BYTES, where)
        this.#old = bodies
        this.#at = end
      }
    } catch (e) {
      this.#fail(e)
    }
    const next = this.#old.shift()
    if (!next) return
    const { body, origin } = next
    this.#body = body
    this.base = Number(origin.base)
    this.last = Number.MAX_SAFE_INTEGER // not known before they are read
    this.count = body.count
    this.codec = OLD_CODEC
    this.appended = body.appended
    this.baseTime = origin.time
    this.maxTime = origin.time
    this.past = this.base >= to
    this.ready = !this.past
    this.fresh = this.ready
  }

  #leftOut(attributes: number, control: boolean, last: number, at: number): boolean {
    if ((attributes & ATTRIBUTE.transactional) === 0) return control
    if (control) {
      if (this.#aborted.any) this.#aborted.ended(this.bytes.readBigInt64BE(at + AT.producerId))
      return true
    }
    return this.#aborted.any && this.#aborted.has(this.bytes.readBigInt64BE(at + AT.producerId), BigInt(last))
  }
}

/** Messages of an old format are read so many bytes at a time. */
const OLD_BYTES = 1 << 20
const OLD_CODEC = -1

/** Whether two fresh batches hold the same records: then they need not be unpacked. Offsets are not looked at. */
export const samePayload = (a: Cursor, b: Cursor): boolean =>
  a.count === b.count &&
  a.codec === b.codec &&
  a.codec !== OLD_CODEC &&
  a.appended === b.appended &&
  a.baseTime === b.baseTime &&
  (!a.appended || a.maxTime === b.maxTime) &&
  a.last - a.base === b.last - b.base &&
  sameBytes(a.bytes, a.payloadFrom, a.payloadTo, b.bytes, b.payloadFrom, b.payloadTo)

/** Whether two records have equal time, key, value and headers. */
export const sameRecord = (a: Cursor, b: Cursor): boolean =>
  sameBytes(a.body, a.restFrom, a.restTo, b.body, b.restFrom, b.restTo) && a.time === b.time

/** Shorter ones are compared faster here than by a call into native code. */
const SHORT = 48

const sameBytes = (a: Buffer, aFrom: number, aTo: number, b: Buffer, bFrom: number, bTo: number): boolean => {
  const length = aTo - aFrom
  if (length !== bTo - bFrom) return false
  if (length > SHORT) return a.compare(b, bFrom, bTo, aFrom, aTo) === 0
  for (let i = 0; i < length; i++) if (a[aFrom + i] !== b[bFrom + i]) return false
  return true
}
