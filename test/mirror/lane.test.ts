import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { headers, type Piece, readHeader, sequenceOf } from '../../src/kafka/index.ts'
import { KmigError, Offset } from '../../src/kit/index.ts'
import { Lane } from '../../src/mirror/lane.ts'

const PRODUCER = { id: 7n, epoch: 0 }
const ENOUGH = 4_000

/** A broker's partition: it takes a batch only at its own end, as one that remembers the producer does. */
class Log {
  end = 0n
  append(base: bigint, count: number): { at: bigint } | { refused: true } {
    if (base + BigInt(count) <= this.end) return { at: base }
    if (base !== this.end) return { refused: true }
    this.end += BigInt(count)
    return { at: base }
  }
}

type Sent = { piece: Piece; fate: 'open' | 'in the log' | 'refused' }
type World = { lane: Lane; log: Log; sent: Sent[]; given: Map<Piece, boolean> }

const pieceOf = (world: World, base: bigint, count: number): Piece => {
  const piece: Piece = {
    kind: 'piece',
    bytes: Buffer.alloc(count),
    base: Offset(base),
    count,
    end: Offset(base + BigInt(count)),
    ordinal: base,
    how: 'passed',
    batches: 1,
    done: () => {
      if (world.given.get(piece)) throw new Error(`the memory of ${base} was given back twice`)
      world.given.set(piece, true)
    },
  }
  world.given.set(piece, false)
  return piece
}

const commands: Record<string, (world: World, n: number) => void> = {
  fetched: (world, n) => {
    const { lane } = world
    if (!lane.hungry(ENOUGH)) return
    const pieces: Piece[] = []
    let at: bigint = lane.wanted
    for (let i = 0; i <= n % 4; i++) {
      pieces.push(pieceOf(world, at, 1 + ((n + i) % 5)))
      at += BigInt(1 + ((n + i) % 5))
    }
    lane.offer(pieces, { next: Offset(at), ordinal: at })
  },
  sent: ({ lane, sent }) => {
    if (!lane.ready) return
    const piece = lane.take()
    sent.push({ piece, fate: 'open' })
  },
  'the broker works': ({ log, sent }) => {
    const next = sent.find(({ fate }) => fate === 'open')
    if (!next) return
    next.fate = 'refused' in log.append(next.piece.base, next.piece.count) ? 'refused' : 'in the log'
  },
  answered: ({ lane, sent }) => {
    if (!sent[0] || sent[0].fate === 'open') return
    const { piece, fate } = sent.shift() as Sent
    if (fate === 'in the log') lane.landed(piece, piece.base)
    else lane.lost(piece, 'OUT_OF_ORDER_SEQUENCE_NUMBER')
  },
  'connection lost': ({ lane, sent }, n) => {
    const lost = sent.splice(0)
    if (n % 2) lost.reverse()
    for (const { piece } of lost) lane.lost(piece, 'lost')
    lane.doubt('lost')
  },
  doubt: ({ lane }) => lane.doubt('the leader has changed'),
  settled: ({ lane, log }) => {
    if (lane.phase.at === 'doubt' && lane.flying === 0)
      lane.settled({ end: Offset(log.end), ordinal: log.end }, 1)
  },
  'the doubt lasts': ({ lane }) => {
    if (lane.phase.at !== 'doubt') return
    lane.phase.from -= 60_000
    lane.letGo()
    if (lane.flying === 0) expect(lane.held).toBe(0)
  },
  trimmed: ({ lane }) => lane.trimmed(),
  'its turn to pad': ({ lane }) => lane.startPadding(),
  truncated: ({ lane, log, sent }, n) => {
    if (sent.length > 0 || lane.phase.at !== 'doubt') return
    log.end = log.end > BigInt(n) ? log.end - BigInt(n) : 0n
  },
  'out of range': ({ lane }) => lane.outOfRange(),
  'in range': ({ lane }) => lane.inRange(),
  'the start moves': ({ lane, log }, n) => {
    if (lane.phase.at !== 'out-of-range' || !lane.idle || !lane.holdsOnlyPadding) return
    lane.startMoves(Offset(log.end + BigInt(n) * 30_000n))
  },
  'the start moved': ({ lane }) => lane.startMoved(),
}

const check = ({ lane, log, sent, given }: World) => {
  const { where, phase } = lane
  expect(lane.flying, where).toBe(sent.length)
  for (const { piece } of sent) {
    expect(given.get(piece) ?? false, `memory of a batch under way at ${piece.base} was given back`).toBe(
      false,
    )
    if (piece.batches === 0)
      expect(readHeader(piece.bytes)).toMatchObject({
        producerId: PRODUCER.id,
        baseSequence: sequenceOf(piece.base),
        count: piece.count,
      })
  }
  if (lane.open) {
    expect(lane.acked <= log.end, `acked ${lane.acked}, the log ends at ${log.end}`).toBe(true)
    const flight = sent.map(({ piece: { base, count } }) => [base, base + BigInt(count)])
    expect(flight.map(([base]) => base)).toEqual(
      [lane.acked, ...flight.map(([, end]) => end)].slice(0, flight.length),
    )
  }
  expect(sent.length).toBeLessThanOrEqual(5)
  if (phase.at === 'copying') expect(lane.wanted >= lane.acked).toBe(true)
  if (phase.at === 'copying') expect(lane.acked >= lane.start).toBe(true)
  expect(lane.held).toBeGreaterThanOrEqual(0)
}

describe('a lane', () => {
  const names = Object.keys(commands)
  const steps = fc.array(fc.tuple(fc.constantFrom(...names), fc.nat({ max: 20 })), {
    maxLength: 120,
    size: 'max',
  })

  test('sends each batch at its offset once, whatever is lost, doubted, truncated or answered late', () => {
    fc.assert(
      fc.property(fc.constantFrom(0n, 3n, 250_000n), steps, (start, run) => {
        const lane = new Lane({
          topic: 't',
          partition: 0,
          start: Offset(start),
          anchor: { offset: Offset(0n), ordinal: 0n, epoch: -1 },
          producer: PRODUCER,
        })
        const world: World = { lane, log: new Log(), sent: [], given: new Map() }
        for (const [name, n] of run) {
          commands[name]?.(world, n)
          check(world)
        }
        expect(lane.stopped).toBeUndefined()
        for (let i = 0; i < 500 && !(lane.phase.at === 'copying' && lane.idle); i++)
          for (const name of [
            'the broker works',
            'answered',
            'in range',
            'the start moved',
            'settled',
            'its turn to pad',
            'trimmed',
            'sent',
          ]) {
            commands[name]?.(world, 0)
            check(world)
          }
        expect(lane.phase.at).toBe('copying')
        expect(lane.idle).toBe(true)
        expect(lane.acked).toBe(world.log.end)
        expect(lane.held).toBe(0)
        expect([...world.given.values()].every(Boolean), 'all memory was given back').toBe(true)
      }),
      { numRuns: 150 },
    )
  })

  const copying = (): { lane: Lane; world: World } => {
    const lane = new Lane({
      topic: 't',
      partition: 0,
      start: Offset(0n),
      anchor: { offset: Offset(0n), ordinal: 0n, epoch: -1 },
      producer: PRODUCER,
    })
    lane.settled({ end: Offset(0n), ordinal: 0n }, 1)
    return { lane, world: { lane, log: new Log(), sent: [], given: new Map() } }
  }

  test('gives back the memory of batches that come back after it has stopped', () => {
    const { lane, world } = copying()
    lane.offer([pieceOf(world, 0n, 10), pieceOf(world, 10n, 10)], { next: Offset(20n), ordinal: 20n })
    const piece = lane.take()
    lane.stop(new KmigError('SOURCE_LOST', 'gone'))
    lane.lost(piece, 'the connection was lost')
    expect(lane.held).toBe(0)
    expect([...world.given.values()]).toEqual([true, true])
  })

  test('drops what follows a batch that landed in doubt and was truncated again', () => {
    const { lane, world } = copying()
    lane.offer(
      [0n, 10n, 20n].map(base => pieceOf(world, base, 10)),
      { next: Offset(30n), ordinal: 30n },
    )
    lane.landed(lane.take(), 0n)
    const [second, third] = [lane.take(), lane.take()]
    lane.doubt('the leader has changed')
    lane.landed(second, 10n)
    lane.lost(third, 'lost')
    lane.settled({ end: Offset(10n), ordinal: 10n }, 2)
    expect(lane.ready).toBe(false)
    expect(lane.wanted).toBe(10n)
  })

  test('stops when a batch lands anywhere but at its offset, in doubt as well', () => {
    for (const doubtful of [false, true]) {
      const { lane, world } = copying()
      lane.offer([pieceOf(world, 0n, 10)], { next: Offset(10n), ordinal: 10n })
      const piece = lane.take()
      if (doubtful) lane.doubt('the leader has changed')
      lane.landed(piece, 40n)
      expect(lane.stopped?.code).toBe('FOREIGN_WRITE')
    }
  })

  const bases = (pieces: readonly Piece[]) => pieces.map(({ base }) => base)
  const takeAll = (lane: Lane): Piece[] => {
    const taken: Piece[] = []
    while (lane.ready) taken.push(lane.take())
    return taken
  }

  test('has one batch under way until it lands, then five, and one again after every doubt', () => {
    const { lane, world } = copying()
    lane.offer(
      Array.from({ length: 20 }, (_, i) => pieceOf(world, BigInt(i * 10), 10)),
      { next: Offset(200n), ordinal: 200n },
    )
    const [first, ...more] = takeAll(lane)
    expect(more).toEqual([])
    if (first) lane.landed(first, 0n)
    const five = takeAll(lane)
    expect(bases(five)).toEqual([10n, 20n, 30n, 40n, 50n])
    for (const piece of five.toReversed()) lane.lost(piece, 'lost')
    expect(takeAll(lane)).toEqual([])
    lane.settled({ end: Offset(30n), ordinal: 30n }, 2)
    expect(bases(takeAll(lane))).toEqual([30n])
    expect(lane.wanted).toBe(200n)
  })

  test('lands what the source gave before it refused the next offset', () => {
    const { lane, world } = copying()
    lane.offer([pieceOf(world, 0n, 10)], { next: Offset(10n), ordinal: 10n })
    lane.outOfRange()
    expect(lane.ready).toBe(true)
    lane.landed(lane.take(), 0n)
    expect(lane.acked).toBe(10n)
    expect(lane.idle).toBe(true)
  })

  test('is not brought back to life by news that come too late', () => {
    const { lane } = copying()
    lane.outOfRange()
    lane.stop(new KmigError('SOURCE_LOST', 'gone'))
    lane.startMoves(Offset(5n))
    lane.startMoved()
    lane.settled({ end: Offset(0n), ordinal: 0n }, 1)
    lane.trimmed()
    expect(lane.phase.at).toBe('stopped')
  })

  test('rests longer with every refusal in a row, and not at all once a batch has landed', () => {
    const { lane, world } = copying()
    lane.offer([pieceOf(world, 0n, 10)], { next: Offset(10n), ordinal: 10n })
    const rests = Array.from({ length: 6 }, () => {
      lane.lost(lane.take(), 'NOT_ENOUGH_REPLICAS')
      const { phase } = lane
      const rest = phase.at === 'doubt' ? phase.from - performance.now() : Number.NaN
      lane.settled({ end: Offset(0n), ordinal: 0n }, 1)
      return rest
    })
    expect(rests[0]).toBeLessThanOrEqual(0)
    expect(rests[1]).toBeGreaterThan(300)
    expect(rests[5]).toBeGreaterThan(3_000)
    lane.landed(lane.take(), 0n)
    expect(lane.setbacks).toBe(0)
  })

  test('pads in batches whose sequence is their offset, up to the very start', () => {
    const lane = new Lane({
      topic: 't',
      partition: 0,
      start: Offset(250_001n),
      anchor: { offset: Offset(0n), ordinal: 0n, epoch: -1 },
      producer: PRODUCER,
    })
    lane.settled({ end: Offset(50_000n), ordinal: 50_000n }, 1)
    expect(lane.ready).toBe(false)
    lane.startPadding()
    let end = 50_000n
    while (lane.phase.at === 'padding') {
      const piece = lane.take()
      for (const { header } of headers(piece.bytes)) {
        expect(header.baseSequence).toBe(sequenceOf(end))
        expect(piece.base).toBe(end)
        end += BigInt(header.count)
      }
      lane.landed(piece, piece.base)
    }
    expect(end).toBe(250_001n)
    expect(lane.phase.at).toBe('trimming')
  })
})
