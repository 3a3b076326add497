import { describe, expect, test } from 'vitest'
import { ATTRIBUTE, type BatchHeader } from '../../src/kafka/index.ts'
import { Offset } from '../../src/kit/index.ts'
import { Trail } from '../../src/mirror/trail.ts'
import { OffsetMap } from '../../src/offsets/index.ts'

const IDS = { data: new Set([7n]), control: new Set([8n]) }
type Batch = { at: number; count?: number; id?: bigint; sequence?: number; control?: boolean }

const header = ({ at, count = 1, id = 7n, sequence = 0, control = false }: Batch): BatchHeader => ({
  baseOffset: Offset(BigInt(at)),
  lastOffset: Offset(BigInt(at + count - 1)),
  producerId: id,
  producerEpoch: 0,
  baseSequence: sequence,
  attributes: control ? ATTRIBUTE.control : 0,
  leaderEpoch: 0,
  magic: 2,
  lastOffsetDelta: count - 1,
  count,
  maxTimestamp: 0n,
  crc: 0,
  size: 100,
})
const marker = (at: number, id = 8n): Batch => ({ at, id, control: true })

/** A source with holes at these offsets, copied identically from offset 0 on. */
const follow = (holes: readonly number[], batches: readonly Batch[]) => {
  const map = new OffsetMap({ translated: false, start: Offset(0n) })
  for (const at of holes) map.gap({ from: Offset(BigInt(at)), to: Offset(BigInt(at + 1)) })
  const trail = new Trail({ map }, IDS, { end: Offset(0n), ordinal: 0n })
  for (const batch of batches) {
    const wrong = trail.follow(header(batch))
    if (wrong !== undefined) return wrong
  }
  return trail.found
}
const data = (at: number, sequence: number, count = 1): Batch => ({ at, sequence, count })

describe('reading the target back', () => {
  test('goes on over fillers that stand where the source has holes', () => {
    expect(follow([2, 5], [data(0, 0, 2), marker(2), data(3, 2, 2), marker(5)])).toEqual({
      end: 6n,
      ordinal: 4n,
      shifts: [],
    })
  })

  test('a filler too many shifts what follows, once for each', () => {
    expect(follow([2], [data(0, 0, 2), marker(2), marker(3), data(4, 2, 3), marker(7), marker(8)])).toEqual({
      end: 9n,
      ordinal: 5n,
      shifts: [
        { source: 3n, ordinal: 2n, target: 4n },
        { source: 6n, ordinal: 5n, target: 9n },
      ],
    })
  })

  for (const [what, holes, batches, says] of [
    ['data of somebody else', [], [data(0, 0), { at: 1, id: 99n, sequence: 1 }], 'come from producer 99'],
    ['data without a producer', [], [{ at: 0, id: -1n, sequence: -1 }], 'a producer without id'],
    [
      'a control record of somebody else',
      [1],
      [data(0, 0), marker(1, 99n)],
      'a control record of producer 99',
    ],
    [
      'a control record of the data producer',
      [1],
      [data(0, 0), marker(1, 7n)],
      'a control record of producer 7',
    ],
    ['data of the control producer', [], [{ at: 0, id: 8n, sequence: 0 }], 'come from producer 8'],
    ['a stray repeat', [], [data(0, 0, 3), data(3, 1, 2)], 'a stray repeat'],
    ['a gap in the sequences', [], [data(0, 0, 3), data(3, 5, 2)], '3 belongs there'],
    ['data where the source has a hole', [2], [data(0, 0, 3)], 'belongs at 3'],
    ['a place that was jumped over', [], [data(0, 0), data(2, 1)], 'nothing stands at offsets 1 to 1'],
  ] as const)
    test(`finds ${what}`, () => expect(follow(holes, batches)).toContain(says))
})
