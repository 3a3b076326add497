import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ATTRIBUTE, type BatchHeader, type Hole, type Piece, sequenceOf } from '../../src/kafka/index.ts'
import { KmigError, Offset } from '../../src/kit/index.ts'
import type { OffsetsPolicy } from '../../src/mirror/filling.ts'
import { Lane } from '../../src/mirror/lane.ts'
import type { Anchor } from '../../src/mirror/lane-shape.ts'
import { Trail } from '../../src/mirror/trail.ts'
import { mapOf, OffsetMap, type Shift } from '../../src/offsets/index.ts'

const DATA = 7n
const CONTROL = 8n
const IDS = { data: new Set([DATA]), control: new Set([CONTROL]) }
const ENOUGH = 400

/** What stands on the target: data with the source offsets of its records, or a marker. */
type Entry = { ordinal: bigint; sources: bigint[] } | 'marker'
type Request = { piece: Piece; sources: bigint[] } | { markers: number }
type Sent = { request: Request; fate: 'open' | 'done' | 'refused'; at: bigint }

/** A broker's partition that remembers the producer: an overlap or gap is refused, an exact repeat is answered as before. */
class Broker {
  readonly log: Entry[] = []
  get end(): bigint {
    return this.log.reduce((sum, entry) => sum + (entry === 'marker' ? 1n : BigInt(entry.sources.length)), 0n)
  }
  get records(): bigint {
    return this.log.reduce((sum, entry) => sum + (entry === 'marker' ? 0n : BigInt(entry.sources.length)), 0n)
  }
  do(request: Request): bigint | undefined {
    const at = this.end
    if ('markers' in request) {
      for (let i = 0; i < request.markers; i++) this.log.push('marker')
      return at
    }
    const { ordinal } = request.piece
    const before = this.headers().find(({ entry }) => entry !== 'marker' && entry.ordinal === ordinal)
    if (before && before.entry !== 'marker' && before.entry.sources.length === request.sources.length)
      return before.at
    if (ordinal !== this.records) return undefined
    this.log.push({ ordinal, sources: request.sources })
    return at
  }
  headers(): { at: bigint; entry: Entry }[] {
    let at = 0n
    return this.log.map(entry => {
      const found = { at, entry }
      at += entry === 'marker' ? 1n : BigInt(entry.sources.length)
      return found
    })
  }
}

const headerOf = ({ at, entry }: { at: bigint; entry: Entry }): BatchHeader => {
  const count = entry === 'marker' ? 1 : entry.sources.length
  return {
    baseOffset: Offset(at),
    lastOffset: Offset(at + BigInt(count - 1)),
    producerId: entry === 'marker' ? CONTROL : DATA,
    producerEpoch: 0,
    baseSequence: entry === 'marker' ? -1 : sequenceOf(entry.ordinal),
    attributes: entry === 'marker' ? ATTRIBUTE.control | ATTRIBUTE.transactional : 0,
    leaderEpoch: 0,
    magic: 2,
    lastOffsetDelta: count - 1,
    count,
    maxTimestamp: 0n,
    size: 100,
  }
}

type World = {
  lane: Lane
  broker: Broker
  /** Whether the source has a record, offset by offset. */
  source: readonly boolean[]
  sent: Sent[]
  /** Requests of lost connections, that the broker may still do. */
  ghosts: Request[]
  state: { anchor: Anchor; texts: string[]; shifts: readonly Shift[] }
  begin: { translated: boolean; start: Offset }
  policy: OffsetsPolicy
  limitMs: number
}

const newLane = ({ state, begin, policy, limitMs }: Omit<World, 'lane'>): Lane => {
  const runs = mapOf(OffsetMap.baseOf(begin), state.texts, 't-0')
  const map = new OffsetMap(begin, { runs, shifts: state.shifts, chunks: state.texts.length })
  const producer = { id: DATA, epoch: 0 }
  const { start } = begin
  return new Lane({
    topic: 't',
    partition: 0,
    start,
    anchor: state.anchor,
    producer,
    map,
    policy,
    fillingLimitMs: limitMs,
  })
}

/** What a fetch of source offsets [from, to) brings, in pieces of `most` records. */
const fetched = (world: World, to: number, most: number): { items: (Piece | Hole)[]; ordinal: bigint } => {
  const { lane, source } = world
  const items: (Piece | Hole)[] = []
  let ordinal = lane.wantedOrdinal
  let at = Number(lane.wanted)
  while (at < to) {
    const from = at
    const has = source[at]
    if (!has) {
      while (at < to && !source[at]) at++
      items.push({ kind: 'hole', from: Offset(BigInt(from)), to: Offset(BigInt(at)), why: 'marker' })
      continue
    }
    const sources: bigint[] = []
    for (; at < to && sources.length < most && (source[at] || lane.squeezes); at++)
      if (source[at]) sources.push(BigInt(at))
    at = Number(sources.at(-1)) + 1
    items.push(pieceOf(sources, ordinal))
    ordinal += BigInt(sources.length)
  }
  return { items, ordinal }
}

const sourcesOf = new WeakMap<Piece, bigint[]>()
const pieceOf = (sources: bigint[], ordinal: bigint): Piece => {
  const [base = 0n, end = 0n] = [sources[0], (sources.at(-1) ?? 0n) + 1n]
  const runs: { from: Offset; count: number }[] = []
  for (const source of sources) {
    const last = runs.at(-1)
    if (last && last.from + BigInt(last.count) === source) last.count++
    else runs.push({ from: Offset(source), count: 1 })
  }
  const piece: Piece = {
    kind: 'piece',
    bytes: Buffer.alloc(sources.length),
    base: Offset(base),
    end: Offset(end),
    count: sources.length,
    ordinal,
    how: 'passed',
    batches: 1,
    ...(runs.length > 1 && { runs }),
  }
  sourcesOf.set(piece, sources)
  return piece
}

const keep = ({ lane, state }: World) => {
  const unkept = lane.map.unkept()
  if (!unkept) return
  for (const { chunk, text } of unkept.texts) state.texts.splice(chunk, 1, ...(text === null ? [] : [text]))
  if (unkept.shifts) state.shifts = unkept.shifts
  unkept.kept()
}

const settle = (world: World) => {
  const { lane, broker } = world
  if (lane.phase.at !== 'doubt' || lane.flying > 0) return
  const { anchor } = lane
  // after an unclean election the log is read back from where it is known to be the same
  const { offset: end, ordinal } = anchor.offset <= broker.end ? anchor : { offset: Offset(0n), ordinal: 0n }
  const trail = new Trail(lane, IDS, { end, ordinal })
  for (const found of broker.headers()) {
    const header = headerOf(found)
    if (header.lastOffset < trail.at) continue
    const wrong = trail.follow(header)
    if (wrong !== undefined) throw new Error(`${wrong}\n${JSON.stringify(broker.log, (_, v) => String(v))}`)
  }
  lane.settled(trail.found, 1)
}

const commands: Record<string, (world: World, n: number) => void> = {
  fetched: (world, n) => {
    const { lane, source } = world
    if (!lane.hungry(ENOUGH)) return
    lane.sourceEnd = Offset(BigInt(source.length))
    const to = Math.min(source.length, Number(lane.wanted) + 1 + n)
    const { items, ordinal } = fetched(world, to, 1 + (n % 4))
    lane.offer(items, { next: Offset(BigInt(to)), ordinal })
  },
  sent: ({ lane, sent }, n) => {
    if (lane.fillable > 0n) {
      const markers = Math.min(Number(lane.fillable), 1 + (n % 3))
      lane.fill(markers)
      sent.push({ request: { markers }, fate: 'open', at: 0n })
    }
    if (!lane.ready) return
    const piece = lane.take()
    sent.push({ request: { piece, sources: sourcesOf.get(piece) ?? [] }, fate: 'open', at: 0n })
  },
  'the broker works': ({ broker, sent }) => {
    const next = sent.find(({ fate }) => fate === 'open')
    if (!next) return
    const at = broker.do(next.request)
    next.fate = at === undefined ? 'refused' : 'done'
    next.at = at ?? 0n
  },
  'markers land twice': ({ broker, sent }) => {
    const next = sent.find(({ fate, request }) => fate === 'open' && 'markers' in request)
    if (next) broker.do(next.request)
  },
  truncated: ({ lane, broker, sent }, n) => {
    if (sent.length === 0 && lane.phase.at === 'doubt')
      broker.log.splice(Math.max(0, broker.log.length - (n % 4)))
  },
  answered: ({ lane, sent, broker }) => {
    if (!sent[0] || sent[0].fate === 'open') return
    const { request, fate, at } = sent.shift() as Sent
    if ('markers' in request) lane.filled(broker.end)
    else if (fate === 'done') lane.landed(request.piece, at)
    else lane.lost(request.piece, 'OUT_OF_ORDER_SEQUENCE_NUMBER')
  },
  'connection lost': ({ lane, sent, ghosts }) => {
    for (const { request, fate } of sent.splice(0)) {
      if (fate === 'open') ghosts.push(request)
      if ('markers' in request) lane.unfilled('lost')
      else lane.lost(request.piece, 'lost')
    }
    lane.doubt('lost')
  },
  'a ghost comes': ({ broker, ghosts }) => {
    const ghost = ghosts.shift()
    if (ghost) broker.do(ghost)
  },
  doubt: ({ lane }) => lane.doubt('the leader has changed'),
  settled: settle,
  'the anchor moves': ({ lane, state, broker, sent }) => {
    if (!lane.open) return
    const { target, ordinal } = lane.place
    if (sent.length === 0 && broker.end > target) lane.doubt('longer than it should be')
    else lane.anchor = { offset: target, ordinal, epoch: 1 }
    state.anchor = lane.anchor
  },
  kept: keep,
  'is not kept': ({ lane }) => lane.map.unkept()?.failed(),
  killed: world => {
    for (const { request, fate } of world.sent.splice(0)) if (fate === 'open') world.ghosts.push(request)
    world.lane = newLane(world)
  },
}

const check = ({ lane, broker, sent }: World) => {
  expect(lane.stopped?.message).toBeUndefined()
  const markers = sent.filter(({ request }) => 'markers' in request).length
  expect(markers === 0 || sent.length === 1, 'a marker stands beside data under way').toBe(true)
  expect(sent.length).toBeLessThanOrEqual(5)
  if (lane.open) expect(lane.place.target <= broker.end).toBe(true)
}

/** Every record of the source once, in order; and the map of every offset exact. */
const expectExact = ({ lane, broker, source, begin }: World) => {
  const there = broker
    .headers()
    .flatMap(({ at, entry }) =>
      entry === 'marker' ? [] : entry.sources.map((from, i) => ({ from, at: at + BigInt(i) })),
    )
  const wanted = source.flatMap((has, i) => (has && BigInt(i) >= begin.start ? [BigInt(i)] : []))
  expect(there.map(({ from }) => from)).toEqual(wanted)
  const { map, acked } = lane
  for (const { from, at } of there) {
    expect(map.toTarget(Offset(from), acked), `source ${from}`).toEqual({ kind: 'exact', at })
    const end = Offset(broker.end)
    expect(map.toSource(Offset(at), { start: lane.targetStart, end })).toEqual({ kind: 'exact', at: from })
    if (!map.translated) expect(from).toBe(at)
  }
  if (!map.translated) expect(broker.end).toBe(BigInt(source.length))
  expect(acked).toBe(BigInt(source.length))
}

const sources = fc
  .array(fc.tuple(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 4 })), {
    maxLength: 14,
    size: 'max',
  })
  .map(shape =>
    shape.flatMap(([records, holes]) => [...Array(records).fill(true), ...Array(holes).fill(false)]),
  )
const names = Object.keys(commands)
const steps = fc.array(fc.tuple(fc.constantFrom(...names), fc.nat({ max: 20 })), {
  maxLength: 160,
  size: 'max',
})

const play = (world: World, run: readonly (readonly [string, number])[]) => {
  for (const [name, n] of run) {
    commands[name]?.(world, n)
    check(world)
  }
  const calm = [
    'a ghost comes',
    'the broker works',
    'answered',
    'settled',
    'kept',
    'the anchor moves',
    'fetched',
    'sent',
  ]
  const done = () => world.lane.idle && world.lane.sure && world.lane.wanted === BigInt(world.source.length)
  for (let i = 0; i < 2_000 && !(done() && world.ghosts.length === 0); i++)
    for (const name of calm) {
      commands[name]?.(world, i)
      check(world)
    }
  expect(done(), `${world.lane.phase.at} at ${world.lane.acked}`).toBe(true)
  commands['the anchor moves']?.(world, 0)
  settle(world)
  keep(world)
}

const worldOf = (source: boolean[], translated: boolean, policy: OffsetsPolicy, limitMs = 1e9): World => {
  const rest = {
    broker: new Broker(),
    source,
    sent: [],
    ghosts: [],
    state: { anchor: { offset: Offset(0n), ordinal: 0n, epoch: -1 }, texts: [], shifts: [] },
    begin: { translated, start: Offset(0n) },
    policy,
    limitMs,
  }
  return { ...rest, lane: newLane(rest) }
}

describe('a lane over holes', () => {
  for (const [title, translated, policy, limitMs] of [
    ['filled', false, 'auto', 1e9],
    ['filled until that takes too long', false, 'auto', 30],
    ['passed from the first on', false, 'translated', 1e9],
    ['passed, translated from the start', true, 'translated', 1e9],
  ] as const)
    test(`holes ${title}: each record lands once, in order, and the map is exact, whatever is lost, killed, doubted or comes late`, () => {
      fc.assert(
        fc.property(sources, steps, (source, run) => {
          const world = worldOf(source, translated, policy, limitMs)
          play(world, run)
          expectExact(world)
          const reborn: World = { ...world, lane: newLane(world) }
          settle(reborn)
          expectExact(reborn)
        }),
        { numRuns: 100 },
      )
    })

  const denied = new KmigError('AUTHORIZATION', 'the target takes no markers')
  const beforeHole = (policy: OffsetsPolicy) => {
    const world = worldOf([true, false, true, true], false, policy)
    for (const step of ['settled', 'fetched', 'sent', 'the broker works', 'answered', 'fetched', 'kept'])
      commands[step]?.(world, 1)
    expect(world.lane.fillable).toBe(1n)
    world.lane.fill(1)
    return world
  }

  test('where the target takes no control records, auto translates and says why', () => {
    const world = beforeHole('auto')
    world.lane.fillDenied(denied)
    expect(world.lane.why).toBe('the target takes no markers')
    expect(world.lane.ready, 'nothing is sent before the shift is kept').toBe(false)
    play(world, [])
    expectExact(world)
    expect(world.lane.map.shifts).toEqual([{ source: 1n, ordinal: 1n, target: 1n }])
  })
  test('where the target takes no control records, identical stops', () => {
    const { lane } = beforeHole('identical')
    lane.fillDenied(denied)
    expect(lane.stopped?.code).toBe('AUTHORIZATION')
  })

  test('a batch that lands late, after the log was read back, is mapped by what was kept when it was sent', () => {
    const world = worldOf([true, false, true, false], true, 'translated')
    const steps = 'settled fetched sent connection-lost settled sent the-broker-works kept answered'.split(
      ' ',
    )
    const late = 'fetched sent connection-lost truncated settled'.split(' ')
    play(
      world,
      [...steps, ...late].map(step => [step.replaceAll('-', ' '), 1]),
    )
    expectExact(world)
  })

  test('nothing late, nothing killed: holes that are filled keep every offset', () => {
    fc.assert(
      fc.property(sources, source => {
        const world = worldOf(source, false, 'identical')
        play(world, [])
        expect(world.lane.map.translated).toBe(false)
        expectExact(world)
      }),
    )
  })
})
