import { describe, expect, test } from 'vitest'
import { type DemoReport, demoText, isGood } from '../../src/story/index.ts'

const totals = { records: 9, lost: 0, repeated: 0, outOfOrder: 0, phantom: 0, corrupt: 0, foreign: 0 }
const logs = { totals, oldRecords: 5, offsetsIdentical: true, skipped: 0, reread: 0, faults: [] }
const good: Omit<DemoReport, 'ok'> = {
  ms: 30_000,
  znodes: { copied: 3, ephemerals: 1, equal: true },
  rollback: { changed: ['a.yaml'], restored: true, clientsBack: true },
  cutover: { changed: ['a.yaml'], clientsMoved: true, pauseMs: 4_000, wayBackRefused: true },
  logs,
}

describe('the verdict', () => {
  test('is good when everything is', () => {
    expect(isGood(good)).toBe(true)
    expect(demoText({ ...good, ok: true })).not.toContain('WRONG')
  })
  const withTotals = (over: Partial<typeof totals>) => ({ logs: { ...logs, totals: { ...totals, ...over } } })
  const rows: [fault: string, over: Partial<typeof good>][] = [
    ['a record is lost', withTotals({ lost: 1 })],
    ['a record is repeated', withTotals({ repeated: 1 })],
    ['records are out of order', withTotals({ outOfOrder: 1 })],
    ['a record was never written', withTotals({ phantom: 1 })],
    ['a record is damaged', withTotals({ corrupt: 1 })],
    ['a record is of somebody else', withTotals({ foreign: 1 })],
    ['nobody wrote to the new cluster', withTotals({ records: 5 })],
    ['offsets differ', { logs: { ...logs, offsetsIdentical: false } }],
    ['a reader skipped something', { logs: { ...logs, skipped: 1 } }],
    ['a reader read something twice', { logs: { ...logs, reread: 1 } }],
    ['znodes differ', { znodes: { ...good.znodes, equal: false } }],
    ['no file was changed', { cutover: { ...good.cutover, changed: [] } }],
    ['clients did not move', { cutover: { ...good.cutover, clientsMoved: false } }],
    ['a way back that loses was taken', { cutover: { ...good.cutover, wayBackRefused: false } }],
    ['files were not restored', { rollback: { ...good.rollback, restored: false } }],
    ['clients did not come back', { rollback: { ...good.rollback, clientsBack: false } }],
  ]
  for (const [fault, over] of rows) {
    test(`is bad when ${fault}, and shows where`, () => {
      expect(isGood({ ...good, ...over })).toBe(false)
      expect(demoText({ ...good, ...over, ok: false })).toContain('WRONG')
    })
  }
})
