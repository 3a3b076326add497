import { AT, sequenceOf } from '../kafka/index.ts'
import type { BatchSeen } from './cursor.ts'

/** Batches in a row on the target that the mirror did not write. */
export type Foreign = { from: bigint; to: bigint; producerId: bigint; why: string }

export type ChainOptions = {
  /** Ids of the mirror's data producers, and of its producer of control records. */
  producers: ReadonlySet<bigint>
  control: ReadonlySet<bigint>
  /** How many data records the mirror has put before a target offset. */
  ordinalAt(target: bigint): bigint
  /** Offsets [from, to) that clients wrote while a cutover had them there. */
  theirs?: readonly { from: bigint; to: bigint }[] | undefined
  /** Batches from here on are not looked at. */
  until: number
}

/** Ranges that are kept. */
const MOST = 1_000

/**
 * Who wrote a target partition, by the headers of all its batches: data only from the mirror's own producer, each
 * with the sequence that belongs to its place; control records only from its second producer. Source: MIRROR.md 5.2 (I2).
 */
export class Chain {
  readonly foreign: Foreign[] = []
  batches = 0
  readonly #options: ChainOptions

  constructor(options: ChainOptions) {
    this.#options = options
  }

  see({ base, last, count, control, bytes, at }: BatchSeen): void {
    const { producers, control: markers, ordinalAt, until, theirs = [] } = this.#options
    if (base >= until || theirs.some(({ from, to }) => from <= base && base < to)) return
    this.batches++
    const producerId = bytes.readBigInt64BE(at + AT.producerId)
    if (control) {
      if (count > 0 && !markers.has(producerId))
        this.#add(base, last, producerId, 'a control record of another producer')
      return
    }
    if (!producers.has(producerId)) {
      this.#add(base, last, producerId, producerId < 0n ? 'a producer without id' : 'another producer')
      return
    }
    if (bytes.readInt32BE(at + AT.baseSequence) !== sequenceOf(ordinalAt(BigInt(base))))
      this.#add(base, last, producerId, 'sequences that do not belong to these offsets: a stray repeat')
  }

  #add(from: number, to: number, producerId: bigint, why: string): void {
    const before = this.foreign.at(-1)
    if (before && before.to + 1n === BigInt(from) && before.producerId === producerId && before.why === why)
      before.to = BigInt(to)
    else if (this.foreign.length < MOST)
      this.foreign.push({ from: BigInt(from), to: BigInt(to), producerId, why })
  }
}
