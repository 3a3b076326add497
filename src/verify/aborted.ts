import type { Aborted } from '../kafka/index.ts'

/**
 * Which batches of a fetch answer belong to aborted transactions, asked batch by batch in the order of the log. A
 * producer's batches are aborted from `firstOffset` on until its abort marker. Source: Kafka's CompletedFetch.
 */
export class AbortedBatches {
  readonly #due: Aborted[]
  readonly #open = new Set<bigint>()
  constructor(listed: readonly Aborted[]) {
    this.#due = [...listed].sort((a, b) => (a.firstOffset < b.firstOffset ? -1 : 1))
  }

  /** Whether there is anything to ask. */
  get any(): boolean {
    return this.#due.length > 0 || this.#open.size > 0
  }

  /** A transactional data batch that ends at `lastOffset`. */
  has(producerId: bigint, lastOffset: bigint): boolean {
    while ((this.#due[0]?.firstOffset ?? lastOffset + 1n) <= lastOffset) {
      const next = this.#due.shift()
      if (next) this.#open.add(next.producerId)
    }
    return this.#open.has(producerId)
  }

  /** A marker of the producer: its transaction is over. */
  ended(producerId: bigint): void {
    this.#open.delete(producerId)
  }
}
