import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { sleep } from '../../src/kit/index.ts'
import { Sandbox, type SandboxCluster } from '../../src/sandbox/index.ts'
import { type ZkCopyEvent, type ZkCopyOptions, zkcopy } from '../../src/zkcopy/index.ts'
import { PERM, parseConnectString } from '../../src/zookeeper/index.ts'
import { spawned } from '../cli/spawned.ts'
import { sandboxOptions, servers } from '../sandbox-helper.ts'
import { aclOfWitness, content, Witness } from '../zkcopy/witness.ts'

const COMMAND = new URL('../zkcopy/command.ts', import.meta.url).pathname
const ALL = { kind: 'part', part: 1 } as const

servers('zkcopy --tail', () => {
  let sandbox: Sandbox
  let near: SandboxCluster
  let [source, linked, target, ancient] = ['', '', '', '']
  let old: Witness
  let next: Witness
  let former: Witness
  const follow = (from: string, root: string, options: Partial<ZkCopyOptions> = {}) => {
    const events: ZkCopyEvent[] = []
    const stop = new AbortController()
    const report = zkcopy({
      from: parseConnectString(from + root),
      to: parseConnectString(target + root),
      signal: stop.signal,
      tail: { untilQuietMs: 1_000 },
      ...options,
      on: event => events.push(event),
    })
    report.catch(() => {})
    const until = async (kind: ZkCopyEvent['kind']) => {
      while (!events.some(event => event.kind === kind)) await Promise.race([sleep(5), report])
    }
    return { events, report, until, stop }
  }
  const until = async (done: () => Promise<boolean>) => {
    while (!(await done())) await sleep(10)
  }
  const equal = async (root: string, from = old) =>
    expect(content(await next.tree(root))).toEqual(content(await from.tree(root)))
  const plant = async (root: string, count = 300) => {
    await old.plantAll([root, ...Array.from({ length: count }, (_, i) => `${root}/n${i}`)])
  }

  beforeAll(async () => {
    sandbox = await Sandbox.open(sandboxOptions())
    const start = (version: '3.9.2' | '2.8.2', listeners: 'link'[] = []) =>
      sandbox.start({ kind: 'zookeeper', version, brokers: 0, listeners })
    const clusters = await Promise.all([start('3.9.2', ['link']), start('3.9.2'), start('2.8.2')])
    near = clusters[0]
    const bare = (text = '') => text.replace(/\/.*/, '')
    ;[source, target, ancient] = clusters.map(({ zookeeper }) => bare(zookeeper)) as [string, string, string]
    linked = bare(near.linkedZookeeper)
    ;[old, next, former] = (await Promise.all([source, target, ancient].map(Witness.open))) as [
      Witness,
      Witness,
      Witness,
    ]
  })
  afterAll(async () => {
    for (const witness of [old, next, former]) await witness?.[Symbol.asyncDispose]()
    await sandbox?.[Symbol.asyncDispose]()
  })

  test('writes, creations and deletions of the source are on the target in less than a second, ACLs at the end', async () => {
    await plant('/app')
    const { report, until: seen } = follow(source, '/app', { deleteUpTo: ALL })
    await seen('following')
    await old.plantAll(['/app/new', '/app/new/deep', '/app/new/deep/er'])
    await old.set('/app/n1', 'changed')
    await old.set('/app', 'the root too')
    for (const gone of ['/app/n2', '/app/n3']) await old.remove(gone)
    await old.setAcl('/app/n4', [aclOfWitness('world', 'anyone', PERM.read | PERM.admin)])
    await old.plant('/app/session', { mode: 1 })
    await until(async () => (await next.exists('/app/new/deep/er')) !== null)
    const done = await report
    expect(done).toMatchObject({
      deleted: 2,
      aclsSet: 1,
      tail: { mode: 'watch', endedBy: 'quiet', rescans: 1 },
    })
    expect(done.tail?.lag?.p50Ms).toBeLessThan(1_000)
    expect(await next.exists('/app/session')).toBeNull()
    await old.remove('/app/session')
    await equal('/app')
  })

  test('what changes under the bulk itself is not missed, and without --delete nothing is deleted', async () => {
    await plant('/under', 2_000)
    const { report, until: seen } = follow(source, '/under', { batch: 20 })
    await seen('progress')
    for (let i = 0; i < 2_000; i += 50) await old.set(`/under/n${i}`, `late ${i}`)
    await old.remove('/under/n1')
    const done = await report
    expect(done.deleted).toBe(0)
    await next.remove('/under/n1').catch(() => {})
    await equal('/under')
  })

  test('what changed while no connection told of it is found after it', async () => {
    await plant('/cut')
    const {
      report,
      events,
      until: seen,
      stop,
    } = follow(linked, '/cut', { deleteUpTo: ALL, tail: { untilQuietMs: undefined } })
    await seen('following')
    const link = near.link(9)
    await link.refuse(true)
    await link.reset()
    await seen('connection')
    await old.set('/cut/n1', 'unseen')
    await old.remove('/cut/n2')
    await old.plantAll(['/cut/unseen', '/cut/unseen/below'])
    expect(await next.exists('/cut/unseen')).toBeNull()
    await link.refuse(false)
    await until(
      async () =>
        (await next.exists('/cut/unseen/below')) !== null && (await next.exists('/cut/n2')) === null,
    )
    await old.set('/cut/n3', 'seen again')
    const told = async () =>
      (await next.tree('/cut')).get('/n3')?.data === Buffer.from('seen again').toString('base64')
    await until(told)
    stop.abort(new Error('enough'))
    expect((await report).tail).toMatchObject({ endedBy: 'signal' })
    expect(events).toContainEqual({ kind: 'rescan', why: 'connection-lost' })
    await equal('/cut')
  })

  test('a source before 3.6, which tells of nothing, is looked through again and again', async () => {
    await former.plantAll(['/old', '/old/a', '/old/b'])
    const { report, until: seen } = follow(ancient, '/old', { deleteUpTo: ALL })
    await seen('following')
    await former.set('/old/a', 'changed')
    await former.plant('/old/c')
    await former.remove('/old/b')
    expect((await report).tail).toMatchObject({ mode: 'rescan', endedBy: 'quiet' })
    await equal('/old', former)
  })

  test('SIGTERM ends it with its state kept: the next run goes on from there', async () => {
    await plant('/kept')
    const state = join(mkdtempSync(join(tmpdir(), 'kmig-tail-')), 'state')
    const args = [
      '--from',
      `${source}/kept`,
      '--to',
      `${target}/kept`,
      '--state',
      state,
      '--tail',
      '--json',
      '--progress',
      'json',
    ]
    const first = await spawned(COMMAND, args, { signals: { at: 'following', send: 'SIGTERM' } })
    expect(first.code).toBe(143)
    expect(JSON.parse(first.stdout)).toMatchObject({
      created: 301,
      state: 'new',
      tail: { endedBy: 'signal' },
    })
    await old.set('/kept/n7', 'later')
    const second = await spawned(COMMAND, [...args, '--until-quiet', '200ms'])
    expect(second.code).toBe(0)
    expect(JSON.parse(second.stdout)).toMatchObject({
      state: 'continued',
      updated: 1,
      tail: { endedBy: 'quiet' },
    })
    await equal('/kept')
  })
})
