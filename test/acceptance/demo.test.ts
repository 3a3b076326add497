import { readdirSync } from 'node:fs'
import { expect, test } from 'vitest'
import { type Options, spawned } from '../cli/spawned.ts'
import { servers } from '../sandbox-helper.ts'
import { temporary } from '../temporary.ts'

const bin = new URL('../../bin/kmig.js', import.meta.url).pathname
const demo = async (args: string[], options: Options = {}) => {
  const directory = temporary()
  const ended = await spawned(bin, ['demo', ...args], {
    ...options,
    env: { ...options.env, TMPDIR: directory },
  })
  return { ...ended, left: readdirSync(directory) }
}

test('kmig demo without Java says what to install, exit 4, and leaves nothing behind', async () => {
  const { code, stderr, left } = await demo([], { env: { JAVA_HOME: '/nowhere' } })
  expect(stderr).toContain('NO_PROVIDER: the sandbox needs Java 17')
  expect({ code, left }).toEqual({ code: 4, left: [] })
})

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
        wayBackRefused: true,
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
      signals: { at: 'writers and readers are running', send: 'SIGTERM' },
    })
    expect({ code, left }).toEqual({ code: 143, left: [] })
  }, 120_000)
})
