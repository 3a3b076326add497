import { ATTRIBUTE, type BatchHeader, sequenceOf } from '../kafka/index.ts'
import { Offset } from '../kit/index.ts'
import type { Gap } from '../offsets/index.ts'

/** What a partition's own headers say of a copy whose state is gone. */
export type Chain = {
  /** Who wrote its data, and with which epoch; undefined if it holds none. */
  producer: { id: bigint; epoch: number } | undefined
  /** Who wrote control records, with the highest epoch of each. */
  control: ReadonlyMap<bigint, number>
  /** Offsets that hold control records, and those before the log's start that were not of records. */
  holes: readonly Gap[]
  /** Where the log begins, where padding ends if it is still there, and where the log ends. */
  first: Offset
  padded: Offset
  end: Offset
  /** Data records, and the leader epoch of the last batch. */
  ordinal: bigint
  epoch: number
  /** The last batches of data. */
  tail: readonly { from: Offset; to: Offset }[]
}

const TAIL = 8

/**
 * Follows the headers of a whole partition, from its start: data of one producer only, outside of transactions, each with
 * the sequence that its place asks for; control records of others fill offsets. That is how a mirror writes a partition
 * with identical offsets, and it stands in the log for ever. Source: MIRROR.md 5.2.
 */
export class ChainScan {
  readonly #first: Offset
  readonly #control = new Map<bigint, number>()
  readonly #holes: { from: Offset; to: Offset }[] = []
  #tail: { from: Offset; to: Offset }[] = []
  #producer: Chain['producer']
  #padded: Offset
  #at: Offset
  /** Control records before the first data, while its ordinal is not known. */
  #before = 0n
  #ordinal: bigint | undefined
  #epoch = -1

  constructor(first: Offset) {
    this.#first = first
    this.#at = first
    this.#padded = first
  }
  get at(): Offset {
    return this.#at
  }

  /** Takes the next header; gives what is wrong with it. */
  follow(header: BatchHeader): string | undefined {
    const { baseOffset, lastOffset, producerId, producerEpoch, attributes, leaderEpoch } = header
    if (header.magic !== 2) return `a batch of format ${header.magic} stands at offset ${baseOffset}`
    if (baseOffset !== this.#at)
      return `what stands at offset ${baseOffset} does not follow offset ${this.#at}`
    const wrong = attributes & ATTRIBUTE.control ? this.#fills(header) : this.#data(header)
    if (wrong !== undefined) return wrong
    if (attributes & ATTRIBUTE.control)
      this.#control.set(producerId, Math.max(producerEpoch, this.#control.get(producerId) ?? 0))
    this.#epoch = leaderEpoch
    this.#at = Offset(lastOffset + 1n)
    return undefined
  }

  #fills({ baseOffset, lastOffset, producerId }: BatchHeader): string | undefined {
    if (producerId === this.#producer?.id)
      return `the producer of the data wrote a control record at ${baseOffset}`
    const last = this.#holes.at(-1)
    if (last?.to === baseOffset) last.to = Offset(lastOffset + 1n)
    else this.#holes.push({ from: baseOffset, to: Offset(lastOffset + 1n) })
    if (this.#ordinal === undefined) this.#before += lastOffset - baseOffset + 1n
    return undefined
  }

  #data(header: BatchHeader): string | undefined {
    const { baseOffset, lastOffset, producerId: id, producerEpoch: epoch, baseSequence, attributes } = header
    if (id < 0n) return `offsets ${baseOffset} to ${lastOffset} come from a producer without id`
    if (attributes & ATTRIBUTE.transactional) return `offset ${baseOffset} is of a transaction`
    if (this.#control.has(id)) return `the producer of control records wrote data at ${baseOffset}`
    this.#producer ??= { id, epoch }
    if (this.#producer.id !== id)
      return `offset ${baseOffset} comes from producer ${id}, what stands before it from ${this.#producer.id}`
    this.#producer = { id, epoch }
    this.#ordinal ??= this.#firstOrdinal(baseOffset, baseSequence)
    if (baseSequence !== sequenceOf(this.#ordinal))
      return `the batch at offset ${baseOffset} has sequence ${baseSequence}, ${sequenceOf(this.#ordinal)} belongs there`
    this.#ordinal += lastOffset - baseOffset + 1n
    if (header.maxTimestamp === -1n && this.#padded === baseOffset && this.#first === 0n)
      this.#padded = Offset(lastOffset + 1n)
    this.#tail = [...this.#tail.slice(1 - TAIL), { from: baseOffset, to: Offset(lastOffset + 1n) }]
    return undefined
  }

  /** Records that stood before the log's start are told by the sequence of the first batch, the rest there was no record. */
  #firstOrdinal(base: bigint, sequence: number): bigint {
    const most = base - this.#before
    const ordinal = most - ((((most - BigInt(sequence)) % SEQUENCES) + SEQUENCES) % SEQUENCES)
    if (this.#first === 0n || ordinal < 0n) return most
    const missing = most - ordinal
    if (missing > this.#first) return most
    if (missing > 0n) {
      const from = Offset(this.#first - missing)
      const [next] = this.#holes
      if (next?.from === this.#first) next.from = from
      else this.#holes.unshift({ from, to: this.#first })
    }
    return ordinal
  }

  get found(): Chain {
    return {
      producer: this.#producer,
      control: this.#control,
      holes: this.#holes,
      first: this.#first,
      padded: this.#padded,
      end: this.#at,
      ordinal: this.#ordinal ?? this.#at - this.#before,
      epoch: this.#epoch,
      tail: this.#tail,
    }
  }
}
const SEQUENCES = 1n << 31n
