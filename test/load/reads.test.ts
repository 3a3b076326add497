import { describe, expect, test } from 'vitest'
import { checkReads, type ReadEntry, type ReadLog, type ReadRecord, unequal } from '../../src/load/index.ts'

const batch = (first: number, last: number, over: Partial<ReadEntry> = {}): ReadEntry => ({
  ...{ topic: 't', partition: 0, first: String(first), last: String(last), count: last - first + 1 },
  at: 'h:1',
  ...over,
})

describe('a reader that moved from one cluster to another', () => {
  const rows: [what: string, entries: ReadEntry[], expected: object][] = [
    [
      'went on where it had ended',
      [batch(5, 9), batch(10, 12)],
      { records: 8, first: 5n, next: 13n, skipped: [], reread: [] },
    ],
    ['skipped records', [batch(0, 4), batch(7, 9)], { skipped: ['5-6'], reread: [], next: 10n }],
    ['read records twice', [batch(0, 4), batch(3, 6)], { skipped: [], reread: ['3-4'], next: 7n }],
    ['began anew', [batch(0, 4), batch(0, 2)], { skipped: [], reread: ['0-2'], next: 5n }],
  ]
  for (const [what, entries, expected] of rows) {
    test(`and ${what}`, () => {
      expect(checkReads('g', entries)).toEqual([
        expect.objectContaining({ group: 'g', topic: 't', ...expected }),
      ])
    })
  }
  test('is judged partition by partition', () => {
    const entries = [batch(0, 4), batch(9, 9, { partition: 1 }), batch(5, 5), batch(10, 10, { partition: 1 })]
    expect(checkReads('g', entries).map(({ skipped, reread }) => [...skipped, ...reread])).toEqual([[], []])
  })
})

describe('two logs differ', () => {
  const record = (offset: bigint, over: Partial<ReadRecord> = {}): ReadRecord => ({
    ...{ offset, timestamp: '7', key: Buffer.from('k'), value: Buffer.from('v'), headers: [['h', 'dg==']] },
    ...over,
  })
  const log = (records: ReadRecord[]): ReadLog => ({ topic: 't', partition: 0, start: 0n, end: 9n, records })
  const rows: [where: string, other: ReadRecord[], offsets: bigint[]][] = [
    ['nowhere', [record(0n), record(1n)], []],
    ['nowhere, if the second goes on', [record(0n), record(1n), record(2n)], []],
    ['where a record is missing', [record(0n)], [1n]],
    ['where all are one further', [record(1n), record(2n)], [0n]],
    ['in a key', [record(0n), record(1n, { key: Buffer.from('K') })], [1n]],
    [
      'in null against empty',
      [record(0n, { value: Buffer.alloc(0) }), record(1n, { value: null })],
      [0n, 1n],
    ],
    ['in a timestamp', [record(0n, { timestamp: '8' }), record(1n)], [0n]],
    ['in headers', [record(0n, { headers: [] }), record(1n)], [0n]],
  ]
  for (const [where, other, offsets] of rows) {
    test(where, () => {
      expect(unequal(log([record(0n), record(1n)]), log(other))).toEqual(offsets)
    })
  }
})
