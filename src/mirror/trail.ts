import { ATTRIBUTE, type BatchHeader, sequenceOf } from '../kafka/index.ts'
import { Offset } from '../kit/index.ts'
import type { OffsetMap, Shift } from '../offsets/index.ts'
import type { LaneOptions, Settled } from './lane-shape.ts'
import type { Sent } from './sent.ts'
import type { ProducerIds } from './state.ts'

/** Follows the batch headers of a target partition, and compares them with what the map says. */
export class Trail {
  readonly #map: OffsetMap
  readonly #sent: Sent | undefined
  readonly #ids: ProducerIds
  readonly #shifts: Shift[] = []
  readonly #strays: readonly { from: bigint; to: bigint }[]
  #ordinal: bigint
  at: Offset

  constructor(
    { map, strays = [], sent }: { map: OffsetMap; sent?: Sent } & Pick<LaneOptions, 'strays'>,
    ids: ProducerIds,
    from: Settled,
  ) {
    this.#map = map
    this.#strays = strays
    this.#sent = sent
    this.#ids = ids
    this.at = from.end
    this.#ordinal = from.ordinal
  }

  get found(): Settled {
    return { end: this.at, ordinal: this.#ordinal, shifts: this.#shifts }
  }

  /** Takes the next header, the one that `at` lies in; gives what is wrong with it. */
  follow({
    baseOffset,
    lastOffset,
    producerId,
    baseSequence,
    attributes,
    crc,
  }: BatchHeader): string | undefined {
    const whose = producerId < 0n ? 'a producer without id' : `producer ${producerId}`
    if (baseOffset > this.at) return `nothing stands at offsets ${this.at} to ${baseOffset - 1n}`
    const ours = this.#isOurs(producerId) || this.#ids.control.has(producerId)
    if (!ours && this.#strays.some(({ from, to }) => from <= this.at && lastOffset < to)) {
      while (this.at <= lastOffset) this.#filler()
      return undefined
    }
    if (attributes & ATTRIBUTE.control) {
      if (!this.#ids.control.has(producerId) && !this.#sent?.isFormer(producerId))
        return `a control record of ${whose} stands at ${baseOffset}`
      while (this.at <= lastOffset) this.#filler()
      return undefined
    }
    if (!this.#isOurs(producerId)) return `offsets ${baseOffset} to ${lastOffset} come from ${whose}`
    const expected = sequenceOf(this.#ordinal - (this.at - baseOffset))
    if (baseSequence !== expected)
      return `the batch at offset ${baseOffset} has sequence ${baseSequence}, ${expected} belongs there: a stray repeat`
    if (this.#sent?.isStrange(this.#ordinal - (this.at - baseOffset), crc))
      return `the batch at offset ${baseOffset} has the checksum of none that was to stand there`
    const last = this.#ordinal + lastOffset - this.at
    for (const [ordinal, at] of [
      [this.#ordinal, this.at],
      [last, lastOffset],
    ] as const)
      if (this.#targetOf(ordinal) !== at)
        return `the record at offset ${at} belongs at ${this.#targetOf(ordinal)}: the map of the partition says so`
    this.#ordinal = last + 1n
    this.at = Offset(lastOffset + 1n)
    return undefined
  }

  #isOurs(id: bigint): boolean {
    return this.#ids.data.has(id) || this.#sent?.producer.id === id || this.#sent?.isFormer(id) === true
  }
  #targetOf(ordinal: bigint): bigint {
    const shift = this.#shifts.at(-1)
    return shift ? shift.target + ordinal - shift.ordinal : this.#map.targetOf(ordinal)
  }

  /** A control record: it fills a hole, or is one too many, and what follows stands one further. */
  #filler(): void {
    const target = Offset(this.at + 1n)
    if (this.#targetOf(this.#ordinal) <= this.at) {
      const ordinal = this.#ordinal
      const last = this.#shifts.at(-1)
      const source =
        this.#map.shifts.some(shift => shift.target <= this.at) || last
          ? this.#map.runs.sourceOf(ordinal)
          : this.at
      if (last?.ordinal === ordinal) this.#shifts[this.#shifts.length - 1] = { ...last, target }
      else this.#shifts.push({ source, ordinal, target })
    }
    this.at = target
  }
}
