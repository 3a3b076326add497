import { AT, type Piece } from '../kafka/index.ts'
import { Offset } from '../kit/index.ts'

export type Producer = { id: bigint; epoch: number }
export type SentBatch = { ordinal: bigint; count: number; crc: number }
/** As it is kept in the state. */
export type KeptSent = {
  to: Offset
  batches: readonly SentBatch[]
  /** The mirror's producer that `producer` stands for; another one since makes it void. */
  of: bigint
  producer: Producer
  former: readonly Producer[]
  shutting: boolean
}

/**
 * What a partition was sent whose source can lose records between two reads, as compaction takes them: up to which source
 * offset, and the checksum of each batch; kept before the batch goes out. A read that shows another source below there
 * must not be sent while a batch of the read before may still land, as its records would be taken for those of the map:
 * its producer is shut out first, and a fresh one goes on. Source: MIRROR.md 5.6 and 7, RELIABILITY.md I4.
 */
export class Sent {
  readonly #of: Producer
  producer: Producer
  /** Producers that wrote before and are shut out; the last one not yet while `shutting`. */
  former: readonly Producer[]
  shutting: boolean
  to: Offset
  #batches: SentBatch[]
  /** What is known of the source from the end of the copy on is of a read before the last producer was shut out. */
  stale = false

  constructor(of: Producer, kept?: KeptSent) {
    const valid = kept && kept.of === of.id ? kept : undefined
    this.#of = of
    this.producer = valid?.producer ?? of
    this.former = valid?.former ?? []
    this.shutting = valid?.shutting ?? false
    this.to = valid?.to ?? Offset(0n)
    this.#batches = [...(valid?.batches ?? [])]
  }

  /** Batches that may be sent once this is kept. `landed`: data records that are across for certain. */
  add(pieces: readonly Piece[], { to, landed }: { to: Offset; landed: bigint }): void {
    if (to > this.to) this.to = to
    this.#batches = this.#batches.filter(({ ordinal }) => ordinal >= landed) // all of a place, or none
    for (const { ordinal, count, bytes } of pieces)
      this.#batches.push({ ordinal, count, crc: bytes.readUInt32BE(AT.crc) })
  }

  /** Whether a batch on the target that so many records precede is none of those that were to stand there. */
  isStrange(ordinal: bigint, crc: number): boolean {
    const here = this.#batches.filter(each => each.ordinal === ordinal)
    return here.length > 0 && here.every(each => each.crc !== crc)
  }

  /** Whether a producer wrote here before the one that does now. */
  isFormer(id: bigint): boolean {
    return this.former.some(each => each.id === id)
  }
  /** From now on a fresh producer writes; the one before is still to be shut out. */
  turn(fresh: Producer): void {
    this.former = [...this.former, this.producer]
    this.producer = fresh
    this.shutting = true
  }
  /** Nothing of former producers can land any more. */
  shut(): void {
    this.shutting = false
    this.stale = true
  }
  /** Whatever had landed by then was read back. */
  begun(): void {
    this.stale = false
    this.to = Offset(0n)
    this.#batches = []
  }

  get kept(): KeptSent | undefined {
    const { to, producer, former, shutting } = this
    if (to === 0n && former.length === 0) return undefined
    return { to, batches: [...this.#batches], of: this.#of.id, producer, former, shutting }
  }
}
