import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { sleep } from '../../src/kit/index.ts'
import { Sandbox } from '../../src/sandbox/index.ts'
import { restore, verify, type ZkCopyOptions, zkcopy } from '../../src/zkcopy/index.ts'
import {
  digestId,
  multi,
  must,
  OPEN_ACL,
  PERM,
  parseConnectString,
  ZkSession,
} from '../../src/zookeeper/index.ts'
import { sandboxOptions, servers } from '../sandbox-helper.ts'
import { aclOfWitness, content, Witness } from '../zkcopy/witness.ts'

const COMMAND = new URL('../zkcopy/command.ts', import.meta.url).pathname
const ALL = { kind: 'part', part: 1 } as const
const signal = new AbortController().signal
const OWNER = [{ scheme: 'digest', secret: Buffer.from('app:secret') }]
const owned = (perms: number = PERM.all) => aclOfWitness('digest', digestId('app', 'secret'), perms)

servers('zkcopy before it writes', () => {
  let sandbox: Sandbox
  let [source, target] = ['', '']
  let old: Witness
  let next: Witness
  const file = (name: string) => join(mkdtempSync(join(tmpdir(), 'kmig-safety-')), name)
  const copy = (root: string, options: Partial<ZkCopyOptions> = {}) =>
    zkcopy({
      from: parseConnectString(source + root),
      to: parseConnectString(target + root),
      signal,
      ...options,
    })
  const back = (name: string, root: string, options = {}) =>
    restore({ file: name, to: parseConnectString(target + root), signal, ...options })

  beforeAll(async () => {
    sandbox = await Sandbox.open(sandboxOptions())
    const start = () => sandbox.start({ kind: 'zookeeper', version: '3.9.2', brokers: 0 })
    ;[source, target] = (await Promise.all([start(), start()])).map(({ zookeeper = '' }) =>
      zookeeper.replace(/\/.*/, ''),
    ) as [string, string]
    ;[old, next] = (await Promise.all([source, target].map(Witness.open))) as [Witness, Witness]
  })
  afterAll(async () => {
    for (const witness of [old, next]) await witness?.[Symbol.asyncDispose]()
    await sandbox?.[Symbol.asyncDispose]()
  })

  describe('--backup', () => {
    const plant = async (root: string, count: number) => {
      const names = Array.from({ length: count }, (_, i) => `${root}/n${i}`)
      await old.plantAll([root, ...names])
      await next.plantAll([root, ...names.slice(0, count / 2)], { data: Buffer.from('of the target') })
      await next.plantAll([`${root}/own`, `${root}/own/a`, `${root}/own/a/b`])
      await next.setAcl(`${root}/n0`, [aclOfWitness('world', 'anyone', PERM.read | PERM.write | PERM.admin)])
      return content(await next.tree(root))
    }
    for (const name of ['backup.ndjson', 'backup.ndjson.gz']) {
      test(`restore brings back from ${name} what was replaced and deleted, and with --delete removes what was made`, async () => {
        const root = `/replaced${name.length}`
        const before = await plant(root, 200)
        const backup = file(name)
        const report = await copy(root, { backup, deleteUpTo: ALL })
        expect(report).toMatchObject({ created: 100, updated: 101, deleted: 3, aclsSet: 1 })
        expect(report.backup).toMatchObject({ created: 100 })
        expect(content(await next.tree(root))).toEqual(content(await old.tree(root)))

        expect(await back(backup, root, { check: true })).toMatchObject({
          kind: 'backup',
          differing: { count: 105 },
          left: { count: 100 },
        })
        expect(await back(backup, root)).toMatchObject({
          created: 3,
          updated: 101,
          deleted: 0,
          left: { count: 100 },
        })
        await next.plant(`${root}/n150/foreign`)
        const done = await back(backup, root, { deleteCreated: true })
        expect(done).toMatchObject({
          deleted: 99,
          left: { first: [`${root}/n150`] },
          differing: { count: 0 },
        })
        await next.remove(`${root}/n150/foreign`)
        expect(await back(backup, root, { deleteCreated: true })).toMatchObject({ deleted: 1 })
        expect(content(await next.tree(root))).toEqual(before)
        if (name.endsWith('.gz'))
          await expect(copy(root, { backup })).rejects.toMatchObject({ code: 'USAGE' })
      })
    }

    test('a copy that is killed and run again with the same file, its last line torn, can be taken back whole', async () => {
      const before = await plant('/killed', 600)
      const backup = file('backup.ndjson')
      const args = [
        '--from',
        `${source}/killed`,
        '--to',
        `${target}/killed`,
        '--backup',
        backup,
        '--batch',
        '5',
        '--rate',
        '600',
      ]
      const more = ['--delete', '--max-delete', '100%', '--quiet']
      const child = spawn(process.execPath, [COMMAND, ...args, ...more], { stdio: 'ignore' })
      const ended = once(child, 'close')
      while (!existsSync(backup) || readFileSync(backup, 'utf8').split('\n').length < 100) await sleep(5)
      child.kill('SIGKILL')
      await ended
      const lines = readFileSync(backup, 'utf8').split('\n').length
      expect(lines).toBeLessThan(550)
      writeFileSync(backup, '{"kind":"node","path":"/n7', { flag: 'a' })
      expect((await copy('/killed', { backup, deleteUpTo: ALL })).created).toBeGreaterThan(0)
      expect(content(await next.tree('/killed'))).toEqual(content(await old.tree('/killed')))
      await back(backup, '/killed', { deleteCreated: true })
      expect(content(await next.tree('/killed'))).toEqual(before)
    })

    test('what is no backup of this root is not written to, and a packed one that was cut off is read as far as it goes', async () => {
      const text = file('notes.txt')
      writeFileSync(text, 'mine\n')
      await old.plantAll(['/other', '/other/a'])
      await expect(copy('/other', { backup: text })).rejects.toMatchObject({ code: 'USAGE' })
      expect(readFileSync(text, 'utf8')).toBe('mine\n')
      const backup = file('other.ndjson.gz')
      await copy('/other', { backup, batch: 1 })
      await expect(back(backup, '/elsewhere')).rejects.toMatchObject({ code: 'USAGE' })
      truncateSync(backup, readFileSync(backup).length - 25)
      expect((await back(backup, '/other', { check: true })).left.count).toBe(1)
    })
  })

  describe('the rights', () => {
    test('every znode that may not be read, or hides its digests, is named, exit 5, and nothing is written', async () => {
      await old.plantAll(['/closed', '/closed/a', '/closed/z'])
      for (let i = 0; i < 30; i++) await old.plant(`/closed/secret${i}`, { acl: [owned()] })
      await old.plant('/closed/hidden', { acl: [owned(), aclOfWitness('world', 'anyone', PERM.read)] })
      const refused = copy('/closed')
      await expect(refused).rejects.toMatchObject({ code: 'ZK_NO_AUTH', exit: 5 })
      await expect(refused).rejects.toThrow(
        /read 30 znodes: .*\/closed\/secret\d+, .* and 10 more; .*hidden .* 1 znode: \/closed\/hidden; nothing was written/,
      )
      expect(await next.exists('/closed')).toBeNull()
      const from = { ...parseConnectString(`${source}/closed`), auth: OWNER }
      expect(
        await copy('/closed', { from, to: { ...parseConnectString(`${target}/closed`), auth: OWNER } }),
      ).toMatchObject({ created: 34 })
    })

    test('they are found before the first write in a tree that is too large to be held back, too', async () => {
      await old.plant('/large')
      const names = Array.from({ length: 25_000 }, (_, i) => `/large/n${i}`)
      await using session = await ZkSession.open({ servers: parseConnectString(source).servers })
      for (let i = 0; i < names.length; i += 1_000) {
        const some = names.slice(i, i + 1_000)
        const ops = some.map(path => ({ kind: 'create', path, data: null, acl: OPEN_ACL }) as const)
        must(await session.call(multi, ops), 'plant')
      }
      await old.setAcl('/large/n3', [owned(), aclOfWitness('world', 'anyone', PERM.read)])
      await old.setAcl('/large/n24999', [owned(), aclOfWitness('world', 'anyone', PERM.read)])
      await expect(copy('/large')).rejects.toMatchObject({ code: 'ZK_MASKED_ACL', exit: 5 })
      await expect(copy('/large')).rejects.toThrow(
        /2 znodes: (\/large\/n3, \/large\/n24999|\/large\/n24999, \/large\/n3); nothing/,
      )
      expect(await next.exists('/large')).toBeNull()
      for (const path of ['/large/n3', '/large/n24999']) {
        old.client.addAuthInfo('digest', Buffer.from('app:secret'))
        await old.setAcl(path, [aclOfWitness('world', 'anyone', PERM.all)])
      }
      expect(await copy('/large')).toMatchObject({ created: 25_001 })
      const ends = { from: parseConnectString(`${source}/large`), to: parseConnectString(`${target}/large`) }
      expect(await verify({ ...ends, acl: 'full', signal })).toMatchObject({ equal: true })
    })

    test('what the target does not let be written is named before anything is', async () => {
      const names = ['/kept', '/kept/a', '/kept/b', '/kept/b/c']
      await old.plantAll(names)
      await next.plantAll(names.slice(0, 3))
      await old.set('/kept/a', 'changed')
      await next.setAcl('/kept/a', [owned(), aclOfWitness('world', 'anyone', PERM.read | PERM.admin)])
      await next.setAcl('/kept/b', [owned(), aclOfWitness('world', 'anyone', PERM.read)])
      const refused = copy('/kept')
      await expect(refused).rejects.toMatchObject({ code: 'ZK_NO_AUTH', exit: 5 })
      await expect(refused).rejects.toThrow(
        /\/kept\/a \(WRITE\).*\/kept\/b \(CREATE\)|\/kept\/b \(CREATE\).*\/kept\/a \(WRITE\)/,
      )
      expect(await next.exists('/kept/b/c')).toBeNull()
      expect(
        await copy('/kept', { to: { ...parseConnectString(`${target}/kept`), auth: OWNER } }),
      ).toMatchObject({ created: 1, updated: 1, aclsSet: 2 })
    })
  })
})
