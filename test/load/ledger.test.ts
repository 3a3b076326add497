import { appendFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Ledger, Ranges, readPayload, writePayload } from '../../src/load/index.ts'
import { temporary } from '../temporary.ts'

describe('ranges', () => {
  test('hold what a set holds, in as few ranges as possible', () => {
    const step = fc.record({ add: fc.boolean(), from: fc.nat(40), length: fc.nat(6) })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), steps => {
        const [ranges, set] = [new Ranges(), new Set<number>()]
        for (const { add, from, length } of steps) {
          if (add) {
            ranges.add(from, from + length)
            for (let n = from; n <= from + length; n++) set.add(n)
          } else expect(ranges.remove(from)).toBe(set.delete(from))
        }
        expect(ranges.count).toBe(set.size)
        for (let n = 0; n < 50; n++) expect(ranges.has(n)).toBe(set.has(n))
        const list = ranges.toJSON()
        expect(
          list.every(([from, to], i) => from <= to && (i === 0 || from > (list[i - 1]?.[1] ?? 0) + 1)),
        ).toBe(true)
      }),
    )
  })
  test('read as 3-7, 9', () =>
    expect(
      `${new Ranges([
        [9, 9],
        [3, 5],
        [6, 7],
      ])}`,
    ).toBe('3-7, 9'))
  test('intersect', () => {
    expect(
      new Ranges([
        [0, 5],
        [8, 9],
      ])
        .and(new Ranges([[4, 8]]))
        .toJSON(),
    ).toEqual([
      [4, 5],
      [8, 8],
    ])
  })
})

test('a payload says what was written into it, at any size', () => {
  const stamp = fc.record({
    run: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }).map(n => n.toString(16).padStart(16, '0')),
    writer: fc.nat(),
    topic: fc.string({ minLength: 1, maxLength: 60 }),
    partition: fc.nat(),
    serial: fc.maxSafeNat(),
    timeMs: fc.maxSafeNat(),
  })
  fc.assert(
    fc.property(stamp, fc.nat(2_000), (stamp, bytes) => {
      expect(readPayload(writePayload(stamp, bytes))).toEqual({ kind: 'stamped', stamp })
    }),
  )
})

describe('a ledger', () => {
  const place = { topic: 't', partition: 0 }
  const path = () => join(temporary(), 'writer.ndjson')
  test('opened again knows what was reserved, acknowledged and in doubt', async () => {
    const file = path()
    {
      await using ledger = await Ledger.open(file)
      await Promise.all([
        ledger.reserve(place, 1),
        ledger.reserve(place, 2),
        ledger.append({ kind: 'ok', ...place, from: 0, to: 4, offset: '0', at: 'h:1' }),
        ledger.append({ kind: 'unknown', ...place, from: 5, to: 6, why: 'timeout' }),
      ])
    }
    appendFileSync(file, '{"torn')
    const account = Ledger.read(file).get('t-0')
    expect(account?.reserved).toBeGreaterThanOrEqual(2)
    expect([`${account?.ok}`, `${account?.unknown}`]).toEqual(['0-4', '5-6'])
    await using ledger = await Ledger.open(file)
    expect(ledger.accounts.get('t-0')?.ok.count).toBe(5)
  })
})
