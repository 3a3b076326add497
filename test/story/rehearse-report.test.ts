import { describe, expect, test } from 'vitest'
import { isRehearsed, type RehearseReport, rehearseText } from '../../src/story/index.ts'

const totals = { records: 9, lost: 0, repeated: 0, outOfOrder: 0, phantom: 0, corrupt: 0, foreign: 0 }
const logs = { totals, oldRecords: 5, offsetsIdentical: true, skipped: 0, reread: 0, faults: [] }
const timings = [
  { state: 'planned', at: '2026-01-01T00:00:00.000Z', ms: 100 },
  { state: 'fenced', at: '2026-01-01T00:00:00.100Z', ms: 1_000 },
]
const round = { run: 'r', changed: ['a.yaml'], clientsMoved: true, windowMs: 1_000, timings }
const pause = { clientPauseMs: 1_600, pauseMs: 1_400, ms: 3_000 }
const killed = { step: 'state' as const, name: 'fenced', state: 'fenced', backMs: 2_000 }
const crashes = {
  ...{ cutover: [killed], rollback: [{ ...killed, step: 'hook' as const, name: 'unfence' }] },
  ...{ complete: true, same: true, clientsMoved: true, clientsBack: true, longestPauseMs: 900, ms: 60_000 },
}
const certificate = { path: 'c.json', html: 'c.html', verdict: 'accepted', unexplained: [] }
const good: Omit<RehearseReport, 'ok'> = {
  ...{ ms: 40_000, id: 'r1', at: '2026-01-01T00:00:40.000Z', how: 'clone', report: '/s/report.json' },
  topics: ['a', 'b'],
  certificate,
  from: { name: 'old', clusterId: 'c', roundTripMs: 0.4 },
  stage: { old: '3.9.2', new: '4.3.1' },
  clone: { topics: 2, partitions: 5, records: 70, bytes: 9_000, groups: 1, short: [], refused: [] },
  files: { edits: 2, blockers: [], warnings: [], untouched: true, restored: true },
  rounds: [
    { ...round, ...pause },
    { ...round, ...pause },
  ],
  rollback: { ms: 900, clientPauseMs: 1_900, clientsBack: true, written: 40, timings },
  predicted: { pauseMs: 10_600, windowMs: 10_000, restMs: 600 },
  logs,
  crashes,
}

describe('a rehearsal', () => {
  test('is good when everything is, and shows times side by side with the pause to expect', () => {
    expect(isRehearsed(good)).toBe(true)
    const text = rehearseText({ ...good, ok: true })
    expect(text).not.toContain('WRONG')
    expect(text).toMatch(/state +cutover 1 +cutover 2\n +planned +100 ms +100 ms\n +fenced +1.0 s +1.0 s/)
    expect(text).toContain('predicted write pause: 10.6 s = 10.0 s of --still-for + 600 ms measured here')
  })
  test('tells of each kill where it was, in which state, and how long until the run was beyond it', () => {
    const text = rehearseText({ ...good, ok: true })
    expect(text).toMatch(/cutover, killed behind +in state +back after\n +fenced +fenced +2.0 s/)
    expect(text).toMatch(/hook unfence +fenced +2.0 s/)
    expect(rehearseText({ ...good, crashes: undefined, ok: true })).not.toContain('killed')
    expect(isRehearsed({ ...good, crashes: undefined })).toBe(true)
    expect(text).not.toContain('had its turn')
    const spared = { ...good, crashes: { ...crashes, complete: false } }
    expect(rehearseText({ ...spared, ok: true })).toContain('not every line had its turn')
  })
  test('names its certificate, with what that does not explain, and where the report is kept', () => {
    const open = { ...certificate, verdict: 'unproved', unexplained: ['a-0: why'] }
    const text = rehearseText({ ...good, certificate: open, ok: false })
    for (const line of ['unproved, c.html', 'not explained: a-0: why', 'report: /s/report.json'])
      expect(text).toContain(line)
  })
  const [first, second] = good.rounds
  const rows: [string, Partial<typeof good>][] = [
    ['a record is lost', { logs: { ...logs, totals: { ...totals, lost: 1 } } }],
    ['a reader read something twice', { logs: { ...logs, reread: 1 } }],
    ['a real file was touched', { files: { ...good.files, untouched: false } }],
    ['the copy was not restored', { files: { ...good.files, restored: false } }],
    ['clients did not come back', { rollback: { ...good.rollback, clientsBack: false } }],
    ['nobody wrote before the way back', { rollback: { ...good.rollback, written: 0 } }],
    ['there was one cutover only', { rounds: good.rounds.slice(1) }],
    ['no file was rewritten', { rounds: [first, { ...second, changed: [] }] as typeof good.rounds }],
    ['its certificate leaves something open', { certificate: { ...certificate, unexplained: ['x'] } }],
    ['there is no certificate', { certificate: undefined }],
    ['a killed cutover ended otherwise', { crashes: { ...crashes, same: false } }],
    ['nobody was killed though it was asked', { crashes: { ...crashes, cutover: [] } }],
    ['clients did not come back after kills', { crashes: { ...crashes, clientsBack: false } }],
    ['clients did not move', { rounds: [{ ...first, clientsMoved: false }, second] as typeof good.rounds }],
  ]
  for (const [fault, over] of rows)
    test(`is bad when ${fault}`, () => expect(isRehearsed({ ...good, ...over })).toBe(false))
  test('names what would block the real cutover, and what the clone lacks', () => {
    const files = { ...good.files, blockers: ['app.conf:1:3 names h'], warnings: ['a.yaml:1:1: warning x'] }
    const clone = { ...good.clone, short: ['t-0: why'] }
    const text = rehearseText({ ...good, files, clone, ok: true })
    for (const line of ['BLOCKS the real cutover: app.conf:1:3', 'warning: a.yaml:1:1', 't-0: why'])
      expect(text).toContain(line)
  })
})
