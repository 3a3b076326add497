import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Offset } from '../../src/kit/index.ts'
import { mapOf, OffsetMap, type Shift } from '../../src/offsets/index.ts'

/** What a target partition holds at each offset: a source offset, or something that fills. */
type Log = (bigint | 'filler')[]
type Step = { kind: 'records' | 'gap' | 'stray' | 'translate'; n: number }

const steps = fc.array(
  fc.record({
    kind: fc.constantFrom<Step['kind']>('records', 'gap', 'records', 'gap', 'stray', 'translate'),
    n: fc.integer({ min: 1, max: 5 }),
  }),
  { maxLength: 30, size: 'max' },
)
const beginnings = fc.record({ translated: fc.boolean(), start: fc.constantFrom(0n, 4n).map(Offset) })
type World = { map: OffsetMap; log: Log; at: bigint; ordinal: bigint; start: Offset }

const play = ({ translated, start }: { translated: boolean; start: Offset }, run: readonly Step[]): World => {
  const map = new OffsetMap({ translated, start })
  const log: Log = translated ? [] : Array.from({ length: Number(start) }, (_, i) => BigInt(i))
  const world: World = { map, log, at: start, ordinal: translated ? 0n : start, start }
  for (const { kind, n } of run) {
    if (kind === 'records')
      for (let i = 0; i < n; i++, world.ordinal++) {
        expect(map.targetOf(world.ordinal)).toBe(BigInt(log.length))
        log.push(world.at++)
      }
    if (kind === 'gap') {
      const to = Offset(world.at + BigInt(n))
      if (!map.translated) for (let i = 0; i < n; i++) log.push('filler')
      map.gap({ from: Offset(world.at), to })
      world.at = to
    }
    if (kind === 'stray') log.push('filler')
    if (kind === 'stray' || (kind === 'translate' && !map.translated))
      map.shift({ source: Offset(world.at), ordinal: world.ordinal, target: Offset(BigInt(log.length)) })
  }
  return world
}

const expectExact = ({ map, log, at, start }: World): void => {
  const copied = Offset(at)
  const end = Offset(BigInt(log.length))
  const first = map.beginning.translated ? 0n : start
  for (let o: bigint = start; o <= at; o++) {
    const found = map.toTarget(Offset(o), copied)
    if (found.kind !== 'exact') throw new Error(`${o}: ${found.kind}`)
    const record = log.findIndex((what, t) => BigInt(t) >= first && what !== 'filler' && what >= o)
    const next = record < 0 ? end : BigInt(record)
    const between = log.slice(Number(found.at), Number(next))
    expect(between.every(what => what === 'filler') && found.at <= next, `${o} resumes at ${found.at}`).toBe(
      true,
    )
  }
  expect(map.toTarget(Offset(at + 1n), copied)).toEqual({ kind: 'wait', mirroredTo: copied })
  for (const [t, what] of log.entries()) {
    const found = map.toSource(Offset(BigInt(t)), { start: Offset(first), end })
    if (BigInt(t) < first) expect(found).toEqual({ kind: 'none', why: 'before-first-run' })
    else
      expect(found).toEqual(what === 'filler' ? { kind: 'none', why: 'filler' } : { kind: 'exact', at: what })
  }
  expect(map.toSource(end, { start: Offset(first), end })).toEqual({ kind: 'wait', mirroredTo: end })
}

describe('the map of a partition', () => {
  test('gives the exact offset both ways, over holes, strays and the switch to translated', () => {
    fc.assert(fc.property(beginnings, steps, (begin, run) => expectExact(play(begin, run))))
  })

  test('comes back as it was kept, and forgets what comes after a cut', () => {
    fc.assert(
      fc.property(beginnings, steps, steps, (begin, run, more) => {
        const world = play(begin, run)
        const { map } = world
        let shifts: readonly Shift[] = []
        const texts: string[] = []
        const keep = () => {
          const unkept = map.unkept()
          if (!unkept) return
          for (const { chunk, text } of unkept.texts) texts.splice(chunk, 1, ...(text === null ? [] : [text]))
          shifts = unkept.shifts ?? shifts
          unkept.kept()
        }
        keep()
        expect(map.bar).toBeUndefined()
        const [at, end] = [Offset(world.at), Offset(BigInt(world.log.length))]
        for (const { kind, n } of more) {
          const last = map.runs.startOf(map.runs.runs - 1)
          const from = Offset((last > at ? last : at) + BigInt(n))
          if (kind === 'gap') map.gap({ from, to: Offset(from + 1n) })
          if (kind === 'gap') expect(map.bar === undefined || map.bar <= from).toBe(true)
          if (kind === 'translate') map.unkept()?.failed()
        }
        map.cut(at)
        map.forgetShifts(end)
        expectExact(world)
        map.gap({ from: at, to: Offset(at + 1n) })
        world.at++
        if (!map.translated) world.log.push('filler')
        keep()
        const base = OffsetMap.baseOf(begin)
        const again = new OffsetMap(begin, { runs: mapOf(base, texts, 't-0'), shifts, chunks: texts.length })
        expectExact({ ...world, map: again })
      }),
    )
  })

  const mapped = (holes: readonly number[], windows: readonly (readonly [number, number])[]) => {
    const map = new OffsetMap({ translated: true, start: Offset(0n) })
    for (const [from, to] of windows) {
      const gaps = holes
        .filter(o => o >= from && o < to)
        .map(o => ({ from: Offset(BigInt(o)), to: Offset(BigInt(o + 1)) }))
      map.learn(Offset(BigInt(from)), Offset(BigInt(to)), gaps)
    }
    return map
  }
  const holesIn = (map: OffsetMap, end: number) =>
    Array.from({ length: end }, (_, o) => o).filter(o => map.runs.gapAt(BigInt(o)))

  test('what is read again changes nothing, in whatever parts it comes', () => {
    const holes = [2, 3, 4, 9, 11]
    const map = mapped(holes, [
      [0, 12],
      [3, 10],
      [0, 4],
      [4, 12],
      [11, 15],
    ])
    expect(holesIn(map, 15)).toEqual(holes)
    map.unkept()?.kept()
    map.learn(Offset(3n), Offset(5n), [{ from: Offset(3n), to: Offset(5n) }])
    expect(map.bar).toBeUndefined()
  })

  test('a source that was compacted since is taken as it is now', () => {
    const map = mapped([2, 9], [[0, 12]])
    map.unkept()?.kept()
    map.learn(
      Offset(4n),
      Offset(12n),
      [6n, 9n].map(o => ({ from: Offset(o), to: Offset(o + 1n) })),
    )
    expect(holesIn(map, 12)).toEqual([2, 6, 9])
    expect(map.bar).toBe(6n)
  })

  test('a shift whose place is gone from the target goes with it', () => {
    const map = new OffsetMap({ translated: false, start: Offset(0n) })
    map.gap({ from: Offset(5n), to: Offset(6n) })
    map.shift({ source: Offset(6n), ordinal: 5n, target: Offset(7n) })
    expect(map.forgetShifts(Offset(6n))).toBe(true)
    expect(map.translated).toBe(false)
    expect(map.targetOf(5n)).toBe(6n)
  })
})
