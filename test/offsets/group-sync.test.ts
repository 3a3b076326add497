import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Offset } from '../../src/kit/index.ts'
import { expires, judgeOffset, OffsetMap, takesNone, unmovable } from '../../src/offsets/index.ts'

const bounds = { start: Offset(100n), end: Offset(200n) }

for (const [source, there, expected] of [
  [150n, undefined, { kind: 'commit', at: 150n }],
  [150n, 150n, { kind: 'unchanged', at: 150n }],
  [150n, 120n, { kind: 'commit', at: 150n }],
  [150n, 160n, { kind: 'kept', at: 160n }],
  [20n, undefined, { kind: 'commit', at: 100n }],
  [200n, undefined, { kind: 'commit', at: 200n }],
  [201n, undefined, { kind: 'waiting', at: 201n, copied: 200n }],
] as const) {
  test(`a group at ${source} (there: ${there ?? 'none'}) with records 100 to 199 copied: ${expected.kind} ${expected.at}`, () => {
    expect(
      judgeOffset(Offset(source), there === undefined ? undefined : Offset(there), bounds),
    ).toMatchObject(expected)
  })
}

test('an offset is never committed before the copy begins, beyond its end, or backwards', () => {
  const n = fc.bigInt({ min: 0n, max: 300n })
  fc.assert(
    fc.property(n, fc.option(n), n, n, (source, there, a, b) => {
      const [start, end] = a < b ? [a, b] : [b, a]
      const outcome = judgeOffset(Offset(source), there === null ? undefined : Offset(there), {
        start: Offset(start),
        end: Offset(end),
      })
      if (outcome.kind !== 'commit') return
      expect(outcome.at >= start && outcome.at <= end && outcome.at >= (there ?? 0n)).toBe(true)
      expect(outcome.at).toBe(source < start ? start : source)
    }),
  )
})

for (const [offset, expected] of [
  [100n, { kind: 'commit', at: 0n }],
  [40n, { kind: 'commit', at: 0n }],
  [107n, { kind: 'commit', at: 7n }],
  [110n, { kind: 'waiting' }],
] as const) {
  test(`a group at ${offset} of a copy whose offsets begin at 0 for the source's 100 and reach 10: ${expected.kind}`, () => {
    const map = new OffsetMap({ translated: true, start: Offset(100n) })
    const image = (at: Offset) => map.toTarget(at, Offset(109n))
    const bounds = { start: Offset(0n), end: Offset(10n), image }
    expect(judgeOffset(Offset(offset), undefined, bounds)).toMatchObject(expected)
  })
}

const HOUR = 3_600_000
for (const [writtenAt, now, again] of [
  [undefined, 1_000 * HOUR, true],
  [1_000 * HOUR, 1_023 * HOUR, false],
  [1_000 * HOUR, 1_024 * HOUR, true],
  [1_000 * HOUR, 975 * HOUR, true],
] as const) {
  test(`an unchanged offset written at hour ${writtenAt === undefined ? '? of an earlier run' : writtenAt / HOUR} is ${again ? '' : 'not '}written again at hour ${now / HOUR}`, () => {
    expect(expires(writtenAt, now)).toBe(again)
  })
}

for (const [protocolType, type, why] of [
  ['consumer', 'classic', undefined],
  ['consumer', 'consumer', undefined],
  ['', '', undefined],
  ['share', 'share', /share group/],
  ['streams', 'streams', /streams protocol/],
  ['connect', 'classic', /three topics/],
  ['sr', 'classic', /'sr'/],
] as const) {
  test(`a group of protocol '${protocolType}' (${type}) is ${why ? 'listed with the reason' : 'moved'}`, () => {
    const found = unmovable({ groupId: 'g', protocolType, type, state: 'Empty' })
    if (why) expect(found).toMatch(why)
    else expect(found).toBeUndefined()
  })
}

for (const [state, type, why] of [
  ['Empty', 'classic', undefined],
  ['Empty', 'consumer', undefined],
  ['Dead', '', undefined],
  ['Stable', 'classic', /members on the target \(Stable\)/],
  ['Assigning', 'consumer', /members on the target \(Assigning\)/],
  ['Empty', 'share', /a share group of this name/],
] as const) {
  test(`a target's group in state ${state} (${type || 'absent'}) takes ${why ? 'no ' : ''}offsets`, () => {
    const found = takesNone(state, { type })
    if (why) expect(found).toMatch(why)
    else expect(found).toBeUndefined()
  })
}
