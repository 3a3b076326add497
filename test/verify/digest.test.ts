import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Digest, SetDigest, SideDigest } from '../../src/verify/digest.ts'
import { digestsOf } from '../../src/verify/digesting.ts'
import type { Extent } from '../../src/verify/extent.ts'
import { compareLatest } from '../../src/verify/latest.ts'
import { StateFile } from '../../src/verify/state-file.ts'
import { Tally } from '../../src/verify/tally.ts'
import { temporary } from '../temporary.ts'
import { batchesOf, compared, digestOf, type Placed, walkOf } from './logs.ts'

const bytes = fc.option(
  fc.uint8Array({ maxLength: 300 }).map(each => Buffer.from(each)),
  { nil: null },
)
const header = fc.record({ key: fc.string({ maxLength: 4 }).map(each => Buffer.from(each)), value: bytes })
const anyRecord = fc.record({
  gap: fc.integer({ min: 1, max: 30_000 }),
  timestamp: fc.bigInt({ min: -1n, max: 2n ** 45n }),
  key: bytes,
  value: bytes,
  headers: fc.array(header, { maxLength: 3 }),
})
/** With holes between the records, over some windows. */
const anyLog = fc.array(anyRecord, { maxLength: 30 }).map(all => {
  let offset = -1
  return all.map(({ gap, ...record }): Placed => {
    offset += gap > 20_000 ? gap : 1
    return { ...record, offset }
  })
})
const anyCuts = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 4 })

describe('the digest of a side', () => {
  test('is what the page says, however its batches are cut and packed, and equal on both sides', () =>
    fc.assert(
      fc.asyncProperty(
        anyLog,
        anyCuts,
        anyCuts,
        fc.constantFrom(0, 1, 4),
        fc.boolean(),
        async (log, ours, theirs, codec, ordered) => {
          const target = ordered ? log.map((each, offset) => ({ ...each, offset })) : log
          const { digests } = await compared(
            batchesOf(log, ours, codec as 0),
            batchesOf(target, theirs, codec as 0),
            { ordered },
          )
          const by = ordered ? 'ordinal' : 'offset'
          expect(digests?.source.sha256).toBe(digestOf(log, by))
          expect(digests?.target.sha256).toBe(digestOf(target, by))
          expect(digests?.source.sha256).toBe(digests?.target.sha256)
          expect(digests?.source.records).toBe(log.length)
        },
      ),
      { numRuns: 60 },
    ))
  test('is of all its records, also where the sides part', () =>
    fc.assert(
      fc.asyncProperty(anyLog, anyLog, anyCuts, fc.boolean(), async (one, other, cuts, ordered) => {
        const { digests } = await compared(batchesOf(one, cuts), batchesOf(other, [3]), { ordered })
        const by = ordered ? 'ordinal' : 'offset'
        expect([digests?.source.sha256, digests?.target.sha256]).toEqual([
          digestOf(one, by),
          digestOf(other, by),
        ])
      }),
      { numRuns: 60 },
    ))
  test('tells a flipped bit, a record that is swapped, moved, lost, repeated, and fields that run into each other', () => {
    const at = (offset: number, key: string | null, value: string | null, timestamp = 1n): Placed => ({
      ...{ offset, timestamp, key: key === null ? null : Buffer.from(key) },
      value: value === null ? null : Buffer.from(value),
    })
    const log = [at(0, 'a', 'b'), at(1, 'c', 'd')]
    const others: Placed[][] = [
      [at(0, 'a', 'c'), at(1, 'c', 'd')],
      [at(0, 'c', 'd'), at(1, 'a', 'b')],
      [at(0, 'a', 'b'), at(2, 'c', 'd')],
      [at(0, 'a', 'b')],
      [...log, at(2, 'c', 'd')],
      [at(0, 'ab', ''), at(1, 'c', 'd')],
      [at(0, 'a', 'b', 2n), at(1, 'c', 'd')],
      [at(0, null, 'b'), at(1, 'c', 'd')],
    ]
    const sums = [log, ...others].map(each => {
      const side = new SideDigest('offset', { from: 0n, windows: [] })
      const walk = walkOf(batchesOf(each, [1]))
      walk.digest = side
      return walk.digestTo(10).then(() => side.end(10n).sha256)
    })
    return Promise.all(sums).then(all => expect(new Set(all).size).toBe(9))
  })
  test('a record larger than what is held at once is digested whole', async () => {
    const log: Placed[] = [{ offset: 0, timestamp: 5n, value: Buffer.alloc(200_000, 'x') }]
    const { digests } = await compared(batchesOf(log, [1]), batchesOf(log, [1]))
    expect(digests?.source.sha256).toBe(digestOf(log, 'offset'))
  })
  test('a damaged batch leaves no digest', async () => {
    const log = Array.from({ length: 50 }, (_, offset) => ({
      offset,
      timestamp: 1n,
      value: Buffer.from('x'),
    }))
    const theirs = batchesOf(log, [10])
    theirs[3]?.writeUInt8(0xff, 80)
    expect((await compared(batchesOf(log, [10]), theirs)).digests).toBeUndefined()
  })
})

describe('a digest that goes on after a kill', () => {
  const COUNT = 140_000
  const log = Array.from({ length: COUNT }, (_, offset) => ({
    ...{ offset, timestamp: BigInt(offset), value: Buffer.from(`v${offset}`) },
  }))
  const batches = batchesOf(log, [1_000])
  const wanted = digestOf(log, 'offset')
  const extent = (from: number): Extent => ({
    source: { from: BigInt(from), to: BigInt(COUNT) },
    target: { from: BigInt(from), to: BigInt(COUNT) },
    ...{ behind: 0n, since: 0n, differences: [], notCompared: [] },
  })
  const head = { source: 'A', target: 'B', offsets: 'auto', digests: true }
  const ids = { sourceId: 'x', targetId: 'y' }
  /** Digests up to `kill`, goes on from the state file with what has not been deleted meanwhile. */
  const both = async (kill: number, trimmed = 0): Promise<Digest> => {
    const path = join(temporary(), 'state')
    const first = digestsOf('identical', extent(0))
    const [ours, theirs] = [walkOf(batches), walkOf(batches)]
    const start = { source: 0, target: 0, shift: 0 }
    await first?.begin(ours, theirs, start)
    await Promise.all([ours.digestTo(kill), theirs.digestTo(kill)])
    const state = StateFile.open(path, head)
    const reached = { source: kill, target: kill, shift: 0 }
    state.note('t-0', ids, { how: 'identical', reached, tally: new Tally(1), digesting: first })
    await state.save()
    const earlier = StateFile.open(path, head).earlier('t-0', ids)
    const again = digestsOf('identical', extent(trimmed), earlier)
    if (!again) throw new Error('it does not go on')
    const from = Number(again.source.next)
    const walks = [walkOf(batches, { from }), walkOf(batches, { from })] as const
    await again.begin(...walks, reached)
    await Promise.all(walks.map(walk => walk.digestTo(COUNT)))
    return again.source.end(BigInt(COUNT))
  }
  for (const kill of [0, 65_536, 65_537, 139_999])
    test(`at ${kill} it is the one of a run that was not killed`, async () => {
      const { sha256, windows } = await both(kill)
      expect(sha256).toBe(wanted)
      expect(windows.map(({ from, to }) => [from, to])).toEqual([
        [0n, 65_536n],
        [65_536n, 131_072n],
        [131_072n, 140_000n],
      ])
    })
  test('where retention went past its last window it begins anew, and says where', async () => {
    const { from, sha256 } = await both(70_000, 69_000)
    expect([from, sha256]).toEqual([69_000n, digestOf(log.slice(69_000), 'offset')])
  })
  test('a state file without digests is not gone on with', () => {
    const path = join(temporary(), 'state')
    const plain = StateFile.open(path, { ...head, digests: false })
    return plain
      .save()
      .then(() => expect(() => StateFile.open(path, head)).toThrow(/is of digests false, this is true/))
  })
})

test('the digest of a compacted topic does not tell when which side was compacted, nor in how many passes it was read', async () => {
  const put = (offset: number, key: number, value: string | null): Placed => ({
    ...{ offset, timestamp: BigInt(offset), key: Buffer.from(`k${key}`) },
    value: value === null ? null : Buffer.from(value),
  })
  const all = Array.from({ length: 600 }, (_, i) => put(i, i % 200, i % 7 === 3 ? null : `v${i}`))
  const ours = all.slice(100)
  const theirs = all.slice(400).filter(({ value }) => value !== null)
  const digests = { source: new SetDigest(), target: new SetDigest() }
  const found = compareLatest({
    open: async side => walkOf(batchesOf(side === 'source' ? ours : theirs, [7])),
    ends: { source: 1_000, target: 1_000 },
    ...{ image: undefined, keysAtOnce: 20, digests },
    on() {},
  })
  for (let next = await found.next(); !next.done; next = await found.next())
    expect(next.value).toBeUndefined()
  const [a, b] = [digests.source.end(0n, 600n), digests.target.end(0n, 600n)]
  expect(a).toEqual(b)
  expect(a).toMatchObject({ sha256: digestOf(all, 'key'), records: theirs.length })
})
