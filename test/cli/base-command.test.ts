import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { temporary } from '../temporary.ts'
import { type Options, spawned } from './spawned.ts'

const probe = (args: string[], options?: Options) =>
  spawned(new URL('probe.ts', import.meta.url).pathname, args, options)
const jsonOf = (stdout: string) => {
  const lines = stdout.trimEnd().split('\n')
  expect(lines).toHaveLength(1)
  return JSON.parse(lines[0] ?? '')
}
const big = String(2n ** 62n)

describe('what goes where', () => {
  test('a person gets lines and the report on stderr, data on stdout', async () => {
    const { code, stdout, stderr } = await probe([])
    expect({ code, stdout, stderr }).toEqual({
      code: 0,
      stdout: `data ${big}\n`,
      stderr: `said 1\n${big} records\n`,
    })
  })
  test('--json prints one object with the envelope, 64-bit numbers as strings', async () => {
    const { stdout, stderr } = await probe(['--json'])
    expect(jsonOf(stdout)).toEqual({ schemaVersion: 1, command: 'probe deep', ok: true, records: big })
    expect(stderr).toBe('said 1\n')
  })
  test('--json-stream prints an event a line and the report last', async () => {
    const { stdout } = await probe(['--json-stream', '--yields', '--quiet'])
    expect(
      stdout
        .trimEnd()
        .split('\n')
        .map(line => JSON.parse(line)),
    ).toEqual([
      { kind: 'copied', records: '1' },
      { kind: 'copied', records: '2' },
      { schemaVersion: 1, command: 'probe deep', ok: true, records: big },
    ])
  })
  test('--quiet leaves the result alone', async () => {
    expect((await probe(['--quiet'])).stderr).toBe(`${big} records\n`)
  })
  test('--progress json prints lines that parse', async () => {
    const { stderr } = await probe(['--progress', 'json', '--json'])
    expect(
      stderr
        .trimEnd()
        .split('\n')
        .map(line => JSON.parse(line)),
    ).toEqual([{ say: 'said 1' }, { text: 'moved 1', part: 0.5 }])
  })
  test('a reader that goes away is no error', async () => {
    const { code, stderr } = await probe(['--quiet'], { closeStdout: true })
    expect({ code, stderr }).toEqual({ code: 0, stderr: `${big} records\n` })
  })
})

describe('errors', () => {
  const rows: [title: string, args: string[], exit: number, code: string, message: RegExp][] = [
    ['of a room keep their code', ['--fail', 'held by 7'], 8, 'LOCKED', /^held by 7$/],
    ['that nobody expected are BUG', ['--throw'], 1, 'BUG', /not a thing/],
    ['in flags are USAGE', ['--bogus'], 2, 'USAGE', /--bogus/],
    ['in a duration say how to write one', ['--wait', '5x'], 2, 'USAGE', /--wait: '5x' is not a duration/],
    ['in a count name its bounds', ['--count', '12'], 2, 'USAGE', /whole number from 1 to 9/],
    ['of a report that breaks its schema are BUG', ['--wrong', '--json'], 1, 'BUG', /breaks its schema/],
    ['of a question without a terminal name the flag', ['--ask'], 4, 'NEEDS_CONSENT', /Write\?/],
  ]
  for (const [title, args, exit, code, message] of rows) {
    test(`${title}: exit ${exit}, ${code}, for people and for machines`, async () => {
      const [people, machine] = await Promise.all([probe(args), probe([...args, '--json'])])
      if (!args.includes('--json')) {
        expect(people.code).toBe(exit)
        expect(people.stdout).toBe('')
        expect(people.stderr).toContain(`${code}: `)
        expect(people.stderr).toContain('  try: ')
      }
      expect(machine.code).toBe(exit)
      const { error, ...rest } = jsonOf(machine.stdout)
      expect(rest).toEqual({ schemaVersion: 1, command: 'probe deep', ok: false })
      expect(error).toEqual({ code, message: expect.stringMatching(message), try: expect.any(Array), exit })
    })
  }
  test('the cause beneath is told, its stack only when debugging', async () => {
    const [short, long] = await Promise.all([
      probe(['--fail', 'x']),
      probe(['--fail', 'x'], { env: { KMIG_DEBUG: '1' } }),
    ])
    expect(short.stderr).toBe('LOCKED: x\n  try: wait\n  cause: the cause beneath\n')
    expect(long.stderr).toContain('probe.ts:')
  })
  test('a difference that was found is a report with ok false, exit 3', async () => {
    const { code, stdout } = await probe(['--difference', '--json'])
    expect(code).toBe(3)
    expect(jsonOf(stdout)).toMatchObject({ ok: false, records: big })
  })
})

describe('signals', () => {
  const rows = [
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ] as const
  for (const [send, exit] of rows) {
    test(`${send} ends the work, exit ${exit}`, async () => {
      const { code, stderr, ms } = await probe(['--wait', '60s'], { signals: { at: 'working', send } })
      expect(code).toBe(exit)
      expect(stderr).toContain(`INTERRUPTED: stopped by ${send}`)
      expect(ms).toBeLessThan(10_000)
    })
  }
  test('work that ends cleanly on a signal still reports, with exit 143', async () => {
    const { code, stdout } = await probe(['--wait', '60s', '--ends', '--json'], {
      signals: { at: 'working', send: 'SIGTERM' },
    })
    expect(code).toBe(143)
    expect(jsonOf(stdout)).toMatchObject({ ok: false, stoppedBy: 'SIGTERM', records: big })
  })
  test('a second SIGINT ends work at once that does not listen', async () => {
    const { code, ms } = await probe(['--wait', '60s', '--stubborn'], {
      signals: { at: 'working', send: 'SIGINT', thenAfterMs: 600 },
    })
    expect(code).toBe(130)
    expect(ms).toBeLessThan(10_000)
  })
  test('one press that comes twice is one', async () => {
    const { code, stderr } = await probe(['--wait', '1s', '--stubborn'], {
      signals: { at: 'working', send: 'SIGINT', thenAfterMs: 20 },
    })
    expect(code).toBe(130)
    expect(stderr).toContain(`${big} records`)
  })
})

test('the clusters come from --config, KMIG_CONFIG or the working directory', async () => {
  const cwd = temporary()
  const config = join(cwd, 'kmig.yaml')
  writeFileSync(config, 'clusters: { old: { bootstrap: "127.205.0.1:9092" } }\n')
  const runs = await Promise.all([
    probe(['--resolve', '--config', config]),
    probe(['--resolve'], { env: { KMIG_CONFIG: config } }),
    probe(['--resolve', '--from', 'odl', '--config', config, '--json']),
  ])
  expect(runs.map(run => run.code)).toEqual([0, 0, 2])
  expect(jsonOf(runs[2]?.stdout ?? '').error).toMatchObject({
    code: 'UNKNOWN_CLUSTER',
    message: `there is no cluster 'odl' in ${config}; it has old`,
  })
})

test('a --config that does not exist is a usage error, also where clusters are given by address', async () => {
  const config = join(temporary(), 'kmgi.yaml')
  const { code, stdout } = await probe([
    '--resolve',
    '--from',
    '127.205.0.1:9092',
    '--config',
    config,
    '--json',
  ])
  expect(code).toBe(2)
  expect(jsonOf(stdout).error).toMatchObject({
    code: 'USAGE',
    message: `--config ${config}: there is no such file`,
  })
})
