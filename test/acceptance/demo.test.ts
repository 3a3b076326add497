import { existsSync, mkdtempSync, readdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { spawned } from '../cli/spawned.ts'
import { servers } from '../sandbox-helper.ts'

const bin = new URL('../../bin/kmig.js', import.meta.url).pathname
const demo = async (args: string[], options: { signal?: { at: string; send: NodeJS.Signals } } = {}) => {
  const directory = mkdtempSync(join(tmpdir(), 'kmig-demo-test-'))
  const env = { TMPDIR: directory }
  const { signal } = options
  const ended = await spawned(bin, ['demo', ...args], { env, ...(signal ? { signals: signal } : {}) })
  return { ...ended, left: existsSync(directory) ? readdirSync(directory) : [] }
}

servers('kmig demo', () => {
  test('ends in a verdict that nothing was lost, repeated or reordered, and that the way back works', async () => {
    const { code, stdout, stderr, left } = await demo(['--json'])
    expect(stderr).toContain('rollback: every byte of them is as it was')
    const report = JSON.parse(stdout)
    expect(report).toMatchObject({
      command: 'demo',
      ok: true,
      znodes: { equal: true, ephemerals: 1 },
      rollback: { restored: true, clientsBack: true },
      cutover: {
        clientsMoved: true,
        changed: ['kafka_discovery/standard.yaml', 'kafka_discovery/scribe.yaml'],
      },
      logs: {
        totals: { lost: 0, repeated: 0, outOfOrder: 0, phantom: 0, corrupt: 0, foreign: 0 },
        offsetsIdentical: true,
        skipped: 0,
        reread: 0,
        faults: [],
      },
    })
    expect(report.logs.totals.records).toBeGreaterThan(report.logs.oldRecords)
    expect(report.ms).toBeLessThan(180_000)
    expect({ code, left }).toEqual({ code: 0, left: [] })
  }, 240_000)

  test('ended by SIGTERM leaves nothing behind, exit 143', async () => {
    const { code, left } = await demo([], {
      signal: { at: 'writers and readers are running', send: 'SIGTERM' },
    })
    expect({ code, left }).toEqual({ code: 143, left: [] })
  }, 120_000)
})
