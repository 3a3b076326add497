import { AT, isWhole, sizeOfBatch } from '../kafka/index.ts'

const MAGIC_2 = 2

/** Where each leader epoch begins in a record set, in order, and where the set ends; old message formats have no epochs. */
export type EpochRun = { epochs: { from: bigint; epoch: number }[]; end: bigint }

export const epochsIn = (set: Buffer): EpochRun => {
  const epochs: EpochRun['epochs'] = []
  let tail = -1
  let known: number | undefined
  for (let at = 0; isWhole(set, at); at += sizeOfBatch(set, at)) {
    if (set[at + AT.magic] !== MAGIC_2) continue
    tail = at
    const epoch = set.readInt32BE(at + AT.leaderEpoch)
    if (epoch === known) continue
    known = epoch
    epochs.push({ from: set.readBigInt64BE(at), epoch })
  }
  const end =
    tail < 0 ? 0n : set.readBigInt64BE(tail) + BigInt(set.readInt32BE(tail + AT.lastOffsetDelta)) + 1n
  return { epochs, end }
}

/** More are not needed: a broker cuts its log back by few epochs. */
const KEPT = 64

/**
 * In which leader epoch of the source the records of a partition were written, as far as they were read: tells the leader
 * whether its log is still the one that was copied. Source: KIP-320, KIP-595.
 */
export class SourceEpochs {
  #from: EpochRun['epochs'] = []
  #read = 0n

  /** Goes on where an earlier process was: all that is known is the epoch of the record before this offset. */
  resume({ offset, source }: { offset: bigint; source: number }): void {
    this.#from = source < 0 ? [] : [{ from: offset - 1n, epoch: source }]
    this.#read = offset
  }

  /** What a fetch brought. */
  saw({ epochs, end }: EpochRun): void {
    const [first] = epochs
    if (!first) return
    if (first.from > this.#read) this.#from = [] // what lies between was not seen: no epoch may be said to reach over it
    for (const each of epochs) if (each.epoch > (this.#from.at(-1)?.epoch ?? -1)) this.#from.push(each)
    if (this.#from.length > KEPT) this.#from.splice(0, this.#from.length - KEPT)
    this.#read = end
  }

  /** The epoch of the record before this offset; -1 if it is not known. */
  before(offset: bigint): number {
    if (offset > this.#read) return -1
    return this.#from.findLast(({ from }) => from < offset)?.epoch ?? -1
  }

  /** Up to where a log that ends `epoch` at `endOffset` can be the one that was read. */
  common({ epoch, endOffset }: { epoch: number; endOffset: bigint }, read: bigint): bigint {
    const next = this.#from.find(each => each.epoch > epoch)?.from ?? read
    return endOffset < next ? endOffset : next
  }

  forget(): void {
    this.#from = []
  }
}
