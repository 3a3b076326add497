import { execFileSync } from 'node:child_process'
import { linkSync, mkdirSync, readFileSync, symlinkSync, truncateSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { planEdits, readDirectory } from '../../src/discovery/index.ts'
import { discoveryText, NEW, OLD, scratch } from './cases.ts'

const BROKERS = [...OLD.brokers]
const good = discoveryText({ devc: BROKERS })
const planned = async (root: string) => await planEdits(await readDirectory(root), { old: OLD, next: NEW })
const rules = async (root: string) =>
  (await readDirectory(root)).findings.map(f => `${f.path} ${f.severity} ${f.rule}`)

describe('a directory of discovery files', () => {
  test('is read through all its directories but .git', async () => {
    using dir = scratch({
      'a/b/generic.yaml': good,
      'scribe.yaml': good,
      '.git/generic.yaml': good,
      'a/other.yaml': 'x: 1\n',
      'a/list.yaml': '- clusters\n',
    })
    expect((await readDirectory(dir.root)).files.map(f => f.path)).toEqual([
      'a/b/generic.yaml',
      'scribe.yaml',
    ])
  })
  test('without a discovery file is refused with exit 2', async () => {
    using dir = scratch({ 'README.md': 'clusters:\n', 'x.yaml': 'a: 1\n', 'clusters.yml': good })
    await expect(readDirectory(dir.root)).rejects.toMatchObject({ code: 'DISCOVERY_EMPTY', exit: 2 })
  })
  test('that is not there is refused with exit 2', async () => {
    using dir = scratch({ file: '' })
    await expect(readDirectory(join(dir.root, 'gone'))).rejects.toMatchObject({ code: 'DISCOVERY_EMPTY' })
    await expect(readDirectory(join(dir.root, 'file'))).rejects.toMatchObject({ code: 'DISCOVERY_EMPTY' })
  })
  test('with one broken file gives no plan, and names file, line and column', async () => {
    using dir = scratch({ 'a.yaml': good, 'b.yaml': good.replace('zookeeper', '\tzookeeper') })
    await expect(planned(dir.root)).rejects.toMatchObject({
      code: 'DISCOVERY_INVALID',
      exit: 4,
      message: expect.stringContaining('b.yaml:7:5: error tab: '),
    })
  })
  test('with broken YAML that is no discovery file is planned', async () => {
    using dir = scratch({ 'a.yaml': good, 'b/template.yaml': '{% if x %}\na: [\n' })
    expect((await planned(dir.root)).files).toHaveLength(1)
  })
  test('where no entry names the old cluster is refused and lists the entries', async () => {
    using dir = scratch({ 'generic.yaml': discoveryText({ prod: ['elsewhere.example.com:9092'] }) })
    await expect(planned(dir.root)).rejects.toMatchObject({
      code: 'DISCOVERY_NO_MATCH',
      exit: 4,
      message: expect.stringContaining('generic/prod'),
    })
  })
  test('where all entries name the new cluster already has nothing to change', async () => {
    using dir = scratch({ 'generic.yaml': discoveryText({ prod: [...NEW.brokers].reverse() }) })
    expect(await planned(dir.root)).toMatchObject({ files: [], diff: '', entries: [{ is: 'already' }] })
  })
})

describe('what is no plain file', () => {
  test('a symbolic link is refused, inside the root or out of it', async () => {
    using outside = scratch({ 'real.yaml': good })
    using dir = scratch({ 'real.yaml': good, 'd/x.yaml': good })
    symlinkSync('real.yaml', join(dir.root, 'in.yaml'))
    symlinkSync(join(outside.root, 'real.yaml'), join(dir.root, 'out.yaml'))
    symlinkSync(outside.root, join(dir.root, 'tree'))
    expect(await rules(dir.root)).toEqual([
      'in.yaml error symlink',
      'out.yaml error symlink',
      'tree error symlink',
    ])
    await expect(planned(dir.root)).rejects.toMatchObject({ code: 'DISCOVERY_INVALID' })
  })
  test('a pipe is refused without waiting for a writer', async () => {
    using dir = scratch({ 'real.yaml': good })
    execFileSync('mkfifo', [join(dir.root, 'pipe.yaml')])
    expect(await rules(dir.root)).toEqual(['pipe.yaml error not-regular'])
  })
  test('a file above 1 MiB is refused', async () => {
    using dir = scratch({ 'real.yaml': good, 'big.yaml': '' })
    truncateSync(join(dir.root, 'big.yaml'), (1 << 20) + 1)
    expect(await rules(dir.root)).toEqual(['big.yaml error oversize'])
  })
  test('a second hard link is warned of', async () => {
    using dir = scratch({ 'real.yaml': good })
    linkSync(join(dir.root, 'real.yaml'), join(dir.root, 'copy'))
    expect(await rules(dir.root)).toEqual(['real.yaml warning hard-links'])
  })
  test('an empty .yaml beside discovery files is refused, elsewhere it is nothing', async () => {
    using dir = scratch({ 'd/real.yaml': good, 'e/empty.yaml': '', 'd/empty.yaml': '# only a comment\n' })
    expect(await rules(dir.root)).toEqual(['d/empty.yaml error document-count'])
  })
  test('a .yml file and an odd type are warned of', async () => {
    using dir = scratch({ 'real.yaml': good, 'b.yml': good, 'a b.yaml': good })
    expect(await rules(dir.root)).toEqual(['a b.yaml warning type-name', 'b.yml warning yml-ignored'])
  })
})

describe('hosts of the old cluster that would be left behind', () => {
  test('are reported with their place in files that are no discovery files', async () => {
    using dir = scratch({
      'generic.yaml': good,
      'app/client.properties': 'x=1\nbootstrap.servers=BROKER-A.example.com:9092\n',
      'app/other.txt': 'xbroker-a.example.com broker-a.example.com.au broker-a.example.community\n',
      'old.yml': good,
    })
    expect((await planned(dir.root)).mentions).toMatchObject([
      { path: 'app/client.properties', line: 2, column: 19, host: 'broker-a.example.com' },
      { path: 'old.yml', line: 5 },
      { path: 'old.yml', line: 6 },
    ])
  })
  test('are reported in entries that do not match, but not in comments or in what is rewritten', async () => {
    using dir = scratch({
      'generic.yaml': discoveryText({ devc: BROKERS, tls: ['broker-a.example.com:9093'] }).replace(
        'clusters:',
        'clusters: # broker-b.example.com',
      ),
    })
    expect((await planned(dir.root)).mentions).toMatchObject([{ path: 'generic.yaml', line: 10 }])
  })
  test('a file that can not be searched is warned of', async () => {
    using dir = scratch({ 'generic.yaml': good })
    mkdirSync(join(dir.root, 'd'))
    symlinkSync('../generic.yaml', join(dir.root, 'd/link.txt'))
    expect((await planned(dir.root)).findings).toMatchObject([
      { severity: 'warning', rule: 'symlink', path: 'd/link.txt' },
    ])
  })
})

test('a plan shows a unified diff that git applies', async () => {
  using dir = scratch({ 'd/generic.yaml': good })
  const plan = await planned(dir.root)
  execFileSync('git', ['apply', '-'], { cwd: dir.root, input: plan.diff })
  const after = readFileSync(join(dir.root, 'd/generic.yaml'), 'utf8')
  expect(after).toBe(discoveryText({ devc: [...NEW.brokers] }, NEW.zookeeper))
  expect(plan.diff).toContain('--- a/d/generic.yaml\n+++ b/d/generic.yaml\n@@ -2,8 +2,8 @@\n')
})

test('warnings of a plan name brokers that old does not know, a zookeeper that stays, and one that differs', async () => {
  using dir = scratch({ 'generic.yaml': discoveryText({ devc: [...BROKERS, 'stray.example.com:9092'] }) })
  const directory = await readDirectory(dir.root)
  const kept = await planEdits(directory, { old: OLD, next: { brokers: NEW.brokers } })
  expect(kept.findings.map(f => f.rule)).toEqual(['stray-broker', 'zookeeper-kept'])
  const differs = await planEdits(directory, {
    old: { ...OLD, zookeeper: 'zk.example.com:2181/x' },
    next: NEW,
  })
  expect(differs.findings.map(f => f.rule)).toEqual(['stray-broker', 'zookeeper-differs'])
})

test('addresses that no discovery file can hold are refused', async () => {
  using dir = scratch({ 'generic.yaml': good })
  const directory = await readDirectory(dir.root)
  const rows = [
    { brokers: ['a b:1'] },
    { brokers: [] },
    { brokers: ['x:70000'] },
    { brokers: ["x':1"] },
    { brokers: ['x:1'], zookeeper: 'a:1/x,b:1' },
  ]
  for (const next of rows) {
    await expect(planEdits(directory, { old: OLD, next })).rejects.toMatchObject({
      code: 'BAD_ADDRESS',
      exit: 2,
    })
  }
})
