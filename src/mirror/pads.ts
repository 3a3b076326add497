import { PAD_RECORDS, type Piece, type ProducerStamp, padBatch } from '../kafka/index.ts'
import { Offset } from '../kit/index.ts'

export type Pads = { from: Offset; to: Offset; most: number; stamp(ordinal: bigint): ProducerStamp }

/** Batches of empty records that move a partition's end from one offset up to another, `most` at a time. */
export function* padsUp({ from, to, most, stamp }: Pads): Generator<Piece, void> {
  for (let base = from, left = most; left > 0 && base < to; left--) {
    const count = Number(to - base < BigInt(PAD_RECORDS) ? to - base : BigInt(PAD_RECORDS))
    const end = Offset(base + BigInt(count))
    const bytes = padBatch(count, stamp(base))
    yield { kind: 'piece', bytes, base, count, end, ordinal: base, how: 'passed', batches: 0 }
    base = end
  }
}
