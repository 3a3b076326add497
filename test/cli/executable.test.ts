import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { type Options, spawned } from './spawned.ts'

const root = new URL('../..', import.meta.url).pathname
const kmig = (args: string[], options?: Options) => spawned(`${root}bin/kmig.js`, args, options)
const { version } = JSON.parse(readFileSync(`${root}package.json`, 'utf8'))

/** A Node that is too old to run kmig itself, if this machine has one outside of the project. */
const oldNode = (): string | undefined => {
  for (const directory of (process.env['PATH'] ?? '').split(':')) {
    if (directory.includes('node_modules')) continue
    try {
      const text = execFileSync(`${directory}/node`, ['-p', 'process.versions.node'], { encoding: 'utf8' })
      return Number(text.split('.')[0]) < 22 ? `${directory}/node` : undefined
    } catch {}
  }
  return undefined
}
const old = oldNode()

describe('the executable', () => {
  test('shows its help', async () => {
    const { code, stdout, stderr } = await kmig(['--help'])
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toContain('USAGE')
  })
  test('knows its version', async () => {
    expect((await kmig(['--version'])).stdout).toMatch(new RegExp(`^kmig/${version} `))
  })
  test('ends quietly when the reader of its help goes away', async () => {
    const { code, stderr } = await kmig(['--help'], { closeStdout: true })
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  })
  for (const flag of ['--json', '--json-stream'])
    test(`a full disk under ${flag} is said by name, exit 6 (it was a stack trace); under stderr it ends nothing`, async () => {
      const to = (redirect: string) =>
        spawned(
          '-c',
          [`${process.execPath} ${root}bin/kmig.js discovery lint ${root}fixtures ${flag} ${redirect}`],
          {
            node: '/bin/sh',
          },
        )
      const plain = await to('')
      const { code, stderr } = await to('>/dev/full')
      expect({ code, stderr }).toEqual({
        code: 6,
        stderr: expect.stringMatching(/^PARTIAL: [^\n]*ENOSPC[^\n]*\n$/),
      })
      expect(await to('2>/dev/full')).toMatchObject({ code: plain.code, stdout: plain.stdout })
    })
  test('says in words and in JSON that a command does not exist, exit 2', async () => {
    const [people, machine] = [await kmig(['nonsense']), await kmig(['nonsense', '--json'])]
    expect(people).toMatchObject({ code: 2, stdout: '' })
    expect(people.stderr).toBe('USAGE: command nonsense not found\n  try: kmig --help\n')
    expect(machine.code).toBe(2)
    expect(JSON.parse(machine.stdout)).toEqual({
      schemaVersion: 1,
      command: 'nonsense',
      ok: false,
      error: { code: 'USAGE', message: 'command nonsense not found', try: ['kmig --help'], exit: 2 },
    })
  })
})

const title = `under a Node that is too old${old ? '' : ' (skipped: none on this machine)'}`
describe.skipIf(old === undefined)(title, () => {
  const node = old ?? ''
  test('the project’s own Node takes over', async () => {
    const { code, stdout } = await kmig(['--version'], { node })
    expect(code).toBe(0)
    expect(Number(/node-v(\d+)/.exec(stdout)?.[1])).toBeGreaterThanOrEqual(24)
  })
  test('the exit code is handed on', async () => {
    expect((await kmig(['nonsense'], { node })).code).toBe(2)
  })
})
