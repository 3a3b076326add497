import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  cpSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import {
  apply,
  type EditKind,
  planEdits,
  readDirectory,
  recover,
  revert,
  type WriteEvent,
  yamlDirectory,
} from '../../src/discovery/index.ts'
import { discoveryText, NEW, OLD, scratch } from './cases.ts'

const before = discoveryText({
  devc: OLD.brokers,
  prod: ['broker-b.example.com:9092'],
  far: ['far.example.com:9092'],
})
const FILES = ['a/generic.yaml', 'a/scribe.yaml', 'spam.yaml']
const tree = () => scratch(Object.fromEntries(FILES.map(path => [path, before])))
const planOf = async (root: string) => await planEdits(await readDirectory(root), { old: OLD, next: NEW })
const textsOf = (root: string) => FILES.map(path => readFileSync(join(root, path), 'utf8'))
const stagesOf = (root: string) =>
  readdirSync(root, { recursive: true }).filter(name => String(name).includes('kmig-stage'))

/** What the files say after an undisturbed run. */
const after = await (async () => {
  using dir = tree()
  using state = scratch()
  await apply(await planOf(dir.root), { journalDir: state.root })
  return textsOf(dir.root)
})()

describe('applying a plan', () => {
  test('writes all files, keeps mode and leaves no stage behind; a second time nothing changes', async () => {
    using dir = tree()
    using state = scratch()
    chmodSync(join(dir.root, 'spam.yaml'), 0o640)
    const plan = await planOf(dir.root)
    const options = { journalDir: join(state.root, 'run') }
    expect(await apply(plan, options)).toEqual({ changed: FILES, already: [] })
    expect(await apply(plan, options)).toEqual({ changed: [], already: FILES })
    expect(statSync(join(dir.root, 'spam.yaml')).mode & 0o777).toBe(0o640)
    expect(statSync(options.journalDir).mode & 0o777).toBe(0o700)
    expect(stagesOf(dir.root)).toEqual([])
    expect(textsOf(dir.root)).toEqual(after)
  })
  test('survives a trip of the plan through JSON', async () => {
    using dir = tree()
    using state = scratch()
    await apply(JSON.parse(JSON.stringify(await planOf(dir.root))), { journalDir: state.root })
    expect(textsOf(dir.root)).toEqual(after)
  })
  test('is refused when somebody edited a file since the plan, and writes none', async () => {
    using dir = tree()
    using state = scratch()
    const plan = await planOf(dir.root)
    writeFileSync(join(dir.root, 'spam.yaml'), `${before}# by hand\n`)
    await expect(apply(plan, { journalDir: state.root })).rejects.toMatchObject({
      code: 'DISCOVERY_CONFLICT',
      exit: 7,
    })
    expect(textsOf(dir.root)).toEqual([before, before, `${before}# by hand\n`])
  })
  test('that meets an edit between two renames puts the renamed files back', async () => {
    using dir = tree()
    using state = scratch()
    const by = `${before}# by hand\n`
    const on = (event: WriteEvent) => {
      if (event.step === 'renamed' && event.path === FILES[0]) writeFileSync(join(dir.root, 'spam.yaml'), by)
    }
    await expect(apply(await planOf(dir.root), { journalDir: state.root, on })).rejects.toMatchObject({
      code: 'DISCOVERY_CONFLICT',
    })
    expect(textsOf(dir.root)).toEqual([before, before, by])
    expect(stagesOf(dir.root)).toEqual([])
    expect(await recover(state.root)).toBe('nothing')
  })
  test('does not follow a directory that became a link after the plan', async () => {
    using dir = tree()
    using other = scratch()
    using state = scratch()
    const plan = await planOf(dir.root)
    cpSync(join(dir.root, 'a'), join(other.root, 'a'), { recursive: true })
    rmSync(join(dir.root, 'a'), { recursive: true })
    symlinkSync(join(other.root, 'a'), join(dir.root, 'a'))
    await expect(apply(plan, { journalDir: state.root })).rejects.toMatchObject({
      code: 'DISCOVERY_CONFLICT',
    })
    expect(readFileSync(join(other.root, 'a/generic.yaml'), 'utf8')).toBe(before)
  })
  test('where a new file can not be made is refused before any file changes', async () => {
    const long = `${'x'.repeat(240)}.yaml`
    using dir = scratch({ 'a.yaml': before, [long]: before })
    using state = scratch()
    const refused = apply(await planOf(dir.root), { journalDir: state.root })
    await expect(refused).rejects.toMatchObject({ code: 'PREFLIGHT', exit: 4 })
    for (const path of ['a.yaml', long]) expect(readFileSync(join(dir.root, path), 'utf8')).toBe(before)
    expect(stagesOf(dir.root)).toEqual([])
  })
  test('that is aborted while staging leaves everything as it was', async () => {
    using dir = tree()
    using state = scratch()
    const stop = new AbortController()
    const on = (event: WriteEvent) => event.step === 'staging' && stop.abort(new Error('stopped'))
    const options = { journalDir: state.root, on, signal: stop.signal }
    await expect(apply(await planOf(dir.root), options)).rejects.toThrow('stopped')
    expect(textsOf(dir.root)).toEqual([before, before, before])
    expect(stagesOf(dir.root)).toEqual([])
  })
})

describe('taking a write back', () => {
  test('restores every byte when nobody else changed the files; twice changes nothing', async () => {
    using dir = tree()
    using state = scratch()
    const store = yamlDirectory(dir.root, { journalDir: state.root })
    await store.commit(await store.plan({ old: OLD, next: NEW }))
    expect(await store.revert()).toEqual({ changed: FILES, already: [] })
    expect(textsOf(dir.root)).toEqual([before, before, before])
    expect(await store.revert()).toEqual({ changed: [], already: FILES })
    await store.commit(await store.plan({ old: OLD, next: NEW }))
    expect(textsOf(dir.root)).toEqual(after)
    await store.revert()
    expect(textsOf(dir.root)).toEqual([before, before, before])
  })
  test('of a run that wrote nothing changes nothing', async () => {
    using state = scratch()
    expect(await revert({ journalDir: join(state.root, 'none') })).toEqual({ changed: [], already: [] })
  })
  const later: [string, (text: string) => string][] = [
    ['a comment above', text => `# by hand\n${text}`],
    [
      'an entry below',
      text =>
        text.replace(
          'local_config',
          '  added: {broker_list: ["x.example.com:1"], zookeeper: "z:1"}\nlocal_config',
        ),
    ],
    [
      'a comment beside each cluster',
      text => text.replaceAll(':\n    broker_list', ': # by hand\n    broker_list'),
    ],
    ['another entry', text => text.replace('far.example.com', 'farther.example.com')],
    ['a comment between rewritten lines', text => text.replace(/(devc:(?:\n.*){2})/, '$1\n    # by hand')],
    ['an entry removed', text => text.replace(/ {2}far:\n(?: {4}.*\n){3}/, '')],
  ]
  for (const [what, edit] of later) {
    test(`keeps what somebody else did since: ${what}`, async () => {
      using dir = tree()
      using state = scratch()
      await apply(await planOf(dir.root), { journalDir: state.root })
      const path = join(dir.root, 'spam.yaml')
      expect(edit(before)).not.toBe(before)
      writeFileSync(path, edit(readFileSync(path, 'utf8')))
      await revert({ journalDir: state.root })
      expect(textsOf(dir.root)).toEqual([before, before, edit(before)])
    })
  }
  const conflicts: [string, (text: string) => string][] = [
    ['a rewritten line', text => text.replace('new-1.example.com', 'newer.example.com')],
    [
      'a comment on a rewritten line',
      text => text.replace('new-1.example.com:9092', 'new-1.example.com:9092 # by hand'),
    ],
    [
      'a broker added to a rewritten list',
      text => text.replace('    zookeeper', '    - new-3.example.com:9092\n    zookeeper'),
    ],
    ['the cluster renamed', text => text.replace('prod:', 'production:')],
    ['nothing left of it', () => 'x: 1\n'],
  ]
  for (const [what, edit] of conflicts) {
    test(`stops at ${what}, writes nothing, and names the stored original`, async () => {
      using dir = tree()
      using state = scratch()
      await apply(await planOf(dir.root), { journalDir: state.root })
      const path = join(dir.root, 'spam.yaml')
      writeFileSync(path, edit(after[2] ?? ''))
      const error = await revert({ journalDir: state.root }).catch(e => e)
      expect(error).toMatchObject({ code: 'DISCOVERY_CONFLICT', exit: 7 })
      const stored = /original is (\S+)/.exec(error.message)?.[1] ?? ''
      expect(readFileSync(stored, 'utf8')).toBe(before)
      expect(textsOf(dir.root)).toEqual([after[0], after[1], edit(after[2] ?? '')])
    })
  }
})

describe('taking an added entry back', () => {
  const kind: EditKind = { kind: 'beside', name: '*-new', flip: true }
  const beside = async (root: string) =>
    await planEdits(await readDirectory(root), { old: OLD, next: NEW, kind })
  const rows: [string, (text: string) => string, 'kept' | 'conflict'][] = [
    [
      'an entry below',
      text => text.replace('local_config', '  x: {broker_list: [], zookeeper: "z:1"}\nlocal_config'),
      'kept',
    ],
    ['the old entry', text => text.replace('- broker-a.example.com', '- broker-c.example.com'), 'kept'],
    ['the new entry', text => text.replace('- new-1.example.com', '- new-9.example.com'), 'conflict'],
    ['the default', text => text.replace('cluster: devc-new', 'cluster: prod-new'), 'conflict'],
  ]
  for (const [what, edit, ends] of rows) {
    test(`after somebody edited ${what}: ${ends}`, async () => {
      using dir = scratch({ 'spam.yaml': before })
      using state = scratch()
      const path = join(dir.root, 'spam.yaml')
      await apply(JSON.parse(JSON.stringify(await beside(dir.root))), { journalDir: state.root })
      const edited = edit(readFileSync(path, 'utf8'))
      expect(edited).not.toBe(readFileSync(path, 'utf8'))
      writeFileSync(path, edited)
      const error = await revert({ journalDir: state.root }).catch(e => e.code)
      expect(error === 'DISCOVERY_CONFLICT' ? 'conflict' : 'kept').toBe(ends)
      expect(readFileSync(path, 'utf8')).toBe(ends === 'kept' ? edit(before) : edited)
    })
  }
})

describe('a crash', () => {
  const run = (what: string, root: string, journal: string, at: number | string) =>
    spawnSync(
      process.execPath,
      [new URL('crash-child.ts', import.meta.url).pathname, what, root, journal, String(at)],
      {
        encoding: 'utf8',
      },
    )
  const EVENTS = 3 + 1 + 3 + 1 + 3 + 1
  test('test kills at every event there is', () => {
    using dir = tree()
    using state = scratch()
    expect(run('apply', dir.root, state.root, 'never').stdout).toBe(String(EVENTS))
    expect(run('revert', dir.root, state.root, 'never').stdout).toBe(String(EVENTS))
  })
  for (let at = 1; at <= EVENTS; at++) {
    test(`at event ${at} of ${EVENTS} leaves old files or new ones, whole, and recovers to all old or all new`, async () => {
      using dir = tree()
      using state = scratch()
      expect(run('apply', dir.root, state.root, at).signal).toBe('SIGKILL')
      for (const [i, text] of textsOf(dir.root).entries()) expect([before, after[i]]).toContain(text)
      const found = await recover(state.root)
      const finished = at >= 8
      expect(found).toBe(at <= 3 || at === EVENTS ? 'nothing' : finished ? 'finished' : 'undone')
      expect(textsOf(dir.root)).toEqual(finished ? after : [before, before, before])
      expect(stagesOf(dir.root)).toEqual([])
      expect(await recover(state.root)).toBe('nothing')
    })
    test(`at event ${at} of ${EVENTS} of a revert is made good by reverting again`, async () => {
      using dir = tree()
      using state = scratch()
      await apply(await planOf(dir.root), { journalDir: state.root })
      expect(run('revert', dir.root, state.root, at).signal).toBe('SIGKILL')
      await revert({ journalDir: state.root })
      expect(textsOf(dir.root)).toEqual([before, before, before])
      expect(stagesOf(dir.root)).toEqual([])
    })
  }
  test('followed by an edit of somebody else stops the recovery', async () => {
    using dir = tree()
    using state = scratch()
    run('apply', dir.root, state.root, 9)
    writeFileSync(join(dir.root, 'spam.yaml'), `${before}# by hand\n`)
    await expect(recover(state.root)).rejects.toMatchObject({ code: 'DISCOVERY_CONFLICT' })
    expect(textsOf(dir.root)[2]).toBe(`${before}# by hand\n`)
  })
})
