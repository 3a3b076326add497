import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { patchHeader } from '../../../src/kafka/records/crc.ts'
import {
  type Aborted,
  AT,
  ATTRIBUTE,
  type Codec,
  crcOf,
  type Hole,
  type Recoded,
  type RecodeOptions,
  readHeader,
  recode,
  recordsOf,
  sequenceOf,
} from '../../../src/kafka/records/index.ts'
import { Offset } from '../../../src/kit/index.ts'
import { markerBatch, oldMessage, oldWrapper, type Placed, sparseBatch } from './source-log.ts'

const P = 4_000_000_001n
type Log = {
  sets: Buffer[]
  end: bigint
  expected: Placed[]
  /** Of each offset that holds nothing, why. */
  holes: Map<bigint, Hole['why']>
  aborted: Aborted[]
  open: Map<bigint, { first: bigint; records: Placed[]; offsets: bigint[] }>
}
type Op =
  | {
      op: 'data'
      producer: number
      codec: Codec
      kept: boolean[]
      size: number
      time: bigint
      appended: boolean
      horizon: boolean
    }
  | { op: 'end'; producer: number; type: 'abort' | 'commit' }
  | { op: 'empty'; offsets: number }
  | { op: 'gap'; offsets: number }
  | { op: 'old'; magic: 0 | 1; codec: Codec; kept: boolean[]; size: number; time: bigint; appended: boolean }

const codec = fc.constantFrom<Codec>(0, 1, 2, 3, 4)
const kept = fc.oneof(
  fc.array(fc.constant(true), { minLength: 1, maxLength: 8 }),
  fc.array(fc.boolean(), { minLength: 1, maxLength: 12 }),
)
const more = {
  kept,
  size: fc.constantFrom(0, 3, 60, 900),
  time: fc.bigInt(0n, 2n ** 42n),
  appended: fc.boolean(),
}
const op: fc.Arbitrary<Op> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      op: fc.constant('data' as const),
      producer: fc.nat(3),
      codec,
      horizon: fc.boolean(),
      ...more,
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      op: fc.constant('end' as const),
      producer: fc.integer({ min: 1, max: 3 }),
      type: fc.constantFrom('abort' as const, 'commit' as const),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ op: fc.constant('empty' as const), offsets: fc.integer({ min: 1, max: 9 }) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ op: fc.constant('gap' as const), offsets: fc.integer({ min: 1, max: 9 }) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      op: fc.constant('old' as const),
      magic: fc.constantFrom<0 | 1>(0, 1),
      codec: fc.constantFrom<Codec>(0, 1, 2),
      ...more,
    }),
  },
)

const place = (
  base: bigint,
  { kept, size, time }: { kept: boolean[]; size: number; time: bigint },
): Placed[] =>
  kept.flatMap((stays, i) => {
    const offset = base + BigInt(i)
    const key = i % 3 === 0 ? null : Buffer.from(`k${offset}`)
    const value = i % 4 === 3 ? null : Buffer.alloc(size, `${offset} `)
    const headers = i % 5 === 1 ? [{ key: Buffer.from('h'), value: i % 2 ? null : Buffer.from('x') }] : []
    return stays ? [{ offset, timestamp: time - BigInt(i % 3), key, value, headers }] : []
  })

/** Plays the source: what a broker would hold after such a history, and what a read_committed consumer would see. */
const play = (log: Log, step: Op): void => {
  const base = log.end
  switch (step.op) {
    case 'data': {
      const { producer, codec, appended, horizon } = step
      log.end += BigInt(step.kept.length)
      const placed = place(base, step)
      const visible = appended ? placed.map(record => ({ ...record, timestamp: step.time })) : placed
      const transactional = producer > 0
      const bits =
        (transactional ? ATTRIBUTE.transactional : 0) |
        (appended ? ATTRIBUTE.logAppendTime : 0) |
        (horizon ? ATTRIBUTE.deleteHorizon : 0)
      const batch = sparseBatch(placed, {
        base,
        last: log.end - 1n,
        codec,
        bits,
        producerId: BigInt(producer) - 1n,
      })
      if (appended) patchHeader(batch, 0, () => batch.writeBigInt64BE(step.time, AT.maxTimestamp))
      log.sets.push(batch)
      const gone = step.kept.flatMap((stays, i) => (stays ? [] : [base + BigInt(i)]))
      for (const offset of gone) log.holes.set(offset, 'compacted')
      if (!transactional) log.expected.push(...visible)
      else {
        const open = log.open.get(BigInt(producer)) ?? { first: base, records: [], offsets: [] }
        log.open.set(BigInt(producer), open)
        open.records.push(...visible)
        for (let o = base; o < log.end; o++) open.offsets.push(o)
      }
      return
    }
    case 'end': {
      const open = log.open.get(BigInt(step.producer))
      if (!open) return
      log.open.delete(BigInt(step.producer))
      const producerId = BigInt(step.producer) - 1n
      log.sets.push(markerBatch(base, producerId, step.type))
      log.holes.set(base, 'marker')
      log.end += 1n
      if (step.type === 'commit') log.expected.push(...open.records)
      else {
        log.aborted.push({ producerId, firstOffset: open.first })
        for (const offset of open.offsets) log.holes.set(offset, 'aborted')
      }
      return
    }
    case 'empty': {
      log.end += BigInt(step.offsets)
      const shape = { base, last: log.end - 1n, codec: 0 as Codec, bits: 0, producerId: -1n }
      log.sets.push(sparseBatch([], shape))
      for (let o = base; o < log.end; o++) log.holes.set(o, 'compacted')
      return
    }
    case 'gap':
      log.end += BigInt(step.offsets)
      for (let o = base; o < log.end; o++) log.holes.set(o, 'compacted')
      return
    case 'old': {
      const { magic, codec, appended } = step
      log.end += BigInt(step.kept.length)
      const placed = place(base, step).map(record => ({ ...record, headers: [] }))
      for (let o = base; o < log.end; o++) log.holes.set(o, 'compacted')
      for (const { offset } of placed) log.holes.delete(offset)
      if (placed.length === 0) return
      const bits = appended && magic === 1 ? ATTRIBUTE.logAppendTime : 0
      if (codec === 0) log.sets.push(...placed.map(record => oldMessage(magic, bits, record)))
      else log.sets.push(oldWrapper(magic, (codec | bits) as Codec, base, placed))
      const last = placed.at(-1)?.timestamp ?? 0n
      const time = (own: bigint) => (magic === 0 ? -1n : bits && codec !== 0 ? last : own)
      log.expected.push(...placed.map(record => ({ ...record, timestamp: time(record.timestamp) })))
    }
  }
}

const logOf = (start: bigint, ops: readonly Op[]): Log => {
  const log: Log = { sets: [], end: start, expected: [], holes: new Map(), aborted: [], open: new Map() }
  for (const step of ops) play(log, step)
  for (const producer of [1, 2, 3])
    play(log, { op: 'end', producer, type: producer === 2 ? 'abort' : 'commit' })
  play(log, { op: 'empty', offsets: 1 }) // so that a gap at the end can be seen
  log.expected.sort((a, b) => (a.offset < b.offset ? -1 : 1))
  return log
}

const options = (o: Partial<RecodeOptions>): RecodeOptions => ({
  where: 'orders-3',
  from: Offset(0n),
  ordinal: 0n,
  stamp: ordinal => ({ producerId: P, producerEpoch: 0, baseSequence: sequenceOf(ordinal) }),
  holes: 'split',
  aborted: [],
  passFrom: { plain: 400, packed: 200 },
  mergeTo: 2_000,
  ...o,
})

/** Records at their source offsets; fails where a piece or hole does not begin where the one before ended. */
const check = (got: Recoded, o: RecodeOptions): Placed[] => {
  const found: Placed[] = []
  let at: bigint = o.from
  let { ordinal } = o
  for (const [i, item] of got.items.entries()) {
    if (item.kind === 'hole') {
      expect(item.from).toBe(at)
      expect(item.to).toBeGreaterThan(item.from)
      expect(got.items[i - 1]?.kind).not.toBe('hole')
      at = item.to
      continue
    }
    const { bytes, base, count, end, runs } = item
    expect(base).toBe(at)
    expect(item.ordinal).toBe(ordinal)
    expect(readHeader(bytes)).toMatchObject({
      producerId: P,
      producerEpoch: 0,
      baseSequence: sequenceOf(ordinal),
      count,
      lastOffsetDelta: count - 1,
      leaderEpoch: -1,
      size: bytes.length,
    })
    expect(readHeader(bytes).attributes & ~ATTRIBUTE.codec).toBe(0)
    expect(bytes.readUInt32BE(AT.crc)).toBe(crcOf(bytes))
    if (o.holes === 'split') expect(runs).toBeUndefined()
    if (!runs) expect(end).toBe(base + BigInt(count))
    const offsets = (runs ?? [{ from: base, count }]).flatMap(({ from, count }) =>
      Array.from({ length: count }, (_, i) => from + BigInt(i)),
    )
    expect(offsets.length).toBe(count)
    expect(offsets.at(-1)).toBe(end - 1n)
    if (runs) expect(runs.length).toBeGreaterThan(1)
    for (const [i, run] of (runs ?? []).entries())
      if (i > 0) expect(run.from > (runs?.[i - 1]?.from ?? 0n) + BigInt(runs?.[i - 1]?.count ?? 0)).toBe(true)
    found.push(...[...recordsOf(bytes)].map((record, i) => ({ ...record, offset: offsets[i] ?? -1n })))
    if (o.limit && count > 1) expect(bytes.length).toBeLessThanOrEqual(o.limit.bytes)
    expect(item.batches).toBeGreaterThan(0)
    ordinal += BigInt(count)
    at = end
  }
  expect(got.next).toBe(at)
  expect(got.ordinal).toBe(ordinal)
  return found
}

describe('a partition with holes', () => {
  for (const holes of ['split', 'squeeze'] as const) {
    test(`${holes}: every committed record at its offset, whatever was compacted, aborted, interleaved or written in an old format`, () => {
      fc.assert(
        fc.property(
          fc.bigInt(0n, 2n ** 40n),
          fc.array(op, { maxLength: 25 }),
          fc.nat(30),
          fc.boolean(),
          fc.option(fc.integer({ min: 1_100, max: 3_000 }), { nil: undefined }),
          (start, ops, trim, sorted, most) => {
            const limit = most === undefined ? undefined : { bytes: most, setting: 'any', beside: 0 }
            const log = logOf(start, ops)
            const from = start + BigInt(trim) < log.end ? start + BigInt(trim) : start
            const aborted = sorted ? log.aborted : log.aborted.toReversed()
            const o = options({ from: Offset(from), ordinal: 7n, holes, aborted, limit })
            const got = recode(Buffer.concat(log.sets), o)
            expect(got.stop).toBeUndefined()
            expect(check(got, o)).toEqual(log.expected.filter(({ offset }) => offset >= from))
            expect(got.next).toBe(log.end)
            if (holes === 'squeeze') return
            for (const item of got.items)
              if (item.kind === 'hole') expect(log.holes.get(item.from)).toBe(item.why)
          },
        ),
        { numRuns: 400 },
      )
    }, 60_000)
  }
})
