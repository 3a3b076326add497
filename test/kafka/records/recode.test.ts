import { crc32c } from '@node-rs/crc32'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  AT,
  ATTRIBUTE,
  CODECS,
  type Codec,
  crcOf,
  encodeBatch,
  type NewRecord,
  NO_PRODUCER,
  type Piece,
  padBatch,
  patchHeader,
  type Recoded,
  type RecodeOptions,
  readHeader,
  recode,
  recordsOf,
  sequenceOf,
} from '../../../src/kafka/records/index.ts'
import { Offset } from '../../../src/kit/index.ts'

const bytes = (max = 40) => fc.uint8Array({ maxLength: max }).map(b => Buffer.from(b))
const field = fc.option(bytes())
const record: fc.Arbitrary<NewRecord> = fc.record({
  timestamp: fc.bigInt({ min: -1n, max: 2n ** 42n }),
  key: field,
  value: fc.oneof(field, bytes(3000)),
  headers: fc.array(fc.record({ key: bytes(10), value: field }), { maxLength: 3 }),
})
const codec = fc.constantFrom<Codec>(0, 1, 2, 3, 4)
const batchList = fc.array(fc.tuple(codec, fc.array(record, { minLength: 1, maxLength: 6 })), {
  minLength: 1,
  maxLength: 12,
})
const P = 4_000_000_001n
const options = (o: Partial<RecodeOptions> = {}): RecodeOptions => ({
  where: 'orders-3',
  from: Offset(0n),
  ordinal: o.from ?? 0n,
  holes: 'split',
  aborted: [],
  stamp: base => ({ producerId: P, producerEpoch: 0, baseSequence: sequenceOf(base) }),
  passFrom: { plain: 65_536, packed: 4_096 },
  mergeTo: 524_288,
  ...o,
})

/** A source log: dense batches from `start`, as a broker would send them. */
const logOf = (batches: [Codec, NewRecord[]][], start = 0n): Buffer => {
  let baseOffset = start
  return Buffer.concat(
    batches.map(([codec, records]) => {
      const batch = encodeBatch(records, { codec, baseOffset })
      baseOffset += BigInt(records.length)
      return batch
    }),
  )
}
const visible = (batch: Buffer, base: bigint) =>
  [...recordsOf(batch)].map(r => ({ ...r, offset: r.offset - BigInt(readHeader(batch).baseOffset) + base }))
const piecesOf = ({ items }: Recoded): Piece[] => items.filter(item => item.kind === 'piece')
const all = (set: Buffer) => {
  const found = []
  for (let at = 0; at < set.length; at += 12 + set.readInt32BE(at + 8)) found.push(...recordsOf(set, at))
  return found.map(r => ({ ...r, offset: BigInt(r.offset) }))
}

describe('a record set on its way to the target', () => {
  test('keeps every record, key, value, header and timestamp at its offset, in any mix of sizes and codecs', () => {
    fc.assert(
      fc.property(
        batchList,
        fc.bigInt({ min: 0n, max: 2n ** 40n }),
        fc.nat(200),
        fc.integer({ min: 200, max: 5000 }),
        (batches, start, passFrom, mergeTo) => {
          const set = logOf(batches, start)
          const expected = all(set)
          const got = recode(
            Buffer.from(set),
            options({ from: Offset(start), passFrom: { plain: passFrom * 10, packed: passFrom }, mergeTo }),
          )
          expect(got.stop).toBeUndefined()
          expect(BigInt(got.next)).toBe(start + BigInt(expected.length))
          expect(piecesOf(got).flatMap(piece => visible(piece.bytes, piece.base))).toEqual(expected)
          for (const { bytes, base, count } of piecesOf(got)) {
            const header = readHeader(bytes)
            expect(header).toMatchObject({
              producerId: P,
              producerEpoch: 0,
              baseSequence: sequenceOf(base),
              count,
              lastOffsetDelta: count - 1,
              leaderEpoch: -1,
            })
            expect(bytes.readUInt32BE(AT.crc)).toBe(crcOf(bytes))
            expect(header.size).toBe(bytes.length)
            const latest = [...recordsOf(bytes)].reduce(
              (max, r) => (r.timestamp > max ? r.timestamp : max),
              -(2n ** 62n),
            )
            expect(header.maxTimestamp).toBe(latest)
          }
        },
      ),
      { numRuns: 200 },
    )
  })

  test('is trimmed where the log start lies inside its first batch, so that deleted records stay deleted', () => {
    fc.assert(
      fc.property(
        codec,
        fc.array(record, { minLength: 2, maxLength: 8 }),
        fc.nat(7),
        (codec, records, cut) => {
          const skip = BigInt(cut % records.length)
          const set = logOf([[codec, records]], 100n)
          const got = recode(Buffer.from(set), options({ from: Offset(100n + skip) }))
          const expected = all(set).slice(Number(skip))
          expect(piecesOf(got).flatMap(piece => visible(piece.bytes, piece.base))).toEqual(expected)
        },
      ),
    )
  })

  test('with log append times keeps the times that readers see', () => {
    const set = logOf(
      [
        [
          4,
          [
            { timestamp: 5n, value: Buffer.from('a') },
            { timestamp: 9n, value: Buffer.from('b') },
          ],
        ],
      ],
      7n,
    )
    patchHeader(set, 0, () => {
      set.writeInt16BE(set.readInt16BE(AT.attributes) | ATTRIBUTE.logAppendTime, AT.attributes)
      set.writeBigInt64BE(1_700_000_000_000n, AT.maxTimestamp)
    })
    const [piece] = piecesOf(recode(set, options({ from: Offset(7n) })))
    expect(piece?.how).toBe('reencoded')
    expect([...recordsOf(piece?.bytes ?? Buffer.alloc(0))].map(r => r.timestamp)).toEqual([
      1_700_000_000_000n,
      1_700_000_000_000n,
    ])
    expect(readHeader(piece?.bytes ?? Buffer.alloc(0)).attributes & ATTRIBUTE.logAppendTime).toBe(0)
  })

  test('one-record batches are merged into one', () => {
    const set = logOf(Array.from({ length: 500 }, (_, i) => [0, [{ value: Buffer.from(`v${i}`) }]]))
    const got = recode(set, options())
    expect(piecesOf(got).map(({ how, count, batches }) => ({ how, count, batches }))).toEqual([
      { how: 'merged', count: 500, batches: 500 },
    ])
  })

  test('a batch cut off at the end of a fetch is left for the next', () => {
    const set = logOf([
      [0, [{ value: Buffer.alloc(50) }]],
      [0, [{ value: Buffer.alloc(50) }]],
    ])
    const got = recode(set.subarray(0, set.length - 1), options())
    expect(got).toMatchObject({ next: 1n, items: [{ count: 1 }] })
  })

  test('sequences follow the ordinal over 2^31', () => {
    expect([2n ** 31n - 1n, 2n ** 31n, 2n ** 32n + 5n].map(sequenceOf)).toEqual([2 ** 31 - 1, 0, 5])
  })
})

describe('the checksum', () => {
  test('equals the native one at every size', () => {
    for (let size = 0; size < 1200; size++) {
      const batch = encodeBatch([{ value: Buffer.alloc(size, size) }])
      expect(crcOf(batch)).toBe(crc32c(batch.subarray(AT.attributes)))
    }
  })
  test('patched over a changed header equals a full pass', () => {
    fc.assert(
      fc.property(bytes(5000), fc.uint8Array({ minLength: 40, maxLength: 40 }), (value, header) => {
        const batch = encodeBatch([{ value }])
        patchHeader(batch, 0, () => batch.set(header, AT.attributes))
        expect(batch.readUInt32BE(AT.crc)).toBe(crcOf(batch))
      }),
    )
  })
  test('of a damaged payload stays wrong when the batch passes', () => {
    const set = encodeBatch([{ value: Buffer.alloc(200_000, 7) }], { baseOffset: 0n })
    set.writeUInt8(8, 150_000)
    const [piece] = piecesOf(recode(set, options()))
    expect(piece?.bytes.readUInt32BE(AT.crc)).not.toBe(crcOf(piece?.bytes ?? set))
  })
  test('of a damaged small batch stops the merge', () => {
    const set = logOf([
      [0, [{ value: Buffer.alloc(90, 7) }]],
      [0, [{ value: Buffer.alloc(90, 7) }]],
    ])
    set.writeUInt8(9, 100)
    expect(recode(set, options())).toMatchObject({ items: [], next: 0n, stop: { code: 'CORRUPT_BATCH' } })
  })
})

describe('padding', () => {
  for (const count of [1, 2, 63, 64, 100, 100_000]) {
    test(`${count} offsets: one dense batch of empty records`, () => {
      const batch = padBatch(count, { ...NO_PRODUCER, producerId: P })
      const records = [...recordsOf(batch)]
      expect(records.length).toBe(count)
      expect(records.at(-1)).toEqual({
        offset: BigInt(count - 1),
        timestamp: -1n,
        key: null,
        value: null,
        headers: [],
      })
      expect(batch.readUInt32BE(AT.crc)).toBe(crcOf(batch))
    })
  }
  test('costs less than a byte an offset', () => {
    expect(padBatch(100_000, NO_PRODUCER).length).toBeLessThan(100_000)
  })
})

test(`a batch of each codec (${CODECS.join(', ')}) reads back as it was written`, () => {
  fc.assert(
    fc.property(codec, fc.array(record, { minLength: 1, maxLength: 5 }), (codec, records) => {
      const back = [...recordsOf(encodeBatch(records, { codec }))]
      expect(back.map(({ offset: _, ...rest }) => rest)).toEqual(
        records.map(r => ({
          timestamp: r.timestamp,
          key: r.key ?? null,
          value: r.value ?? null,
          headers: r.headers,
        })),
      )
    }),
  )
})

test('batches of a producer whose records the target has elsewhere are holes, among small neighbours too', () => {
  const at = (baseOffset: bigint, count: number, producerId: bigint) => {
    const records = Array.from({ length: count }, () => ({ timestamp: 1n, value: Buffer.from('v') }))
    return encodeBatch(records, { stamp: { producerId, producerEpoch: 0, baseSequence: 0 }, baseOffset })
  }
  const set = [at(40n, 5, 7n), at(45n, 3, 2n), at(48n, 5, -1n)]
  for (const [holes, expected] of [
    ['split', ['piece 40 5', 'hole 45 48', 'piece 48 5']],
    ['squeeze', ['piece 40 10']],
  ] as const) {
    const how = options({ from: Offset(40n), ordinal: 40n, holes, skip: new Set([2n]) })
    const { items, ordinal } = recode(Buffer.concat(set), how)
    expect(
      items.map(item =>
        item.kind === 'hole' ? `hole ${item.from} ${item.to}` : `piece ${item.base} ${item.count}`,
      ),
    ).toEqual(expected)
    expect(ordinal).toBe(50n)
  }
})
