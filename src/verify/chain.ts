import { AT, sequenceOf } from '../kafka/index.ts'
import type { BatchSeen } from './cursor.ts'

/** Batches in a row on the target that the mirror did not write. */
export type Foreign = { from: bigint; to: bigint; producerId: bigint; why: string }

export type ChainOptions = {
  /** Ids of the mirror's data producers, and of its producer of control records. */
  producers: ReadonlySet<bigint>
  control: ReadonlySet<bigint>
  /** Offset and ordinal are one as long as there are no holes: then the first sequence is known too. */
  identical: boolean
  /** Batches from here on are not looked at. */
  until: number
}

/**
 * Who wrote a target partition, by the headers of all its batches: data only from the mirror's own producer, each
 * sequence the one before plus its count; control records only from its second producer. Source: MIRROR.md 5.2 (I2).
 */
export class Chain {
  readonly foreign: Foreign[] = []
  batches = 0
  readonly #options: ChainOptions
  #next: number | undefined

  constructor(options: ChainOptions) {
    this.#options = options
  }

  see({ base, last, count, control, bytes, at }: BatchSeen): void {
    const { producers, control: markers, identical, until } = this.#options
    if (base >= until) return
    this.batches++
    const producerId = bytes.readBigInt64BE(at + AT.producerId)
    if (control) {
      if (count > 0 && !markers.has(producerId))
        this.#add(base, last, producerId, 'a control record of another producer')
      return
    }
    if (!producers.has(producerId)) {
      this.#add(base, last, producerId, producerId < 0n ? 'a producer without id' : 'another producer')
      this.#next = undefined // what the mirror wrote after it goes on from where it was; told once is enough
      return
    }
    const sequence = bytes.readInt32BE(at + AT.baseSequence)
    const expected =
      this.#next ??
      (identical && this.foreign.length === 0 && this.batches === 1 ? sequenceOf(BigInt(base)) : sequence)
    if (sequence !== expected)
      this.#add(
        base,
        last,
        producerId,
        `sequence ${sequence} where ${expected} must follow: a stray repeat or a gap`,
      )
    this.#next = sequenceOf(BigInt(sequence) + BigInt(count))
  }

  #add(from: number, to: number, producerId: bigint, why: string): void {
    const before = this.foreign.at(-1)
    if (before && before.to + 1n === BigInt(from) && before.producerId === producerId && before.why === why)
      before.to = BigInt(to)
    else this.foreign.push({ from: BigInt(from), to: BigInt(to), producerId, why })
  }
}
