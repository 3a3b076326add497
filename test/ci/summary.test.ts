import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { temporary } from '../temporary.ts'

const script = new URL('../../.ci/summary.js', import.meta.url).pathname
const testOf = (status: string) => ({ status, fullName: ` a test that ${status}` })
const suite = (status: string, ...tests: string[]) => ({
  name: 'x.test.ts',
  status,
  message: 'boom',
  assertionResults: tests.map(testOf),
})
const summary = (report: unknown, status: number) => {
  const path = join(temporary(), 'report.json')
  writeFileSync(path, report === undefined ? '' : JSON.stringify(report))
  const { status: exit, stdout } = spawnSync(process.execPath, [script, path, String(status)], {
    encoding: 'utf8',
  })
  return { exit, stdout, last: stdout.trimEnd().split('\n').at(-1) }
}

describe('the last line of CI', () => {
  const rows: [title: string, report: unknown, status: number, last: string][] = [
    ['counts what passed', { testResults: [suite('passed', 'passed', 'passed')] }, 0, '2 passed, 0 failed'],
    ['counts what failed', { testResults: [suite('failed', 'passed', 'failed')] }, 1, '1 passed, 1 failed'],
    ['counts a suite that did not load', { testResults: [suite('failed')] }, 1, '0 passed, 1 failed'],
    ['counts a hook that failed', { testResults: [suite('failed', 'passed')] }, 1, '1 passed, 1 failed'],
    ['counts a run without any test', { testResults: [] }, 0, '0 passed, 1 failed'],
    ['counts a missing report', undefined, 2, '0 passed, 1 failed'],
    [
      'counts an error outside of tests',
      { testResults: [suite('passed', 'passed')] },
      1,
      '1 passed, 1 failed',
    ],
  ]
  for (const [title, report, status, last] of rows) {
    test(title, () => {
      const told = summary(report, status)
      expect(told.last).toBe(last)
      expect(told.exit).toBe(last.endsWith(' 0 failed') ? 0 : 1)
    })
  }
  test('comes after each skip, by title', () => {
    const { stdout } = summary({ testResults: [suite('passed', 'passed', 'skipped')] }, 0)
    expect(stdout).toBe('skipped: a test that skipped\n1 passed, 0 failed\n')
  })
})
