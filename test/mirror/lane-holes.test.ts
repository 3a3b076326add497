import { crc32 } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { AT, ATTRIBUTE, type BatchHeader, type Hole, type Piece, sequenceOf } from '../../src/kafka/index.ts'
import { KmigError, Offset } from '../../src/kit/index.ts'
import type { OffsetsPolicy } from '../../src/mirror/filling.ts'
import { Lane } from '../../src/mirror/lane.ts'
import type { Anchor } from '../../src/mirror/lane-shape.ts'
import type { KeptSent } from '../../src/mirror/sent.ts'
import { Trail } from '../../src/mirror/trail.ts'
import { mapOf, OffsetMap, type Shift } from '../../src/offsets/index.ts'

const DATA = 7n
const CONTROL = 8n
const IDS = { data: new Set([DATA]), control: new Set([CONTROL]) }
const ENOUGH = 400

/** What stands on the target: data with the source offsets of its records, or a marker. */
type Entry = { ordinal: bigint; sources: bigint[]; by: bigint; crc: number } | 'marker' | { shuts: bigint }
const isData = (entry: Entry): entry is Exclude<Entry, 'marker' | { shuts: bigint }> =>
  entry !== 'marker' && !('shuts' in entry)
const sizeOf = (entry: Entry): bigint => (isData(entry) ? BigInt(entry.sources.length) : 1n)
type Request = { piece: Piece; sources: bigint[]; by: bigint } | { markers: number }
type Sent = { request: Request; fate: 'open' | 'done' | 'refused'; at: bigint }

/** A broker's partition that remembers the producer: an overlap or gap is refused, an exact repeat is answered as before. */
class Broker {
  readonly log: Entry[] = []
  readonly known = new Set([DATA])
  get end(): bigint {
    return this.log.reduce((sum, entry) => sum + sizeOf(entry), 0n)
  }
  get records(): bigint {
    return this.log.reduce((sum, entry) => sum + (isData(entry) ? sizeOf(entry) : 0n), 0n)
  }
  do(request: Request): bigint | undefined {
    const at = this.end
    if ('markers' in request) {
      for (let i = 0; i < request.markers; i++) this.log.push('marker')
      return at
    }
    const { by, sources } = request
    const { ordinal, bytes } = request.piece
    if (this.log.some(entry => entry !== 'marker' && 'shuts' in entry && entry.shuts === by)) return undefined
    const before = this.headers().find(({ entry }) => isData(entry) && entry.ordinal === ordinal)
    if (
      before &&
      isData(before.entry) &&
      before.entry.by === by &&
      before.entry.sources.length === sources.length
    )
      return before.at
    // who is not known yet may begin anywhere
    if (ordinal !== this.records && this.known.has(by)) return undefined
    this.known.add(by)
    this.log.push({ ordinal, sources, by, crc: bytes.readUInt32BE(AT.crc) })
    return at
  }
  headers(): { at: bigint; entry: Entry }[] {
    let at = 0n
    return this.log.map(entry => {
      const found = { at, entry }
      at += sizeOf(entry)
      return found
    })
  }
}

const headerOf = ({ at, entry }: { at: bigint; entry: Entry }): BatchHeader => {
  const count = Number(sizeOf(entry))
  return {
    baseOffset: Offset(at),
    lastOffset: Offset(at + BigInt(count - 1)),
    producerId: isData(entry) ? entry.by : entry === 'marker' ? CONTROL : entry.shuts,
    producerEpoch: 0,
    baseSequence: isData(entry) ? sequenceOf(entry.ordinal) : -1,
    attributes: isData(entry) ? 0 : ATTRIBUTE.control | ATTRIBUTE.transactional,
    crc: isData(entry) ? entry.crc : 0,
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
  source: boolean[]
  sent: Sent[]
  /** Requests of lost connections, that the broker may still do. */
  ghosts: Request[]
  state: { anchor: Anchor; texts: string[]; shifts: readonly Shift[]; sent?: KeptSent | undefined }
  /** Whether its source can lose records. */
  compacts: boolean
  /** Producer ids that were given out. */
  ids: number
  begin: { translated: boolean; start: Offset }
  policy: OffsetsPolicy
  limitMs: number
}

const newLane = ({ state, begin, policy, limitMs, compacts }: Omit<World, 'lane'>): Lane => {
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
    sent: state.sent,
    compacts,
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

/** The checksum tells which records a batch has. */
const bytesOf = (sources: readonly bigint[]): Buffer => {
  const bytes = Buffer.alloc(61 + sources.length)
  bytes.writeUInt32BE(crc32(sources.join()), AT.crc)
  return bytes
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
    bytes: bytesOf(sources),
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
  state.sent = lane.sent.kept ?? state.sent
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
    const by = lane.sent.producer.id
    sent.push({ request: { piece, sources: sourcesOf.get(piece) ?? [], by }, fate: 'open', at: 0n })
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
  'its source loses a record': ({ source, compacts }, n) => {
    const at = source.findIndex((has, i) => has && i >= 3 * n)
    if (compacts && at >= 0 && at < source.length - 1) source[at] = false
  },
  'is shut out': (world, n) => {
    const { lane, broker, sent, state } = world
    if (lane.phase.at !== 'shutting' || lane.flying > 0 || sent.length > 0) return
    if (!lane.sent.shutting) lane.sent.turn({ id: BigInt(world.ids++), epoch: 0 })
    state.sent = lane.sent.kept
    if (n % 3 === 0) return // killed before, or the marker was lost
    broker.log.push({ shuts: lane.sent.former.at(-1)?.id ?? -1n })
    if (n % 3 === 1) return
    lane.wasShutOut()
    state.sent = lane.sent.kept
  },
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
const expectExact = ({ lane, broker, source, begin, compacts }: World) => {
  const there = broker
    .headers()
    .flatMap(({ at, entry }) =>
      isData(entry) ? entry.sources.map((from, i) => ({ from, at: at + BigInt(i) })) : [],
    )
  const wanted = source.flatMap((has, i) => (has && BigInt(i) >= begin.start ? [BigInt(i)] : []))
  const copied = there.map(({ from }) => from)
  if (compacts) {
    // once, in order; whatever the source still has, and what it had when it was read
    expect(copied).toEqual([...new Set(copied)].sort((a, b) => (a < b ? -1 : 1)))
    expect(wanted.filter(from => !copied.includes(from))).toEqual([])
  } else expect(copied).toEqual(wanted)
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

const RISKS = [
  'its source loses a record',
  'killed',
  'a ghost comes',
  'fetched',
  'sent',
  'kept',
  'settled',
  'is shut out',
]
const risky = fc.array(
  fc.tuple(fc.constantFrom(...names, ...RISKS, ...RISKS, ...RISKS), fc.nat({ max: 20 })),
  {
    maxLength: 160,
    size: 'max',
  },
)

const play = (world: World, run: readonly (readonly [string, number])[]) => {
  for (const [name, n] of run) {
    commands[name]?.(world, n)
    check(world)
  }
  const calm = [
    'a ghost comes',
    'is shut out',
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

const worldOf = (
  source: boolean[],
  translated: boolean,
  policy: OffsetsPolicy,
  { limitMs = 1e9, compacts = false } = {},
): World => {
  const rest = {
    compacts,
    ids: 100,
    broker: new Broker(),
    source: [...source],
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
  for (const [title, translated, policy, limitMs, compacts] of [
    ['filled', false, 'auto', 1e9, false],
    ['filled until that takes too long', false, 'auto', 30, false],
    ['passed from the first on', false, 'translated', 1e9, false],
    ['passed, translated from the start', true, 'translated', 1e9, false],
    ['passed, with compaction between two reads', true, 'translated', 1e9, true],
  ] as const)
    test(`holes ${title}: each record lands once, in order, and the map is exact, whatever is lost, killed, doubted or comes late`, () => {
      fc.assert(
        fc.property(sources, compacts ? risky : steps, (source, run) => {
          const world = worldOf(source, translated, policy, { limitMs, compacts })
          play(world, run)
          expectExact(world)
          const reborn: World = { ...world, lane: newLane(world) }
          settle(reborn)
          expectExact(reborn)
        }),
        { numRuns: 100 },
      )
    })

  test('of two control records that shut a producer out an unclean election takes one: records go on behind the other', () => {
    const world = worldOf([true, true], true, 'translated', { compacts: true })
    const { lane, broker, state } = world
    settle(world)
    lane.sent.turn({ id: 100n, epoch: 0 })
    lane.doubt('its source has become another')
    settle(world)
    broker.log.push({ shuts: DATA }, { shuts: DATA })
    lane.wasShutOut()
    state.sent = lane.sent.kept
    settle(world)
    keep(world)
    lane.doubt('the leader has changed')
    broker.log.pop()
    play(world, [])
    expect(broker.log.slice(1).every(entry => isData(entry))).toBe(true)
    expectExact(world)
  })

  test('killed after the anchor has passed a control record that shut a producer out, and before the shift is kept: records go on behind it', () => {
    const world = worldOf([true, true, true, true, false], true, 'translated', { compacts: true })
    play(world, [
      ['settled', 0],
      ['fetched', 2],
      ['fetched', 0],
      ['kept', 0],
      ['killed', 0],
      ['its source loses a record', 1],
      ['settled', 0],
      ['fetched', 3],
      ['is shut out', 17],
      ['settled', 0],
      ['the anchor moves', 0],
      ['killed', 0],
    ])
    expectExact(world)
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

  for (const [when, late] of [
    [
      'before its producer is shut out',
      [
        ['a ghost comes', 0],
        ['fetched', 3],
        ['is shut out', 2],
      ],
    ],
    [
      'once another read would go out',
      [
        ['fetched', 3],
        ['a ghost comes', 0],
        ['kept', 0],
        ['sent', 0],
        ['the broker works', 0],
      ],
    ],
    [
      'after its producer is shut out',
      [
        ['fetched', 3],
        ['is shut out', 2],
        ['a ghost comes', 0],
        ['settled', 0],
      ],
    ],
    [
      'while the marker’s answer is lost',
      [
        ['fetched', 3],
        ['is shut out', 1],
        ['killed', 0],
        ['a ghost comes', 0],
      ],
    ],
    [
      'while the shutting out is remembered only',
      [
        ['fetched', 3],
        ['is shut out', 0],
        ['killed', 0],
        ['a ghost comes', 0],
      ],
    ],
  ] as const) {
    test(`compaction takes a record of a killed process’s batch, which lands ${when}: the map is exact`, () => {
      const world = worldOf([true, true, true, true, true, false, true], true, 'translated', {
        compacts: true,
      })
      play(world, [
        ...(['settled', 'fetched', 'kept', 'sent', 'killed', 'settled'] as const).map(
          step => [step, 3] as const,
        ),
        ['its source loses a record', 0],
        ...late,
      ])
      expectExact(world)
      expect(world.source[0]).toBe(false)
    })
  }

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
