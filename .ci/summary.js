// Turns vitest's JSON report into the last line of CI, and the exit code. Runs on any Node.
//   node summary.js REPORT STATUS    STATUS: exit code of the test command
import { readFileSync } from 'node:fs'
import { argv, exit, stdout } from 'node:process'

const say = line => stdout.write(`${line}\n`)
const status = Number(argv[3])
let report
try {
  report = JSON.parse(readFileSync(argv[2], 'utf8'))
} catch {}

const suites = report?.testResults ?? []
const tests = suites.flatMap(suite => suite.assertionResults)
const passed = tests.filter(test => test.status === 'passed').length
const failures = tests.filter(test => test.status === 'failed').map(test => test.fullName.trim())
for (const suite of suites) {
  const told = suite.assertionResults.some(test => test.status === 'failed')
  if (suite.status === 'failed' && !told)
    failures.push(`${suite.name} did not load or finish: ${suite.message}`)
}
if (!report) failures.push(`no test report: install, lint, type check or build failed (exit ${status})`)
else if (tests.length === 0 && failures.length === 0) failures.push('no test ran')
else if (status !== 0 && failures.length === 0) failures.push(`the test command ended with exit ${status}`)

for (const test of tests) {
  if (test.status !== 'passed' && test.status !== 'failed') say(`skipped: ${test.fullName.trim()}`)
}
for (const failure of failures) say(`failed: ${failure}`)
say(`${passed} passed, ${failures.length} failed`)
exit(failures.length > 0 ? 1 : 0)
