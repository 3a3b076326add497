import { describe, expect, test } from 'vitest'
import { explore } from './explore.ts'
import { mirrorBroken, mirrorStart, mirrorSteps, RULES, type Rules } from './mirror-model.ts'

const EVERYTHING = { crashes: 2, forgets: 1, foreign: 1, drops: 1 }
const HONEST = { forgets: 0, foreign: 0 }
const without = (removed: readonly (keyof Rules)[]): Rules => ({
  ...RULES,
  ...Object.fromEntries(removed.map(rule => [rule, false])),
})
const run = (left: typeof EVERYTHING, rules: Rules = RULES, broken = mirrorBroken) =>
  explore({ start: mirrorStart(left), next: state => mirrorSteps(state, rules), broken })

describe('the mirror’s rules, in every order of writes, deaths, lost answers, forgetful brokers and strangers', () => {
  test('let no cut be made but over a log that holds each record once, at its offset', () => {
    const { found, seen, states } = run(EVERYTHING)
    expect(found).toBeUndefined()
    expect(states).toBeGreaterThan(10_000)
    expect(
      seen.some(
        ({ cut, source, left }) => cut && source === 3 && left.crashes + left.drops + left.forgets === 0,
      ),
    ).toBe(true)
    expect(seen.some(({ stopped, left }) => stopped && left.foreign === 0)).toBe(true)
  })
  test('stop nobody where no stranger wrote and no broker forgot, and come to a cut from everywhere', () => {
    const { found, seen } = run({ ...EVERYTHING, ...HONEST })
    expect(found).toBeUndefined()
    expect(seen.filter(({ stopped }) => stopped)).toEqual([])
    expect(seen.filter(state => !state.cut && [...mirrorSteps(state, RULES)].length === 0)).toEqual([])
  })
  test('each watch over the others: without the scan at the end only a stranger gets through', () => {
    expect(run({ ...EVERYTHING, foreign: 0 }, { ...RULES, endScan: false }).found).toBeUndefined()
  })

  const unnoticed: [removed: (keyof Rules)[], left: Partial<typeof EVERYTHING>][] = [
    [['endScan'], {}],
    [['prediction', 'endScan'], { foreign: 0 }],
    [['readBack', 'endScan'], { foreign: 0 }],
    [['wait'], { foreign: 0 }],
    [['ordinalSequence', 'wait'], HONEST],
  ]
  for (const [removed, left] of unnoticed)
    test(`without ${removed.join(' and ')} a record is lost, repeated or moved unnoticed`, () => {
      expect(run({ ...EVERYTHING, ...left }, without(removed)).found?.why).toMatch(/the new cluster serves/)
    })
  test('producers of an own id each are only safe because they wait', () => {
    expect(run({ ...EVERYTHING, ...HONEST }, without(['wait'])).found).toBeUndefined()
  })
  const needless: (keyof Rules)[][] = [['firstAlone'], ['logEndIsTruth', 'ordinalSequence']]
  for (const removed of needless)
    test(`without ${removed.join(' and ')} a partition stops, though nobody disturbed it`, () => {
      const { found } = run({ ...EVERYTHING, ...HONEST }, without(removed), ({ stopped }) =>
        stopped ? 'stopped' : undefined,
      )
      expect(found?.why).toBe('stopped')
    })
})
