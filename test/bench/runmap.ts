import { formatBytes, formatCount, Offset } from '../../src/kit/index.ts'
import { mapOf, RunMap } from '../../src/offsets/index.ts'
import { changedTexts } from '../../src/offsets/run-text.ts'
import { table } from './measure.ts'

const LOOKUPS = 200_000

/** Size and speed of run maps: a run is what lies between two holes. No servers. */
export const bench = async (args: readonly string[]): Promise<void> => {
  const sizes = args.map(Number).filter(n => n > 0)
  const rows = [['runs', 'memory', 'B/run', 'kept', 'B/run', 'add ns', 'lookup ns', 'back ns', 'read ms']]
  for (const runs of sizes.length > 0 ? sizes : [1_000, 100_000, 1_000_000, 10_000_000])
    rows.push(measure(runs))
  process.stdout.write(`${table(rows)}\n`)
}

const measure = (runs: number): string[] => {
  const base = { source: Offset(0n), ordinal: 0n }
  const map = new RunMap(base)
  const each = (ms: number, count: number) => `${Math.round((ms * 1e6) / count)}`
  const timed = (work: () => void): number => {
    const start = performance.now()
    work()
    return performance.now() - start
  }
  let at = 0n
  const add = timed(() => {
    for (let i = 1; i < runs; i++) {
      const from = at + BigInt(1 + ((i * 7919) % 200))
      at = from + 1n
      map.gap({ from: Offset(from), to: Offset(at) })
    }
  })
  const places = Array.from(
    { length: LOOKUPS },
    (_, i) => (at * BigInt((i * 7919) % LOOKUPS)) / BigInt(LOOKUPS),
  )
  const there = timed(() => {
    for (const place of places) map.ordinalAt(place)
  })
  const ordinals = places.map(place => map.ordinalAt(place))
  const back = timed(() => {
    for (const ordinal of ordinals) map.sourceOf(ordinal)
  })
  const texts = changedTexts(map, 0).map(({ text }) => text ?? '')
  const kept = texts.reduce((sum, text) => sum + text.length, 0)
  const read = timed(() => mapOf(base, texts, 'bench-0'))
  return [
    formatCount(runs),
    formatBytes(map.bytes),
    (map.bytes / runs).toFixed(1),
    formatBytes(kept),
    (kept / runs).toFixed(1),
    each(add, runs),
    each(there, LOOKUPS),
    each(back, LOOKUPS),
    read.toFixed(0),
  ]
}
