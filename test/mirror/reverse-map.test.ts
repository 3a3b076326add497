import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Offset } from '../../src/kit/index.ts'
import { imageBack } from '../../src/mirror/reverse-groups.ts'
import { compose } from '../../src/mirror/reverse-rejoin.ts'
import { OffsetMap } from '../../src/offsets/index.ts'

/** One cluster's log: what stands at each offset, '' for what holds no record. */
type Log = string[]

/** Copies what lies in `from` at or after `at` behind `to`, filling holes or passing them, as a lane does. */
const copy = (from: Log, at: number, to: Log, map: OffsetMap, fills: boolean): void => {
  for (let offset = at; offset < from.length; offset++) {
    const record = from[offset] ?? ''
    const source = Offset(BigInt(offset))
    if (record === '') map.learn(source, Offset(source + 1n), [{ from: source, to: Offset(source + 1n) }])
    if (record !== '') to.push(record)
    else if (fills && !map.translated) to.push('')
    else if (!map.translated)
      map.shift({ source, ordinal: map.runs.ordinalAt(source), target: Offset(BigInt(to.length)) })
  }
}

const placeIn = (log: Log, from: number): string | undefined => log.slice(from).find(record => record !== '')

const log = (name: string) =>
  fc.array(fc.boolean(), { maxLength: 12 }).map(all => all.map((is, i) => (is ? `${name}${i}` : '')))
const story = {
  old: log('a'),
  next: log('b'),
  again: log('c'),
  forward: fc.boolean(),
  back: fc.boolean(),
  forwardAgain: fc.boolean(),
}

test('property: over there, back and there again every offset of a group stands before the same next record on both sides', () => {
  fc.assert(
    fc.property(fc.record(story), ({ old: a, next: b, again: c, forward, back, forwardAgain }) => {
      const [old, next]: [Log, Log] = [[...a], []]
      const map = new OffsetMap({ translated: false, start: Offset(0n) })
      copy(old, 0, next, map, forward)
      const cut = { old: Offset(BigInt(old.length)), next: Offset(BigInt(next.length)) }
      next.push(...b)
      const translated = cut.old !== cut.next
      const at = { ordinal: BigInt(cut.old), target: cut.old }
      const wayBack = new OffsetMap({ translated, start: cut.next, at })
      copy(next, Number(cut.next), old, wayBack, back)
      const r = { old: Offset(BigInt(old.length)), next: Offset(BigInt(next.length)) }

      const place = { source: r.next, ordinal: 0n, target: r.old }
      for (let n = 0n; n <= r.next; n++) {
        const found = imageBack(Offset(n), { lane: { map: wayBack, place }, point: cut, map })
        if (found.kind !== 'exact') throw new Error(`${n}: ${found.kind}`)
        expect(placeIn(old, Number(found.at)), `new ${n} to old ${found.at}`).toBe(placeIn(next, Number(n)))
      }

      compose(map, wayBack, cut, r)
      old.push(...c)
      copy(old, Number(r.old), next, map, forwardAgain)
      const end = Offset(BigInt(old.length))
      for (let n = 0n; n <= end; n++) {
        const found = map.toTarget(Offset(n), end)
        if (found.kind !== 'exact') throw new Error(`${n}: ${found.kind}`)
        expect(placeIn(next, Number(found.at)), `old ${n} to new ${found.at}`).toBe(placeIn(old, Number(n)))
      }
      let ordinal = map.runs.ordinalAt(r.old)
      for (let n = Number(r.old); n < old.length; n++) {
        if (old[n] === '') continue
        expect(next[Number(map.targetOf(ordinal))]).toBe(old[n])
        expect(map.ordinalAt(map.targetOf(ordinal))).toBe(ordinal)
        ordinal++
      }
    }),
    { numRuns: 2_000 },
  )
})
