import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { expect, test } from 'vitest'
import { rehearsalAge } from '../../../src/cutover/doctor/rehearsal.ts'
import { type Rehearsal, rehearsalReport } from '../../../src/cutover/rehearsals.ts'
import { temporary } from '../../temporary.ts'

const DAY = 86_400_000
const nowMs = Date.parse('2026-06-30T12:00:00Z')
const facts = { old: { cluster: { clusterId: 'old-id' } }, moving: new Set(['orders', 'paid']) }

/** What is found with these rehearsals, of so many days ago. */
const found = (
  rows: (Partial<Rehearsal> & { days: number })[],
  rehearsedWithinMs: number | undefined = 7 * DAY,
) => {
  const stateDir = temporary()
  for (const [i, { days, ...more }] of rows.entries()) {
    const path = rehearsalReport(stateDir, `${i}`)
    mkdirSync(dirname(path), { recursive: true })
    const at = new Date(nowMs - days * DAY).toISOString()
    const from = { name: 'old', clusterId: 'old-id' }
    const report = {
      id: `${i}`,
      how: 'clone',
      from,
      topics: ['orders', 'paid', 'more'],
      ok: true,
      at,
      ...more,
    }
    writeFileSync(path, JSON.stringify(report))
  }
  const outcome = rehearsalAge(
    facts as unknown as Parameters<typeof rehearsalAge>[0],
    { stateDir, rehearsedWithinMs },
    nowMs,
  )
  return outcome.kind === 'looked'
    ? outcome.findings.map(({ severity, evidence }) => `${severity}: ${evidence}`)
    : outcome.why
}

test('a rehearsal of all that moves that went well and is young enough is what is asked for', () => {
  expect(found([{ days: 6 }])).toEqual([])
  expect(found([{ days: 9 }, { days: 6 }])).toEqual([])
})
test('none, one too old, one that failed since, one of other topics or of another cluster block, and say why', () => {
  const rows: [Parameters<typeof found>[0], RegExp][] = [
    [[], /^error: no rehearsal is known: .* keeps none$/],
    [[{ days: 8 }], /^error: the newest rehearsal of these topics is 8 d 00 h old, .* may be 7 d 00 h old$/],
    [[{ days: 6 }, { days: 1, ok: false }], /^error: the newest rehearsal of these topics, of .*, failed$/],
    [[{ days: 1, topics: ['orders'] }], /^error: no rehearsal of these .*: it was without paid$/],
    [[{ days: 1, from: { name: 'old', clusterId: 'x' } }], /^error: no rehearsal .*: it was of cluster x$/],
  ]
  for (const [given, expected] of rows) expect(found(given)).toEqual([expect.stringMatching(expected)])
})
test('where none is asked for the check is not made, and says so', () => {
  const stateDir = temporary()
  const outcome = rehearsalAge(facts as unknown as Parameters<typeof rehearsalAge>[0], { stateDir }, nowMs)
  expect(outcome).toMatchObject({ kind: 'not-checked', why: expect.stringContaining('--require-rehearsal') })
})
