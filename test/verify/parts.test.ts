import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { encodeBatch } from '../../src/kafka/index.ts'
import { Offset } from '../../src/kit/index.ts'
import { OffsetMap } from '../../src/offsets/index.ts'
import { AbortedBatches } from '../../src/verify/aborted.ts'
import { Chain } from '../../src/verify/chain.ts'
import { Cursor } from '../../src/verify/cursor.ts'
import { extentOf, type How, type Maker } from '../../src/verify/extent.ts'
import { judge } from '../../src/verify/groups.ts'
import { compareLatest } from '../../src/verify/latest.ts'
import { type Places, placesOf, SAME_PLACES } from '../../src/verify/places.ts'
import { StateFile } from '../../src/verify/state-file.ts'
import { Tally } from '../../src/verify/tally.ts'
import { temporary } from '../temporary.ts'
import { batchesOf, type Placed, walkOf } from './logs.ts'

describe('what can be compared follows from the ends of both logs and from who made the copy', () => {
  const at = (
    source: [number, number],
    target: [number, number],
    how: How,
    maker: Maker,
    places: Places = SAME_PLACES,
    anchor?: bigint,
  ) => {
    const ends = ([start, end]: [number, number]) => ({ start: BigInt(start), end: BigInt(end) })
    const scope = { topic: 't', partition: 0, source: ends(source), target: ends(target), open: 0n }
    const {
      source: s,
      target: t,
      behind,
      since,
      differences,
      notCompared,
    } = extentOf(scope, { how, maker, places, anchor })
    return [
      `${s.from}-${s.to} ${t.from}-${t.to}`,
      ...(behind ? [`behind ${behind}`] : []),
      ...(since ? [`since ${since}`] : []),
      ...differences.map(({ kind, source, length }) => `${kind} ${source} ${length}`),
      ...notCompared.map(({ side, from, to }) => `not ${side} ${from}-${to}`),
    ].join(', ')
  }
  const rows: [string, string, string][] = [
    ['equal ends', at([0, 100], [0, 100], 'identical', 'mirror'), '0-100 0-100'],
    ['a mirror that is behind', at([0, 100], [0, 80], 'identical', 'mirror'), '0-80 0-80, behind 20'],
    ['nobody known: the end must be there too', at([0, 100], [0, 80], 'identical', 'unknown'), '0-100 0-80'],
    [
      'a target that lost what was acknowledged',
      at([0, 100], [0, 80], 'identical', 'mirror', SAME_PLACES, 90n),
      '0-80 0-80, behind 20, missing 80 10',
    ],
    ['clients that moved', at([0, 100], [0, 130], 'identical', 'cut-over'), '0-100 0-100, since 30'],
    ['more on the target than on the source', at([0, 100], [0, 130], 'identical', 'mirror'), '0-100 0-130'],
    [
      'retention on the source',
      at([40, 100], [0, 100], 'identical', 'mirror'),
      '40-100 40-100, not target 0-40',
    ],
    [
      'retention on the target of a stranger',
      at([0, 100], [40, 100], 'identical', 'unknown'),
      '40-100 40-100, not source 0-40',
    ],
    [
      'retention on the target that a mirror holds',
      at([0, 100], [40, 100], 'identical', 'mirror'),
      '40-100 40-100, missing 0 40',
    ],
    ['nothing in common', at([0, 30], [40, 100], 'identical', 'unknown'), '30-30 30-100, not source 0-30'],
    ['any offsets', at([10, 100], [0, 50], 'any', 'unknown'), '10-100 0-50'],
  ]
  for (const [what, got, wanted] of rows) test(what, () => expect(got).toBe(wanted))

  test('a translated partition, through the map of the mirror', () => {
    const map = new OffsetMap({ translated: true, start: Offset(10n) })
    map.gap({ from: Offset(20n), to: Offset(25n) }) // records 10-19 are at 0-9, 25 and on at 10 and on
    const places = placesOf(map)
    expect(at([10, 40], [0, 25], 'mapped', 'mirror', places)).toBe('10-40 0-25')
    expect(at([10, 40], [0, 12], 'mapped', 'mirror', places)).toBe('10-27 0-12, behind 13')
    expect(at([22, 40], [0, 25], 'mapped', 'mirror', places)).toBe('22-40 10-25, not target 0-10')
    expect(places.toTarget(25n)).toBe(10n)
    expect(places.toSource(9n)).toBe(19n)
  })
})

describe('who wrote a target partition', () => {
  const batch = (base: number, count: number, producerId: bigint, sequence = base) => {
    const records = Array.from({ length: count }, () => ({ value: Buffer.from('x') }))
    return encodeBatch(records, {
      baseOffset: BigInt(base),
      stamp: { producerId, producerEpoch: 0, baseSequence: sequence },
    })
  }
  const scan = (...batches: Buffer[]) => {
    const chain = new Chain({
      producers: new Set([7n]),
      control: new Set([8n]),
      ordinalAt: at => at,
      until: 1_000,
    })
    const cursor = new Cursor({ where: 't-0', from: 0, to: 1_000, saw: each => chain.see(each) })
    cursor.load({ bytes: Buffer.concat(batches), aborted: [], done() {} })
    while (cursor.ready) cursor.nextBatch()
    return chain.foreign.map(({ from, to, producerId }) => `${from}-${to} ${producerId}`)
  }
  test('an unbroken chain of the mirror is clean', () =>
    expect(scan(batch(0, 5, 7n), batch(5, 3, 7n))).toEqual([]))
  test('batches of others are named, neighbours as one', () =>
    expect(scan(batch(0, 5, 7n), batch(5, 1, -1n), batch(6, 2, -1n), batch(8, 2, 9n))).toEqual([
      '5-7 -1',
      '8-9 9',
    ]))
  test('a stray repeat shows in its sequence, and in all that follows', () =>
    expect(scan(batch(0, 5, 7n), batch(5, 5, 7n, 0), batch(10, 5, 7n, 5))).toEqual(['5-14 7']))
})

test('a transaction is aborted from its first offset to its marker, not before and not after', () => {
  const aborted = new AbortedBatches([
    { producerId: 1n, firstOffset: 10n },
    { producerId: 1n, firstOffset: 30n },
  ])
  expect(aborted.has(1n, 9n)).toBe(false)
  expect(aborted.has(1n, 12n)).toBe(true)
  expect(aborted.has(2n, 13n)).toBe(false)
  aborted.ended(1n)
  expect(aborted.has(1n, 20n)).toBe(false)
  expect(aborted.has(1n, 31n)).toBe(true)
})

describe('the last value of each key', () => {
  const put = (offset: number, key: string, value: string | null): Placed => ({
    ...{ offset, timestamp: 1n, key: Buffer.from(key) },
    value: value === null ? null : Buffer.from(value),
  })
  const compare = async (source: Placed[], target: Placed[], { end = 1_000, keysAtOnce = 1_000 } = {}) => {
    const found = compareLatest({
      open: async side => walkOf(batchesOf(side === 'source' ? source : target, [2])),
      ends: { source: end, target: end },
      image: undefined,
      keysAtOnce,
      on() {},
    })
    const differences: string[] = []
    for (;;) {
      const { done, value } = await found.next()
      if (done) return { differences: differences.sort(), ...value }
      differences.push(`${value.source ?? '-'} ${value.target ?? '-'}`)
    }
  }
  const log = [put(0, 'a', '1'), put(1, 'b', '1'), put(2, 'a', '2'), put(3, 'c', '1'), put(4, 'c', null)]
  const rows: [string, Placed[], string[]][] = [
    ['compacted on one side', [put(1, 'b', '1'), put(2, 'a', '2')], []],
    ['a key that came back', [...log, put(5, 'c', '1')], ['- 5']],
    ['an old value', [put(0, 'a', '1'), put(1, 'b', '1')], ['2 0']],
    ['a key that is gone', [put(2, 'a', '2')], ['1 -']],
    ['a tombstone too many', [...log, put(5, 'b', null)], ['1 -']],
  ]
  for (const [what, target, wanted] of rows)
    test(what, async () => expect((await compare(log, target)).differences).toEqual(wanted))
  test('a key that has a newer record beyond the end is left out', async () => {
    const found = await compare([put(1, 'b', '1'), put(7, 'a', '3')], log, { end: 5 })
    expect(found).toMatchObject({ differences: [], keys: 2, superseded: 1 })
  })
  test('many keys in little memory take more passes and give the same', async () => {
    const many = Array.from({ length: 500 }, (_, i) => put(i, `k${i % 250}`, `${i}`))
    const theirs = many.with(499, put(499, 'k249', 'x'))
    const found = await compare(many, theirs, { keysAtOnce: 20 })
    expect(found).toMatchObject({ differences: ['499 499'], keys: 250 })
    expect(found.passes).toBeGreaterThanOrEqual(16)
  })
})

test('differing windows are counted once each', () => {
  const tally = new Tally(1)
  tally.mark(5, 5)
  tally.mark(70_000, 70_001)
  tally.mark(70_002, 200_000)
  expect(tally.state.differingWindows).toBe(4)
})

test('a group that is behind is on its way only beside a mirror; one that is ahead would skip records', () => {
  const verdicts = (['mirror', 'cut-over', 'unknown'] as const).map(maker =>
    [4n, 5n, 6n, undefined].map(target => judge(5n, target, maker)?.outcome ?? 'same'),
  )
  expect(verdicts).toEqual([
    ['behind', 'same', 'ahead', 'behind'],
    ['lower', 'same', 'moved-on', 'none'],
    ['lower', 'same', 'ahead', 'none'],
  ])
})

describe('the state file', () => {
  const head = { source: 'A', target: 'B', offsets: 'auto', digests: false }
  const ids = { sourceId: 'x', targetId: 'y' }
  test('gives back what was kept, differences included; not for a topic that was made again', async () => {
    const path = join(temporary(), 'state')
    const tally = new Tally(5)
    const place = { topic: 't', partition: 0, fields: [], was: undefined, is: undefined, note: 'n' }
    tally.add({ ...place, kind: 'missing', source: 7n, target: undefined, length: 2n }, 7)
    const first = StateFile.open(path, head)
    const reached = { source: 9, target: 7, shift: -2 }
    first.note('t-0', ids, { how: 'identical', reached, tally, digesting: undefined })
    await first.save()
    const again = StateFile.open(path, head)
    expect(again.earlier('t-0', ids)).toEqual({
      how: 'identical',
      reached: { source: 9, target: 7, shift: -2 },
      tally: tally.state,
    })
    expect(again.earlier('t-0', { ...ids, targetId: 'z' })).toBeUndefined()
    expect(() => StateFile.open(path, { ...head, target: 'C' })).toThrow(/of target B, this is C/)
  })
  test('a directory or a device in its place is refused, and never told to be removed', () => {
    for (const path of [temporary(), '/dev/full'])
      expect(() => StateFile.open(path, head)).toThrow(expect.objectContaining({ code: 'USAGE' }))
  })
  for (const [what, text] of [
    ['cut off', '{"kmig":"verify"'],
    ['of something else', '{}'],
  ]) {
    test(`one that is ${what} is refused`, () => {
      const path = join(temporary(), 'state')
      writeFileSync(path, text ?? '')
      expect(() => StateFile.open(path, head)).toThrow(/is not what kmig verify wrote/)
    })
  }
})
