import { AT, isWhole, sizeOfBatch } from '../kafka/index.ts'

const MAGIC_2 = 2
const UNKNOWN = -1

/** From this offset on records are of this leader epoch; -1: which one is not known. */
export type EpochStart = { from: bigint; epoch: number }

/** Where each leader epoch begins in a record set, in order; old message formats have no epochs. `at`: what was asked for. */
export const epochsIn = (set: Buffer, at: bigint): EpochStart[] => {
  const starts: EpochStart[] = []
  let end = at
  for (let i = 0; isWhole(set, i); i += sizeOfBatch(set, i)) {
    if (set[i + AT.magic] !== MAGIC_2) continue
    const epoch = set.readInt32BE(i + AT.leaderEpoch)
    const base = set.readBigInt64BE(i)
    if (epoch !== starts.at(-1)?.epoch) {
      // an epoch may have begun and ended in what compaction took out
      if (base > end) starts.push({ from: end, epoch: UNKNOWN })
      starts.push({ from: base, epoch })
    }
    end = base + BigInt(set.readInt32BE(i + AT.lastOffsetDelta)) + 1n
  }
  return starts
}

/** More are not needed: a broker cuts its log back by few epochs. */
const KEPT = 64

/**
 * In which leader epoch of the source the records of a partition were written, as far as they were read: tells the leader
 * whether its log is still the one that was copied. Nothing is sent that is of an epoch which is not kept yet, so after
 * any crash that is known of all that the target holds. Source: KIP-320, KIP-595.
 */
export class SourceEpochs {
  #starts: EpochStart[]
  /** Where what is not kept yet begins; and where what is being kept does. */
  #unkept: bigint | undefined
  #keeping: bigint | undefined

  constructor(kept: readonly EpochStart[] = []) {
    this.#starts = [...kept]
  }

  /** What a fetch brought. What was read of those offsets before is void: the source may be another now. */
  saw(found: readonly EpochStart[]): void {
    const [first] = found
    if (!first) return
    const before = this.#starts.filter(({ from }) => from < first.from)
    const known = this.#starts.slice(before.length)
    const starts = [...before]
    for (const [i, each] of found.entries()) {
      const last = starts.at(-1)?.epoch ?? UNKNOWN
      const between = each.epoch === UNKNOWN && found[i + 1]?.epoch === last
      if (each.epoch !== last && !between) starts.push(each)
    }
    const fresh = starts.slice(before.length)
    const same = (each: EpochStart | undefined, i: number) =>
      each?.from === known[i]?.from && each?.epoch === known[i]?.epoch
    const most = Math.max(fresh.length, known.length)
    const odd = Array.from({ length: most }, (_, i) => i).find(i => !same(fresh[i], i)) ?? most
    for (const at of [fresh[odd], known[odd]]) if (at) this.#hold(at.from)
    this.#starts = starts.slice(-KEPT)
  }
  #hold(from: bigint): void {
    if (this.#unkept === undefined || from < this.#unkept) this.#unkept = from
  }

  /** Nothing from this source offset on may be sent before what is known of it is kept. */
  get bar(): bigint | undefined {
    if (this.#keeping === undefined || this.#unkept === undefined) return this.#keeping ?? this.#unkept
    return this.#keeping < this.#unkept ? this.#keeping : this.#unkept
  }
  /** What is to be kept, as of now; undefined if all is. Then `kept` is called, or nothing if that failed. */
  unkept(): { starts: readonly EpochStart[]; kept(): void } | undefined {
    const { bar } = this
    if (bar === undefined) return undefined
    this.#keeping = bar
    this.#unkept = undefined
    return {
      starts: [...this.#starts],
      kept: () => {
        this.#keeping = undefined
      },
    }
  }

  /** The epoch of the record before this offset, up to which the source was read; -1 if it is not known. */
  before(offset: bigint): number {
    return this.#starts.findLast(({ from }) => from < offset)?.epoch ?? UNKNOWN
  }

  /** Up to where a log that ends `epoch` at `endOffset` can be the one that was read. */
  common({ epoch, endOffset }: { epoch: number; endOffset: bigint }, read: bigint): bigint {
    const next = this.#starts.find(each => each.epoch > epoch)?.from ?? read
    return endOffset < next ? endOffset : next
  }

  forget(): void {
    this.#starts = []
  }
}
