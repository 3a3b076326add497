import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { checkPartition, faults, type Seen, totals, writePayload } from '../../src/load/index.ts'
import { accountsOf } from '../../src/load/ledger.ts'

const place = { topic: 'orders', partition: 3 }
const run = '00c0ffee00c0ffee'
const stamped = (serial: number, writer = 1, over = {}) =>
  writePayload({ run, writer, ...place, serial, timeMs: 1, ...over }, 80)
const log = (values: Uint8Array[]): Seen[] => values.map((value, i) => ({ offset: BigInt(i), value }))
const account = (ok: [number, number][], unknown: [number, number][] = [], below = 100) => {
  const accounts = accountsOf([
    { kind: 'reserved', ...place, below },
    ...ok.map(([from, to]) => ({ kind: 'ok' as const, ...place, from, to, offset: '0', at: 'x:1' })),
    ...unknown.map(([from, to]) => ({ kind: 'unknown' as const, ...place, from, to, why: '' })),
  ])
  return accounts.get('orders-3') ?? expect.unreachable()
}
const check = (values: Uint8Array[], accounts = new Map([[1, account([[0, 9]])]])) => {
  const found = checkPartition({ ...place, run, accounts, records: log(values) })
  return { ...totals([found]), lines: faults([found]) }
}
const ten = Array.from({ length: 10 }, (_, serial) => stamped(serial))
const clean = {
  records: 10,
  lost: 0,
  repeated: 0,
  outOfOrder: 0,
  phantom: 0,
  corrupt: 0,
  foreign: 0,
  lines: [],
}
const flipped = (at: number, bit: number) => {
  const value = Buffer.from(ten[4] ?? expect.unreachable())
  value[at] = (value[at] ?? 0) ^ (1 << bit)
  return value
}

describe('the checker', () => {
  test('finds nothing in a log that holds each serial once, in order', () => {
    expect(check(ten)).toEqual(clean)
  })
  const rows: [fault: string, values: Uint8Array[], expected: object][] = [
    [
      'a record that is dropped',
      ten.toSpliced(4, 1),
      { lost: 1, lines: ['lost in orders-3: serials 4 of writer 1'] },
    ],
    [
      'a tail that is dropped',
      ten.slice(0, 7),
      { lost: 3, lines: ['lost in orders-3: serials 7-9 of writer 1'] },
    ],
    ['everything dropped', [], { lost: 10 }],
    ['a record that is repeated', ten.toSpliced(6, 0, stamped(4)), { repeated: 1, lost: 0, outOfOrder: 0 }],
    [
      'a batch that is repeated',
      [...ten, ...ten.slice(2, 5)],
      { repeated: 3, lines: ['repeated in orders-3: serials 2-4 of writer 1'] },
    ],
    [
      'two records that are swapped',
      ten.with(4, stamped(5)).with(5, stamped(4)),
      { outOfOrder: 1, lost: 0, repeated: 0 },
    ],
    ['a record of another partition', [...ten, stamped(3, 1, { partition: 2 })], { foreign: 1 }],
    ['a record of another topic', [...ten, stamped(3, 1, { topic: 'orderz' })], { foreign: 1 }],
    ['a record of another run', [...ten, stamped(3, 1, { run: 'f'.repeat(16) })], { foreign: 1 }],
    ['a record of a client that is none of ours', [...ten, Buffer.from('hello')], { foreign: 1 }],
    ['a serial that was never sent', [...ten, stamped(100)], { phantom: 1, lost: 0 }],
    ['a writer that does not exist', [...ten, stamped(0, 7)], { phantom: 1 }],
  ]
  for (const [fault, values, expected] of rows) {
    test(`catches ${fault}`, () => {
      expect(check(values)).toMatchObject(expected)
      expect(check(values).lines).not.toEqual([])
    })
  }
  test('catches any flipped bit of a value', () => {
    fc.assert(
      fc.property(fc.nat(79), fc.nat(7), (at, bit) => {
        const { corrupt, foreign, lost } = check(ten.with(4, flipped(at, bit)))
        expect({ wrong: corrupt + foreign, lost }).toEqual({ wrong: 1, lost: 1 })
      }),
    )
  })
  test('takes a record whose outcome is unknown as it is, there or not', () => {
    const accounts = new Map([
      [
        1,
        account(
          [
            [0, 3],
            [5, 9],
          ],
          [[4, 4]],
        ),
      ],
    ])
    expect(check(ten, accounts)).toEqual(clean)
    expect(check(ten.toSpliced(4, 1), accounts)).toEqual({ ...clean, records: 9 })
  })
  test('keeps several writers apart', () => {
    const both = ten.flatMap((value, serial) => [value, stamped(serial, 2)])
    const accounts = new Map([
      [1, account([[0, 9]])],
      [2, account([[0, 9]])],
    ])
    expect(check(both, accounts)).toEqual({ ...clean, records: 20 })
    expect(check(both.toSpliced(3, 1), accounts).lines).toEqual(['lost in orders-3: serials 1 of writer 2'])
  })
  test('agrees with a plain count of any mix of drops, repeats and moves', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(9), { maxLength: 40 }), serials => {
        const found = check(serials.map(serial => stamped(serial)))
        const distinct = new Set(serials)
        expect(found.lost).toBe(10 - distinct.size)
        let high = -1
        const late = new Set<number>()
        const again = new Set<number>()
        const seen = new Set<number>()
        for (const serial of serials) {
          if (seen.has(serial)) again.add(serial)
          else if (serial < high) late.add(serial)
          seen.add(serial)
          high = Math.max(high, serial)
        }
        expect(found.outOfOrder).toBe(late.size)
        expect(found.repeated).toBe(again.size)
      }),
    )
  })
})
