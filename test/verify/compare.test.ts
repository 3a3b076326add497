import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ATTRIBUTE, type Codec } from '../../src/kafka/index.ts'
import { markerBatch, oldMessage, oldWrapper, sparseBatch } from '../kafka/records/source-log.ts'
import { batchesOf, compared, type Placed } from './logs.ts'

const record = (offset: number, over: Partial<Placed> = {}): Placed => ({
  offset,
  timestamp: BigInt(1_000 + offset),
  key: Buffer.from(`k${offset}`),
  value: Buffer.from(`v${offset}`.repeat(1 + (offset % 7))),
  headers: [{ key: Buffer.from('h'), value: Buffer.from(String(offset)) }],
  ...over,
})
const log = (count: number, first = 0): Placed[] => Array.from({ length: count }, (_, i) => record(first + i))
/** As an ordinary producer would write them: every offset is taken. */
const dense = (records: readonly Placed[]): Placed[] => records.map((each, offset) => ({ ...each, offset }))
const brief = ({
  kind,
  source,
  target,
  length,
  fields,
}: Awaited<ReturnType<typeof compared>>['first'][number]) =>
  [kind, source ?? '-', target ?? '-', length, ...fields].join(' ')
const found = async (source: Placed[], target: Placed[], ordered = false) => {
  const cuts = [[3, 1, 40], [7]]
  const state = await compared(batchesOf(source, cuts[0] ?? []), batchesOf(target, cuts[1] ?? []), {
    ordered,
  })
  return state.first.map(brief)
}
const change = (at: number, over: Partial<Placed>) =>
  log(100).map(each => (each.offset === at ? { ...each, ...over } : each))

describe('what differs is named exactly, whatever the batches are', () => {
  const other = Buffer.from('other')
  const rows: [what: string, target: Placed[], ordered: string[], identical?: string[]][] = [
    ['nothing', log(100), []],
    ['a value', change(37, { value: other }), ['changed 37 37 1 value']],
    ['a value that is null', change(37, { value: null }), ['changed 37 37 1 value']],
    ['a key', change(0, { key: other }), ['changed 0 0 1 key']],
    ['a header', change(99, { headers: [] }), ['changed 99 99 1 headers']],
    ['a timestamp', change(41, { timestamp: 7n }), ['changed 41 41 1 timestamp']],
    ['two places of it', change(41, { timestamp: 7n, value: other }), ['changed 41 41 1 timestamp value']],
    [
      'a lost record',
      dense(log(100).toSpliced(37, 1)),
      ['missing 37 - 1'],
      ['missing 37 37 1', 'moved 38 37 1 offset'],
    ],
    [
      'a lost record whose offset is free',
      log(100).toSpliced(37, 1),
      ['missing 37 - 1'],
      ['missing 37 37 1'],
    ],
    [
      'three lost ones',
      dense(log(100).toSpliced(37, 3)),
      ['missing 37 - 1', 'missing 38 - 1', 'missing 39 - 1'],
      ['missing 37 37 1', 'missing 38 38 1', 'missing 39 39 1', 'moved 40 37 1 offset'],
    ],
    [
      'a repeated record',
      dense(log(100).toSpliced(37, 0, record(36))),
      ['extra - 37 1'],
      ['extra - 37 1', 'moved 37 38 1 offset'],
    ],
    [
      'a strange record',
      dense(log(100).toSpliced(37, 0, record(7_000))),
      ['extra - 37 1'],
      ['extra - 37 1', 'moved 37 38 1 offset'],
    ],
    ['swapped records', dense(log(100).toSpliced(37, 2, record(38), record(37))), ['swapped 37 37 2']],
    [
      'one lost, one more later',
      dense(log(100).toSpliced(60, 0, record(7_000)).toSpliced(37, 1)),
      ['missing 37 - 1', 'extra - 59 1'],
      ['missing 37 37 1', 'moved 38 37 1 offset', 'extra - 59 1'],
    ],
    ['the last ones', log(90), ['missing 90 - 10']],
    ['more at the end', log(110), ['extra - 100 10']],
    ['everything', [], ['missing 0 - 100']],
  ]
  for (const [what, target, ordered, identical = ordered] of rows) {
    test(`${what}, in order`, async () => expect(await found(log(100), target, true)).toEqual(ordered))
    test(`${what}, at equal offsets`, async () => expect(await found(log(100), target)).toEqual(identical))
  }
  test('records of equal content: a lost one is found where its offset is free', async () => {
    const same = log(50).map(({ offset }) => ({ offset, timestamp: 1n, value: Buffer.from('x') }))
    expect(await found(same, same.toSpliced(20, 1))).toEqual(['missing 20 20 1'])
  })
  test('more records are lost than are looked at ahead', async () => {
    const state = await compared(
      batchesOf(log(9_000), [100]),
      batchesOf(log(9_000).toSpliced(10, 7_000), [100]),
    )
    expect(state.counts).toMatchObject({ missing: 7_000n, moved: 0n, changed: 0n, extra: 0n })
  })
  test('a topic in which every record is another one is counted, not kept', async () => {
    const theirs = log(5_000).map(each => ({ ...each, timestamp: 5n }))
    const state = await compared(batchesOf(log(5_000), [100]), batchesOf(theirs, [70]), { keep: 3 })
    expect(state.counts.changed).toBe(5_000n)
    expect(state.first).toHaveLength(3)
  })
  test('a damaged batch is told with its side, and what follows is not called equal', async () => {
    const theirs = batchesOf(log(100), [10])
    theirs[3]?.writeUInt8(0xff, 80)
    const state = await compared(batchesOf(log(100), [10]), theirs)
    expect(state.counts).toMatchObject({ corrupt: 1n, missing: 0n })
    expect(state.first[0]).toMatchObject({ kind: 'corrupt', source: undefined, target: 30n })
    expect(state.notCompared.map(({ side, from, to }) => [side, from, to])).toEqual([
      ['source', 30n, 100n],
      ['target', 30n, 100n],
    ])
  })
})

test('old formats, batches with holes, log append times, markers and their copies are equal record by record', async () => {
  const plain = (offset: number) => ({
    ...{ timestamp: BigInt(1_000 + offset), key: null, value: Buffer.from(`v${offset}`), headers: [] },
    offset: BigInt(offset),
  })
  const sparse = { base: 8n, last: 14n, codec: 1 as Codec, producerId: 3n }
  const source = [
    oldMessage(1, 0, plain(0)),
    oldMessage(1, 0, plain(1)),
    oldWrapper(1, 1, 2n, [plain(2), plain(3), plain(5)]),
    oldMessage(0, 0, plain(6)),
    sparseBatch([plain(8), plain(11)], { ...sparse, bits: ATTRIBUTE.transactional }),
    markerBatch(15n, 3n, 'commit'),
    sparseBatch([plain(17), plain(19)], { ...sparse, base: 17n, last: 19n, bits: ATTRIBUTE.logAppendTime }),
  ]
  const visible = [0, 1, 2, 3, 5, 6, 8, 11, 17, 19].map((offset): Placed => {
    const timestamp = offset === 6 ? -1n : offset >= 17 ? 1_019n : BigInt(1_000 + offset)
    return { offset, timestamp, key: null, value: Buffer.from(`v${offset}`) }
  })
  expect((await compared(source, batchesOf(visible, [4]))).first).toEqual([])
  expect((await compared(source, batchesOf(dense(visible), [4], 4), { ordered: true })).first).toEqual([])
  const late = batchesOf(visible.with(8, { ...visible[8], offset: 17, timestamp: 1_017n }), [4])
  expect((await compared(source, late)).first.map(brief)).toEqual(['changed 17 17 1 timestamp'])
})

test('batches with equal payload are compared unopened', async () => {
  const batches = batchesOf(log(400), [20], 4)
  const state = await compared(batches, batchesOf(log(400), [20], 4))
  expect(state).toMatchObject({ records: 400, untouched: 20, unpacked: 0 })
})

test('property: equal logs are equal in any batches and codecs, and one planted difference is the one that is found', async () => {
  const cuts = fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1, maxLength: 5 })
  const codec = fc.constantFrom<Codec>(0, 1, 2, 3, 4)
  const plant = fc.constantFrom('none', 'value', 'key', 'timestamp', 'headers', 'lost', 'more')
  const holes = fc.uniqueArray(fc.integer({ min: 1, max: 118 }), { maxLength: 20 })
  await fc.assert(
    fc.asyncProperty(
      fc.record({
        a: cuts,
        b: cuts,
        ac: codec,
        bc: codec,
        plant,
        at: fc.nat(99),
        holes,
        ordered: fc.boolean(),
      }),
      async ({ a, b, ac, bc, plant, at, holes, ordered }) => {
        const source = log(120).filter(({ offset }) => !holes.includes(offset))
        const index = Math.min(at, source.length - 1)
        const place = source[index]?.offset ?? 0
        const strange = { value: Buffer.from('!'), key: Buffer.from('!'), timestamp: 5n, headers: [] }
        const target = source.flatMap((each, i): Placed[] => {
          if (i !== index || plant === 'none') return [each]
          if (plant === 'lost') return []
          if (plant === 'more') return [each, record(each.offset, { key: Buffer.from('strange') })]
          return [{ ...each, [plant]: strange[plant as keyof typeof strange] }]
        })
        const placed = ordered || plant === 'more' ? dense(target) : target
        const state = await compared(batchesOf(source, a, ac), batchesOf(placed, b, bc), {
          ordered: ordered || plant === 'more',
        })
        const got = state.first.map(({ kind, source, fields }) => [kind, source, ...fields].join(' '))
        const last = index === source.length - 1
        const wanted =
          plant === 'none'
            ? []
            : plant === 'lost'
              ? [`missing ${place}`]
              : plant === 'more'
                ? ['extra ']
                : [`changed ${place} ${plant}`]
        expect(got, last ? 'at the end' : '').toEqual(wanted)
      },
    ),
    { numRuns: 300 },
  )
})
