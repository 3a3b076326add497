import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { serveControl, tell } from '../../src/cutover/control.ts'
import { decidedOn, decideOn } from '../../src/cutover/decision.ts'
import { findHooks, hookPort, writersLeftIn } from '../../src/cutover/hooks.ts'
import type { HookRun } from '../../src/cutover/ports.ts'
import { KmigError, startOf } from '../../src/kit/index.ts'
import { scratch } from '../discovery/cases.ts'

const made = (files: Record<string, string>, timeoutMs = 10_000) => {
  const { root, [Symbol.dispose]: dispose } = scratch()
  const directory = join(root, 'hooks')
  mkdirSync(directory)
  for (const [name, text] of Object.entries(files))
    writeFileSync(join(directory, name), `#!/bin/sh\n${text}\n`, { mode: 0o755 })
  const runs: HookRun[] = []
  const hooks = hookPort({
    ...{ directory, timeoutMs },
    env: { PATH: process.env['PATH'] },
    vars: { KMIG_RUN: 'r1' },
    ran: async run => void runs.push(run),
    signal: new AbortController().signal,
  })
  return { root, directory, hooks, runs, [Symbol.dispose]: dispose }
}
const about = { state: 'fencing', side: 'old' as const }

test('a hook gets the run in its environment, and its count of writers is heard', async () => {
  using m = made({
    fence:
      'echo "$KMIG_HOOK $KMIG_RUN $KMIG_SIDE $KMIG_STATE $KMIG_ATTEMPT" > "$(dirname "$0")/said"\necho writers-left=0',
  })
  expect(await m.hooks.run('fence', about)).toMatchObject({ rc: 0, writersLeft: 0, attempt: 1 })
  expect(readFileSync(join(m.directory, 'said'), 'utf8')).toBe('fence r1 old fencing 1\n')
  expect(await m.hooks.run('unfence', about)).toBe(undefined)
})
for (const [text, message] of [
  ['echo broken >&2; exit 3', /hook fence ended with 3 after .*: broken/],
  ['kill -9 $$', /hook fence was killed by SIGKILL/],
] as const) {
  test(`a hook that does '${text}' fails with what it said, and is journaled`, async () => {
    using m = made({ fence: text })
    await expect(m.hooks.run('fence', about)).rejects.toMatchObject({
      code: 'HOOK_FAILED',
      exit: 9,
      message: expect.stringMatching(message),
    })
    expect(m.runs).toMatchObject([{ name: 'fence', rc: expect.any(Number) }])
  })
}
test('a hook that does not end in time is killed with all that it started', async () => {
  using m = made({ fence: 'sleep 60 & echo $! > "$(dirname "$0")/child"; wait' }, 500)
  await expect(m.hooks.run('fence', about)).rejects.toMatchObject({
    code: 'HOOK_FAILED',
    message: expect.stringContaining('did not end within 500 ms'),
  })
  const child = Number(readFileSync(join(m.directory, 'child'), 'utf8'))
  await expect.poll(() => startOf(child)).toBe(undefined)
})
test('a hook whose own child keeps its output open does not hold the fence', async () => {
  using m = made({ fence: 'sleep 5 &\necho writers-left=0' })
  const start = performance.now()
  expect(await m.hooks.run('fence', about)).toMatchObject({ writersLeft: 0 })
  expect(performance.now() - start).toBeLessThan(4_000)
})
test('a hook that is not executable, or a directory that is none, is refused before anything', () => {
  using m = made({ fence: 'true' })
  expect(findHooks(m.directory)).toMatchObject([
    { name: 'fence', sha256: expect.stringMatching(/^[0-9a-f]{64}$/) },
  ])
  chmodSync(join(m.directory, 'fence'), 0o644)
  expect(() => findHooks(m.directory)).toThrow('is not executable')
  expect(() => findHooks(join(m.root, 'none'))).toThrow('is no directory')
})
test('a hook that nobody waits for any more is killed before the next one begins', async () => {
  using m = made({ fence: 'sleep 20; echo fence >> "$(dirname "$0")/said"', unfence: 'true' })
  const start = performance.now()
  const fence = m.hooks.run('fence', about)
  const failed = expect(fence).rejects.toMatchObject({
    code: 'HOOK_FAILED',
    message: expect.stringContaining('was killed, as unfence had to begin'),
  })
  expect(await m.hooks.run('unfence', about)).toMatchObject({ rc: 0 })
  await failed
  expect(performance.now() - start).toBeLessThan(15_000)
  expect(m.runs.map(({ name, rc }) => [name, rc])).toEqual([
    ['fence', 124],
    ['unfence', 0],
  ])
})
for (const [stdout, left] of [
  ['writers-left=0\n', 0],
  ['a\nwriters-left=3\nwriters-left=1  \nb', 1],
  ['xwriters-left=0', undefined],
  ['writers-left=-1', undefined],
  ['', undefined],
] as const) {
  test(`${JSON.stringify(stdout)} means ${left ?? 'nothing known of'} writers`, () => {
    expect(writersLeftIn(stdout)).toBe(left)
  })
}

test('what becomes of a fence is decided once, whoever asks', () => {
  using m = made({})
  const fence = { sinceMs: 17 }
  expect(decidedOn(m.root, fence)).toBe(undefined)
  expect(decideOn(m.root, fence, 'release')).toBe(true)
  expect(decideOn(m.root, fence, 'switch')).toBe(false)
  expect(decideOn(m.root, fence, 'release')).toBe(true)
  expect(decideOn(m.root, { sinceMs: 18 }, 'switch')).toBe(true)
})

test('a runner answers by its socket, in however long a directory; without one there is no answer', async () => {
  using m = made({})
  const directory = join(m.root, 'x'.repeat(120))
  mkdirSync(directory)
  const live = { pid: 1, gate: undefined, lag: undefined, readers: [] }
  const status = () => Promise.resolve(live)
  {
    await using _ = await serveControl(directory, {
      ...{ status, go: status, pause: status, yield: status },
      abort: async () => {
        throw new KmigError('WRONG_STATE', 'too late')
      },
    })
    expect(await tell(directory, 'go')).toEqual({ pid: 1, readers: [] })
    await expect(tell(directory, 'abort')).rejects.toMatchObject({ code: 'WRONG_STATE', message: 'too late' })
  }
  expect(await tell(directory, 'go')).toBe(undefined)
  writeFileSync(join(directory, 'control'), join(directory, 'gone.sock'))
  expect(await tell(directory, 'go')).toBe(undefined)
})
