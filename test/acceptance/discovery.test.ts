import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { keptKmig } from '../cli/kept.ts'
import { spawned } from '../cli/spawned.ts'
import { discoveryText, NEW, OLD, OLD_ZK, scratch } from '../discovery/cases.ts'

const root = new URL('../..', import.meta.url).pathname
const kept = keptKmig()
afterAll(() => kept[Symbol.dispose]())
const before = discoveryText({ devc: OLD.brokers, far: ['far.example.com:9092'] })
const FILES = ['a/generic.yaml', 'spam.yaml']
const tree = (more: Record<string, string> = {}) =>
  scratch({ ...Object.fromEntries(FILES.map(path => [path, before])), ...more })
const read = (dir: string, path: string) => readFileSync(join(dir, path), 'utf8')
const texts = (dir: string) => FILES.map(path => read(dir, path))

/** A directory of files and one of state, and the commands on them. */
const place = (files: ReturnType<typeof scratch>) => {
  const state = scratch()
  const words = (args: string[]) => ['discovery', ...args, '--state-dir', state.root]
  const run = (args: string[], env: Record<string, string> = {}) =>
    kept.run(words(args), { env, cwd: state.root })
  const at = ['--discovery', files.root]
  const sides = ['--from', OLD.brokers.join(','), '--to', NEW.brokers.join(','), '--offline']
  return {
    root: files.root,
    run,
    lint: (...args: string[]) => run(['lint', ...at, ...args]),
    set: (...args: string[]) => run(['set', ...at, ...sides, '--zookeeper', NEW.zookeeper ?? '', ...args]),
    killed: (n: number) =>
      spawned(
        `${root}bin/kmig.js`,
        words(['set', ...at, ...sides, '--zookeeper', NEW.zookeeper ?? '', '--execute', '--json-stream']),
        {
          env: { KILL_AT: String(n), NODE_OPTIONS: `--import ${root}test/discovery/kill-at.ts` },
          cwd: state.root,
        },
      ),
    [Symbol.dispose]: () => {
      files[Symbol.dispose]()
      state[Symbol.dispose]()
    },
  }
}

const after = await (async () => {
  using at = place(tree())
  await at.set('--execute')
  return texts(at.root)
})()

describe('kmig discovery lint', () => {
  test('names what is wrong by file:line:column, exit 3; a clean directory is 0, a warning 3 with --check', async () => {
    using clean = place(tree())
    expect(await clean.lint('--check')).toMatchObject({ code: 0 })
    using at = place(tree({ 'odd name.yaml': before }))
    expect(await at.lint()).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^odd name\.yaml:1:1 +warning +type-name/),
    })
    expect(await at.lint('--check')).toMatchObject({ code: 3 })
    using broken = place(
      tree({ 'b.yaml': before.replace('broker-a.example.com:9092', 'broker-a.example.com:99999') }),
    )
    const { code, stdout } = await broken.lint('--json')
    expect(code).toBe(3)
    expect(JSON.parse(stdout)).toMatchObject({
      ok: false,
      errors: 1,
      findings: [{ severity: 'error', rule: 'port', path: 'b.yaml', line: 5 }],
    })
  })
  test('--fix-tabs writes spaces where that is clear, leaves the rest, and --revert takes it back', async () => {
    const tabbed = before
      .replaceAll('    ', '\t\t')
      .replaceAll(/^ {2}/gm, '\t')
      .replace('zookeeper: ', 'zookeeper:\t')
    const doubtful = 'clusters:\n  a:\n\tbroker_list: [h:1]\n'
    using at = place(scratch({ 'clear.yaml': tabbed, 'doubtful.yaml': doubtful }))
    const { code, stdout, stderr } = await at.lint('--fix-tabs')
    expect({ code, stderr }).toMatchObject({
      code: 3,
      stderr: expect.stringContaining('tabs left in doubtful.yaml'),
    })
    expect(stdout).toContain('+++ b/clear.yaml')
    expect(read(at.root, 'clear.yaml')).toBe(before)
    expect(read(at.root, 'doubtful.yaml')).toBe(doubtful)
    expect(await at.set('--revert')).toMatchObject({ code: 0 })
    expect(read(at.root, 'clear.yaml')).toBe(tabbed)
  })
})

test('kmig discovery show tells where readers look, and who wins by name, in the list and without a type', async () => {
  using home = scratch({ '.kafka_discovery/generic.yaml': before })
  using own = scratch({ 'generic.yaml': before, 'spam.yaml': before, 'notes.txt': 'broker-a.example.com' })
  using at = place(scratch())
  const env = { HOME: home.root, KAFKA_DISCOVERY_DIR: own.root }
  const { stdout, code } = await at.run(['show', '--json', '--from', OLD.brokers.join(','), '--offline'], env)
  expect(code).toBe(0)
  const [first, last] = [join(own.root, 'generic.yaml'), join(home.root, '.kafka_discovery/generic.yaml')]
  const shown = JSON.parse(stdout)
  expect(shown.lookup.types[0]).toEqual({ type: 'generic', hits: [first, last], byName: last, inList: first })
  expect(shown.lookup.withoutType).toBe(last)
  expect(shown.lookup.directories).toMatchObject([
    { found: true, types: ['generic', 'spam'] },
    { found: true },
    { path: '/etc/kafka_discovery' },
  ])
  expect(shown.entries.filter((e: { names: string }) => e.names === 'old')).toHaveLength(3)
  expect(shown.mentions).toMatchObject([
    { path: join(own.root, 'notes.txt'), line: 1, host: 'broker-a.example.com' },
  ])
})

describe('kmig discovery set', () => {
  test('prints a diff and writes nothing; --execute writes; again changes nothing; --check follows', async () => {
    using at = place(tree())
    const plan = await at.set()
    expect(plan).toMatchObject({ code: 0, stdout: expect.stringContaining('+    - new-1.example.com:9092') })
    expect(texts(at.root)).toEqual([before, before])
    expect(await at.set('--check')).toMatchObject({ code: 3 })
    const { edits } = JSON.parse((await at.set('--json')).stdout)
    expect(edits).toHaveLength(4)
    const [{ range, ...edit }] = edits
    expect(edit).toMatchObject({
      file: 'a/generic.yaml',
      path: 'clusters.devc.broker_list',
      after: NEW.brokers,
    })
    expect(before.slice(...(range as [number, number]))).toMatch(/^broker-a\S+\n +- broker-b\S+$/)
    expect(await at.set('--execute')).toMatchObject({ code: 0 })
    expect(texts(at.root)).toEqual(after)
    expect(after).not.toEqual([before, before])
    const again = JSON.parse((await at.set('--execute', '--json')).stdout)
    expect(again).toMatchObject({ ok: true, edits: [], executed: { written: { changed: [] } } })
    expect(await at.set('--check')).toMatchObject({ code: 0 })
    expect(await at.set('--revert')).toMatchObject({ code: 0 })
    expect(texts(at.root)).toEqual([before, before])
  })
  test('a file that names the old cluster elsewhere blocks it with exit 4, unless accepted', async () => {
    using at = place(tree({ 'notes.txt': 'ask broker-a.example.com\n' }))
    expect(await at.set('--execute')).toMatchObject({
      code: 4,
      stderr: expect.stringContaining('notes.txt:1:5'),
    })
    expect(texts(at.root)).toEqual([before, before])
    expect(await at.set('--execute', '--accept-mention', 'notes.txt')).toMatchObject({ code: 0 })
  })
  test('--beside adds an entry that readers can be sent to, --flip makes it the default, --remove-old takes the old one out; each with its own --check and way back', async () => {
    using at = place(tree())
    expect(await at.set('--flip')).toMatchObject({
      code: 4,
      stderr: expect.stringContaining('a/generic.yaml:13:12: error no-new-entry'),
    })
    expect(await at.set('--remove-old')).toMatchObject({ code: 4 })
    expect(await at.set('--beside', '*-new', '--check')).toMatchObject({ code: 3 })
    expect(await at.set('--beside', '*-new', '--execute')).toMatchObject({ code: 0 })
    const both = discoveryText({ devc: OLD.brokers, 'devc-new': NEW.brokers }).split('\nlocal')[0] ?? ''
    const added = both.replace(/(devc-new[\s\S]*zookeeper: ).*/, `$1${NEW.zookeeper}`)
    const far = before.slice(before.indexOf('  far:'))
    expect(texts(at.root)).toEqual([`${added}\n${far}`, `${added}\n${far}`])
    expect(await at.set('--beside', '*-new', '--check')).toMatchObject({ code: 0 })
    expect(await at.set('--remove-old')).toMatchObject({
      code: 4,
      stderr: expect.stringContaining('devc is still the default: --flip'),
    })
    expect(await at.set('--flip', '--execute')).toMatchObject({ code: 0 })
    const flipped = far.replace('cluster: devc', 'cluster: devc-new')
    expect(texts(at.root)[0]).toBe(`${added}\n${flipped}`)
    expect(await at.set('--remove-old', '--execute')).toMatchObject({ code: 0 })
    const alone = `${added.replace(/ {2}devc:[\s\S]*(?= {2}devc-new)/, '')}\n${flipped}`
    expect(texts(at.root)).toEqual([alone, alone])
    expect(await at.set('--remove-old', '--check')).toMatchObject({ code: 0 })
    expect(await at.set('--revert')).toMatchObject({ code: 0 })
    expect(texts(at.root)[1]).toBe(`${added}\n${flipped}`)
  })
  test('--only changes one value; edits that do not go together, names that are none and unknown zookeepers are usage errors', async () => {
    using at = place(tree())
    expect(await at.set('--only', 'zookeeper', '--execute')).toMatchObject({ code: 0 })
    expect(texts(at.root)[0]).toBe(before.replace(OLD_ZK, NEW.zookeeper ?? ''))
    expect(await at.set('--only', 'broker_list', '--execute')).toMatchObject({ code: 0 })
    expect(texts(at.root)).toEqual(after)
    const rows = [
      ['--flip', '--remove-old'],
      ['--beside', 'x', '--remove-old'],
      ['--beside', 'x', '--only', 'zookeeper'],
      ['--beside', 'a b'],
      ['--beside', ''],
      ['--only', 'local_config'],
      ['--revert', '--flip'],
    ]
    const ended = await Promise.all(rows.map(args => at.set(...args)))
    expect(ended.map(({ code }) => code)).toEqual(rows.map(() => 2))
    const bare = ['set', '--discovery', at.root, '--from', OLD.brokers.join(), '--to', NEW.brokers.join()]
    expect(await at.run([...bare, '--offline', '--only', 'zookeeper'])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('--zookeeper'),
    })
    expect(texts(at.root)).toEqual(after)
  })
  test('--check says 3 of a file that is not safe to edit, and --execute 4', async () => {
    using at = place(tree({ 'b.yaml': before.replace('- broker-a', '-\tbroker-a') }))
    expect(await at.set('--check')).toMatchObject({ code: 3, stderr: expect.stringContaining('b.yaml:5:6') })
    expect(await at.set('--execute')).toMatchObject({ code: 4 })
  })
  test('--revert keeps what others wrote since, and stops where they changed the same lines', async () => {
    using at = place(tree())
    await at.set('--execute')
    writeFileSync(join(at.root, 'spam.yaml'), `${after[1]}# by hand\n`)
    expect(await at.set('--revert')).toMatchObject({ code: 0 })
    expect(texts(at.root)).toEqual([before, `${before}# by hand\n`])
    await at.set('--execute')
    const other = read(at.root, 'spam.yaml').replace('new-1', 'new-9')
    writeFileSync(join(at.root, 'spam.yaml'), other)
    expect(await at.set('--revert')).toMatchObject({
      code: 7,
      stderr: expect.stringContaining('its original is'),
    })
    expect(read(at.root, 'spam.yaml')).toBe(other)
  })
  test('a link inside the directory is followed when asked, one that leads out never', async () => {
    using at = place(scratch({ 'data/real.conf': before }))
    symlinkSync('data/real.conf', join(at.root, 'generic.yaml'))
    expect(await at.set('--execute')).toMatchObject({ code: 4 })
    expect(await at.set('--execute', '--follow-symlinks')).toMatchObject({ code: 0 })
    expect(read(at.root, 'data/real.conf')).toBe(after[0])
    using outside = scratch({ 'x.yaml': before })
    symlinkSync(join(outside.root, 'x.yaml'), join(at.root, 'out.yaml'))
    expect(await at.set('--execute', '--follow-symlinks')).toMatchObject({
      code: 4,
      stderr: expect.stringContaining('leads out of'),
    })
  })
})

const EVENTS = 9 // 2 stored, begun, 2 staging, staged-all, 2 renamed, done
describe('kmig discovery set that is killed', () => {
  test('is killed at every event there is', async () => {
    using at = place(tree())
    const { code, stdout } = await at.killed(EVENTS + 1)
    expect(code).toBe(0)
    expect(stdout.match(/^\{"step"/gm)).toHaveLength(EVENTS)
  })
  for (let n = 1; n <= EVENTS; n++) {
    test(`at event ${n} of ${EVENTS} ends as if it had not been when it is started again`, async () => {
      using at = place(tree())
      expect(await at.killed(n)).toMatchObject({ code: -1 })
      for (const text of texts(at.root)) expect([before, ...after]).toContain(text)
      expect(await at.set('--execute')).toMatchObject({ code: 0 })
      expect(texts(at.root)).toEqual(after)
    })
  }
})

describe('--git', () => {
  const repository = (more: Record<string, string> = {}) => {
    const files = tree({ 'other.txt': 'x\n', ...more })
    const git = (...args: string[]) =>
      execFileSync(
        'git',
        ['-C', files.root, '-c', 'user.name=t', '-c', 'user.email=t@example.com', ...args],
        {
          encoding: 'utf8',
          stdio: ['ignore', 'pipe', 'ignore'],
        },
      )
    git('init', '-q', '-b', 'main')
    git('config', 'user.name', 't')
    git('config', 'user.email', 't@example.com')
    git('add', '.')
    git('commit', '-q', '-m', 'first')
    return { ...place(files), git }
  }
  test('commits the written files alone, with its trailers, and leaves what else is staged', async () => {
    using at = repository()
    writeFileSync(join(at.root, 'other.txt'), 'staged\n')
    at.git('add', 'other.txt')
    expect(await at.set('--execute', '--git')).toMatchObject({ code: 0 })
    expect(at.git('show', '--format=', '--name-only', 'HEAD').trim().split('\n')).toEqual(FILES)
    expect(at.git('log', '-1', '--format=%(trailers)')).toMatch(/^Kmig-Run: .+\nKmig-Plan-Sha: [0-9a-f]{64}/)
    expect(at.git('diff', '--cached', '--name-only').trim()).toBe('other.txt')
    expect(await at.set('--revert', '--git')).toMatchObject({ code: 0 })
    expect(at.git('diff', 'HEAD~2', 'HEAD')).toBe('')
    expect(at.git('rev-list', '--count', 'HEAD').trim()).toBe('3')
  })
  test('killed between write and commit, the same command commits once', async () => {
    using at = repository()
    await at.killed(EVENTS)
    expect(texts(at.root)).toEqual(after)
    expect(await at.set('--execute', '--git')).toMatchObject({ code: 0 })
    expect(await at.set('--execute', '--git')).toMatchObject({ code: 0 })
    expect(at.git('rev-list', '--count', 'HEAD').trim()).toBe('2')
    expect(at.git('status', '--porcelain')).toBe('')
  })
  const rows: [string, string, (at: ReturnType<typeof repository>) => void][] = [
    [
      'uncommitted changes in a target',
      'not committed',
      at => writeFileSync(join(at.root, 'spam.yaml'), `${before}# mine\n`),
    ],
    ['a detached HEAD', 'HEAD is detached', at => at.git('checkout', '-q', '--detach')],
    ['a merge under way', 'a merge is under way', at => at.git('update-ref', 'MERGE_HEAD', 'HEAD')],
    ['a rebase under way', 'a rebase is under way', at => mkdirSync(join(at.root, '.git/rebase-merge'))],
    ['a target that is not tracked', 'not tracked', at => at.git('rm', '-q', '--cached', 'spam.yaml')],
  ]
  for (const [title, says, spoil] of rows) {
    test(`refuses ${title} with exit 4 and writes nothing`, async () => {
      using at = repository()
      spoil(at)
      const found = texts(at.root)
      expect(await at.set('--execute', '--git')).toMatchObject({
        code: 4,
        stderr: expect.stringContaining(says),
      })
      expect(texts(at.root)).toEqual(found)
    })
  }
  test('a commit that a hook refuses is exit 6 with the files written, and is made up for later', async () => {
    using at = repository()
    const hook = join(at.root, '.git/hooks/pre-commit')
    mkdirSync(join(at.root, '.git/hooks'), { recursive: true })
    writeFileSync(hook, '#!/bin/sh\necho no >&2\nexit 1\n', { mode: 0o755 })
    expect(await at.set('--execute', '--git')).toMatchObject({
      code: 6,
      stderr: expect.stringContaining('no'),
    })
    expect(texts(at.root)).toEqual(after)
    writeFileSync(hook, '#!/bin/sh\n')
    expect(await at.set('--execute', '--git')).toMatchObject({ code: 0 })
    expect(at.git('rev-list', '--count', 'HEAD').trim()).toBe('2')
  })
})
