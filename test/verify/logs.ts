import { type Codec, encodeBatch, type NewRecord } from '../../src/kafka/index.ts'
import { Comparison } from '../../src/verify/compare.ts'
import type { Fed } from '../../src/verify/feed.ts'
import { Tally } from '../../src/verify/tally.ts'
import { Walk } from '../../src/verify/walk.ts'

export type Placed = NewRecord & { offset: number }

/** A log's batches as a fetch brings them: `cuts` says after how many records a batch ends. Offsets within a batch are dense. */
export const batchesOf = (
  records: readonly Placed[],
  cuts: readonly number[],
  codec: Codec = 0,
): Buffer[] => {
  const batches: Buffer[] = []
  for (let from = 0, turn = 0; from < records.length; turn++) {
    let to = from + 1
    const most = cuts.length > 0 ? (cuts[turn % cuts.length] ?? 1) : records.length
    while (
      to < records.length &&
      to - from < most &&
      records[to]?.offset === (records[to - 1]?.offset ?? 0) + 1
    )
      to++
    batches.push(
      encodeBatch(records.slice(from, to), { codec, baseOffset: BigInt(records[from]?.offset ?? 0) }),
    )
    from = to
  }
  return batches
}

/** Sets of two batches each. */
export const walkOf = (
  batches: readonly Buffer[],
  { from = 0, to = 1_000_000, where = 'log' } = {},
): Walk => {
  const sets = Array.from({ length: Math.ceil(batches.length / 2) }, (_, i) =>
    Buffer.concat(batches.slice(2 * i, 2 * i + 2)),
  )
  const next = async (): Promise<Fed> => {
    const bytes = sets.shift()
    return bytes ? { kind: 'set', set: { bytes, aborted: [], done() {} } } : { kind: 'end' }
  }
  return new Walk({ next, async [Symbol.asyncDispose]() {} }, { where, from, to })
}

export const compared = async (
  source: readonly Buffer[],
  target: readonly Buffer[],
  { ordered = false, keep = 50 } = {},
): Promise<Tally['state']> => {
  const tally = new Tally(keep)
  const endOf = (batches: readonly Buffer[]) => {
    const last = batches.at(-1)
    return last ? last.readBigInt64BE(0) + BigInt(last.readInt32BE(23)) + 1n : 0n
  }
  await new Comparison({
    naming: { topic: 't', partition: 0, showKeys: true },
    source: walkOf(source),
    target: walkOf(target),
    image: ordered ? undefined : offset => offset,
    ends: { source: endOf(source), target: endOf(target) },
    reached: { source: 0, target: 0, shift: 0 },
    tally,
    on() {},
  }).run()
  return tally.state
}
