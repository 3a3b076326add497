import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { sleep } from '../../src/kit/index.ts'
import { Sandbox } from '../../src/sandbox/index.ts'
import { pathFilter, type ZkCopyOptions, zkcopy } from '../../src/zkcopy/index.ts'
import { digestId, PERM, parseConnectString } from '../../src/zookeeper/index.ts'
import { spawned } from '../cli/spawned.ts'
import { sandboxOptions, servers } from '../sandbox-helper.ts'
import { aclOfWitness, content, Witness } from '../zkcopy/witness.ts'

const COMMAND = new URL('../zkcopy/command.ts', import.meta.url).pathname
const run = (args: string[], options = {}) => spawned(COMMAND, args, options)

servers('zkcopy between real ensembles', () => {
  let sandbox: Sandbox
  let [source, target, ancient] = ['', '', '']
  let crashTarget: () => Promise<void>
  let old: Witness
  let next: Witness
  const copy = (from: string, to: string, options: Partial<ZkCopyOptions> = {}) =>
    zkcopy({
      from: parseConnectString(source + from),
      to: parseConnectString(target + to),
      signal: new AbortController().signal,
      ...options,
    })
  const equal = async (from: string, to: string) =>
    expect(content(await next.tree(to))).toEqual(content(await old.tree(from)))

  beforeAll(async () => {
    sandbox = await Sandbox.open(sandboxOptions())
    const clusters = await Promise.all(
      (['3.9.2', '3.9.2', '2.8.2'] as const).map(version =>
        sandbox.start({ kind: 'zookeeper', version, brokers: 0 }),
      ),
    )
    const addresses = clusters.map(cluster => cluster.zookeeper?.replace(/\/.*/, '') ?? '')
    ;[source = '', target = '', ancient = ''] = addresses
    crashTarget = async () => {
      const node = clusters[1]?.node(9)
      await node?.stop('kill')
      await node?.start()
    }
    old = await Witness.open(source)
    next = await Witness.open(target)
  })
  afterAll(async () => {
    await old?.[Symbol.asyncDispose]()
    await next?.[Symbol.asyncDispose]()
    await sandbox?.[Symbol.asyncDispose]()
  })

  test('the copy has every path, byte and ACL, and a second run writes nothing', async () => {
    await old.plant('/tree', { acl: [aclOfWitness('world', 'anyone'), aclOfWitness('ip', '127.0.0.0/8', 1)] })
    await old.plantAll(Array.from({ length: 700 }, (_, i) => `/tree/n${i}`))
    await old.plantAll(['/tree/n1/zookeeper', '/tree/n1/größe 漢字'])
    await old.plant('/tree/empty', { data: Buffer.alloc(0) })
    await old.plant('/tree/null', { data: null })
    await old.plant('/tree/big', { data: Buffer.alloc(900_000, 'b') })
    await old.plantAll(
      Array.from({ length: 8 }, (_, i) => `/tree/half${i}`),
      { data: Buffer.alloc(200_000, 'h') },
    )
    for (let depth = 1, path = '/tree'; depth <= 30; depth++) {
      path += `/d${depth}`
      await old.plant(path, {
        acl: [aclOfWitness('world', 'anyone', depth % 2 ? PERM.all : 15 | PERM.admin)],
      })
    }
    const first = await copy('/tree', '/some/where/new')
    await equal('/tree', '/some/where/new')
    expect(first).toMatchObject({ created: first.scanned + 2, updated: 0, repaired: 0, distinctAcls: 2 })
    const second = await copy('/tree', '/some/where/new')
    expect(second).toMatchObject({ created: 0, updated: 0, aclsSet: 0, multis: 0, unchanged: first.scanned })
  })

  test('changed data, changed ACLs and znodes that came later are put right, each by one write', async () => {
    await old.plantAll(['/drift', '/drift/a', '/drift/b', '/drift/c'])
    await copy('/drift', '/drift')
    await old.set('/drift/a', 'other')
    await old.setAcl('/drift/b', [aclOfWitness('world', 'anyone', PERM.read | PERM.admin)])
    await old.plantAll(['/drift/c/d', '/drift/c/d/e'])
    await next.set('/drift/c', 'foreign')
    const report = await copy('/drift', '/drift')
    expect(report).toMatchObject({ created: 2, updated: 2, aclsSet: 1, unchanged: 1 })
    await equal('/drift', '/drift')
  })

  test('a whole ensemble is copied without the servers own /zookeeper', async () => {
    const before = await next.tree('/zookeeper')
    const report = await copy('/', '/everything')
    expect(report.excluded).toBe(1)
    expect(await next.exists('/everything/zookeeper')).toBeNull()
    await equal('/', '/everything')
    expect(await next.tree('/zookeeper')).toEqual(before)
  })

  test('ephemerals are not copied, and one in the way on the target stops the run', async () => {
    await old.plantAll(['/live', '/live/a'])
    await old.plant('/live/session', { mode: 1 })
    expect(await copy('/live', '/live')).toMatchObject({ created: 2, ephemerals: 1 })
    expect(await next.exists('/live/session')).toBeNull()
    await old.plant('/live/registered')
    await next.plant('/live/registered', { mode: 1 })
    await expect(copy('/live', '/live')).rejects.toMatchObject({ code: 'ZK_EPHEMERAL', exit: 4 })
  })

  test('--since takes what was modified at that very ms, creates missing parents, names the older ones', async () => {
    await old.plantAll(['/since', '/since/old', '/since/parent', '/since/parent/older', '/since/known'])
    await next.plantAll(['/since', '/since/known'])
    await sleep(20)
    await old.plant('/since/parent/fresh')
    const mtime = (await old.exists('/since/parent/fresh'))?.mtime.readBigInt64BE() ?? 0n
    const sinceMs = Number(mtime)
    const report = await copy('/since', '/since', { sinceMs, overlapMs: 0 })
    expect(report).toMatchObject({ selected: 1, created: 2, since: sinceMs, nextSince: sinceMs })
    expect(report.missing).toEqual({ count: 2, first: ['/since/old', '/since/parent/older'].sort() })
    expect(await copy('/since', '/since', { sinceMs: sinceMs + 1, overlapMs: 0 })).toMatchObject({
      selected: 0,
      multis: 0,
      nextSince: sinceMs + 1,
    })
    const overlapping = await copy('/since', '/since', { sinceMs: sinceMs + 100_000 })
    expect(overlapping).toMatchObject({ selected: 6, created: 2 })
    await equal('/since', '/since')
  })

  test('--delete removes what only the target has, deepest first, within its limit, sparing ephemerals', async () => {
    await old.plantAll(['/del', '/del/kept'])
    await next.plantAll(['/del', '/del/kept', '/del/gone', '/del/gone/a', '/del/gone/a/b', '/del/live'])
    await next.plant('/del/live/session', { mode: 1 })
    expect(await copy('/del', '/del')).toMatchObject({ deleted: 0, extra: { count: 2 } })
    await expect(copy('/del', '/del', { deleteUpTo: { kind: 'count', count: 2 } })).rejects.toMatchObject({
      code: 'ZK_TOO_MANY_DELETES',
    })
    expect(await next.exists('/del/gone/a/b')).not.toBeNull()
    expect(await copy('/del', '/del', { deleteUpTo: { kind: 'count', count: 3 } })).toMatchObject({
      deleted: 3,
    })
    expect([...(await next.tree('/del')).keys()]).toEqual(['/', '/kept', '/live', '/live/session'])
  })

  test('--delete from an empty source is refused', async () => {
    await old.plant('/hollow')
    await next.plantAll(['/hollow', '/hollow/treasure'])
    const all = { kind: 'part', part: 1 } as const
    await expect(copy('/hollow', '/hollow', { deleteUpTo: all })).rejects.toMatchObject({ code: 'PREFLIGHT' })
    expect(await next.exists('/hollow/treasure')).not.toBeNull()
  })

  test('masked digests stop the copy, their owner copies them', async () => {
    const owner = aclOfWitness('digest', digestId('kafka', 'secret'))
    await old.plant('/secured', { acl: [owner, aclOfWitness('world', 'anyone', PERM.read)] })
    await expect(copy('/secured', '/secured')).rejects.toMatchObject({ code: 'ZK_MASKED_ACL', exit: 5 })
    expect(await next.exists('/secured')).toBeNull()
    const file = join(mkdtempSync(join(tmpdir(), 'kmig-')), 'auth')
    writeFileSync(file, '# the owner\ndigest:kafka:secret\n', { mode: 0o600 })
    const ended = await run([
      ...['--from', `${source}/secured`, '--to', `${target}/secured`],
      ...['--from-auth', file, '--to-auth', file, '--json'],
    ])
    expect(JSON.parse(ended.stdout)).toMatchObject({ ok: true, created: 1, schemaVersion: 1 })
    const ids = [...(await next.tree('/secured')).values()].map(({ acl }) => acl)
    expect(ids).toEqual([['digest:kafka:x:31', 'world:anyone:1']])
  })

  test('--acl-map says who a masked digest shall be on the target', async () => {
    const [owner, reader] = [
      aclOfWitness('digest', digestId('app', 'old')),
      aclOfWitness('world', 'anyone', PERM.read),
    ]
    await old.plant('/mapped', { acl: [owner, reader] })
    const aclMap = new Map([['digest:app:x', 'ip:127.0.0.0/8']])
    expect(await copy('/mapped', '/mapped', { aclMap })).toMatchObject({ created: 1 })
    const ids = [...(await next.tree('/mapped')).values()].map(({ acl }) => acl)
    expect(ids).toEqual([['ip:127.0.0.0/8:31', 'world:anyone:1']])
    expect(await copy('/mapped', '/mapped', { aclMap })).toMatchObject({ unchanged: 1, aclsSet: 0 })
  })

  test('what may not be read stops the run by path, and nothing is written', async () => {
    await old.plant('/shut', { acl: [aclOfWitness('digest', digestId('kafka', 'secret'))] })
    await expect(copy('/shut', '/shut')).rejects.toMatchObject({ code: 'ZK_NO_AUTH', exit: 5 })
    expect(await next.exists('/shut')).toBeNull()
  })

  test('--acl open and --acl uniform give all copies one ACL', async () => {
    const mine = [aclOfWitness('ip', '127.0.0.0/8'), aclOfWitness('world', 'anyone', PERM.read)]
    await old.plant('/acls', { acl: mine })
    await old.plant('/acls/own')
    await copy('/acls', '/acls-uniform', { acl: 'uniform' })
    await copy('/acls', '/acls-open', { acl: 'open' })
    const acls = async (path: string) => [...(await next.tree(path)).values()].map(({ acl }) => acl)
    const uniform = ['ip:127.0.0.0/8:31', 'world:anyone:1']
    expect(await acls('/acls-uniform')).toEqual([uniform, uniform])
    expect(await acls('/acls-open')).toEqual([['world:anyone:31'], ['world:anyone:31']])
    await expect(copy('/acls', '/acls-sample', { acl: 'sample' })).rejects.toMatchObject({
      code: 'PREFLIGHT',
    })
  })

  test('a znode above what the target takes is named, with its size', async () => {
    await old.plantAll(['/fat', '/fat/fits'])
    await old.plant('/fat/over', { data: Buffer.alloc(50_000) })
    const limited = copy('/fat', '/fat', { juteMaxBuffer: 40_000 })
    await expect(limited).rejects.toMatchObject({
      code: 'ZK_OVERSIZE',
      message: expect.stringContaining('/fat/over'),
    })
    await copy('/fat', '/fat')
    await equal('/fat', '/fat')
  })

  test('servers before 3.6, which have no multiRead, are read and written all the same', async () => {
    await using witness = await Witness.open(ancient)
    await old.plantAll(['/back', ...Array.from({ length: 300 }, (_, i) => `/back/n${i}`)])
    const there = parseConnectString(`${ancient}/back`)
    const signal = new AbortController().signal
    await zkcopy({ from: parseConnectString(`${source}/back`), to: there, signal })
    expect(content(await witness.tree('/back'))).toEqual(content(await old.tree('/back')))
    const forth = await zkcopy({ from: there, to: parseConnectString(`${target}/forth`), signal })
    expect(forth).toMatchObject({ scanned: 301, created: 301 })
    await equal('/back', '/forth')
  })

  test('--include takes what matches and the parents that it needs, --exclude leaves alone with all below', async () => {
    await old.plantAll(['/f', '/f/a', '/f/a/x', '/f/a/x/deep', '/f/b', '/f/b/x', '/f/c'])
    const under = async (root: string) => [...(await next.tree(root)).keys()]
    await copy('/f', '/f1', { filter: pathFilter(['/a/*'], ['*/deep']) })
    expect(await under('/f1')).toEqual(['/', '/a', '/a/x'])
    await next.plantAll(['/f2', '/f2/b', '/f2/b/own', '/f2/gone', '/f2/gone/kept', '/f2/gone/not'])
    const report = await copy('/f', '/f2', {
      filter: pathFilter([], ['/b', '/gone/kept']),
      deleteUpTo: { kind: 'part', part: 1 },
    })
    expect(report).toMatchObject({ excluded: 1, deleted: 1 })
    const kept = ['/', '/a', '/a/x', '/a/x/deep', '/b', '/b/own', '/c', '/gone', '/gone/kept']
    expect(await under('/f2')).toEqual(kept)
    expect(() => pathFilter(['brokers'])).toThrow(expect.objectContaining({ code: 'USAGE' }))
  })

  const stateFile = () => join(mkdtempSync(join(tmpdir(), 'kmig-')), 'state.json')

  test('--state: a run compares what was written since the last one: data, ACLs, what came, what went on either side', async () => {
    const state = stateFile()
    await old.plantAll(['/st', '/st/a', '/st/b', '/st/c', '/st/c/d', '/st/e', '/st/lost'])
    expect(await copy('/st', '/st', { state })).toMatchObject({ state: 'new', created: 7 })
    const all = { kind: 'part', part: 1 } as const
    expect(await copy('/st', '/st', { state })).toMatchObject({ state: 'continued', selected: 0, multis: 0 })
    await old.set('/st/a', 'changed')
    await old.setAcl('/st/b', [aclOfWitness('world', 'anyone', PERM.read | PERM.admin)])
    await old.plant('/st/e/new')
    await old.remove('/st/c/d')
    await next.remove('/st/lost')
    const report = await copy('/st', '/st', { state, deleteUpTo: all })
    expect(report).toMatchObject({
      state: 'continued',
      selected: 4,
      created: 2,
      updated: 1,
      aclsSet: 1,
      deleted: 1,
    })
    await equal('/st', '/st')
  })

  test('--state: a pass that did not end leaves the watermark where it was, and the next one completes it', async () => {
    const state = stateFile()
    await killTree('/stop')
    const stop = new AbortController()
    const on: ZkCopyOptions['on'] = event => {
      if (event.kind === 'progress' && event.created > 100) stop.abort(new Error('stopped'))
    }
    const stopped = copy('/stop', '/stop', { state, batch: 1, on, signal: stop.signal })
    await expect(stopped).rejects.toThrow('stopped')
    expect(existsSync(state)).toBe(false)
    await copy('/stop', '/stop', { state })
    await equal('/stop', '/stop')
    const before = readFileSync(state, 'utf8')
    await copy('/stop', '/stop', { state, check: true })
    expect(readFileSync(state, 'utf8')).toBe(before)
  })

  test('--state of other trees, or of a tree that was made anew, is set aside and all is compared', async () => {
    const state = stateFile()
    await old.plantAll(['/who', '/who/a', '/other', '/other/b'])
    await copy('/who', '/who', { state })
    const events: string[] = []
    const on: ZkCopyOptions['on'] = event => event.kind === 'state-set-aside' && events.push(event.why)
    expect(await copy('/other', '/other', { state, on })).toMatchObject({ state: 'set-aside', selected: 2 })
    for (const path of ['/other/b', '/other']) await next.remove(path)
    await next.plantAll(['/other', '/other/b'], { data: Buffer.from('made anew') })
    expect(await copy('/other', '/other', { state, on })).toMatchObject({ state: 'set-aside', updated: 2 })
    expect(events).toEqual(['it is of other roots, ACLs or filters', 'the target is another one'])
    writeFileSync(state, '{"format": "something else"}')
    await expect(copy('/other', '/other', { state })).rejects.toMatchObject({ code: 'STATE_DAMAGED' })
  })

  test('--check writes nothing and exits 3 on a difference, 0 without one', async () => {
    await old.plantAll(['/check', '/check/a'])
    const args = ['--from', `${source}/check`, '--to', `${target}/check`]
    const differs = await run([...args, '--check', '--json'])
    expect(differs.code).toBe(3)
    expect(JSON.parse(differs.stdout)).toMatchObject({ ok: false, differing: { count: 2 }, created: 0 })
    expect(await next.exists('/check')).toBeNull()
    expect((await run(args)).code).toBe(0)
    expect((await run([...args, '--check'])).code).toBe(0)
  })

  const overlaps = [
    ['/same', '/same'],
    ['/same', '/same/below'],
    ['/same/below', '/same'],
    ['', '/same'],
  ] as const
  for (const [from, to] of overlaps) {
    test(`copying ${from || '/'} to ${to} of the same ensemble is refused, whatever its addresses are called`, async () => {
      const port = source.split(':')[1]
      const elsewhere = `${source},127.0.0.1:1${to}`
      const ended = await run(['--from', source + from, '--to', elsewhere])
      expect(ended).toMatchObject({ code: 2, stderr: expect.stringContaining('ZK_OVERLAP') })
      expect(port).toBe('2181')
    })
  }

  test('disjoint roots of one ensemble are copied', async () => {
    await old.plantAll(['/left', '/left/a'])
    const report = await zkcopy({
      from: parseConnectString(`${source}/left`),
      to: parseConnectString(`${source}/right`),
      signal: new AbortController().signal,
    })
    expect(report.created).toBe(2)
    expect(content(await old.tree('/right'))).toEqual(content(await old.tree('/left')))
  })

  const writtenBelow = async (path: string) => {
    const parents = await Promise.all(
      Array.from({ length: 8 }, async (_, i) => {
        const stat = (await next.exists(`${path}/p${i}`)) as { numChildren: number } | null
        return stat?.numChildren ?? 0
      }),
    )
    return parents.reduce((sum, n) => sum + n, 0)
  }
  const killTree = async (path: string) => {
    const parents = Array.from({ length: 8 }, (_, i) => `${path}/p${i}`)
    await old.plantAll([path, ...parents])
    await old.plantAll(parents.flatMap(parent => Array.from({ length: 400 }, (_, i) => `${parent}/n${i}`)))
    return 8 * 400
  }

  test('a copier killed five times with SIGKILL in the middle, and run again, leaves equal trees', async () => {
    const size = await killTree('/kill')
    const args = ['--from', `${source}/kill`, '--to', `${target}/kill`, '--batch', '1']
    for (let kill = 1; kill <= 5; kill++) {
      const child = spawn(process.execPath, [COMMAND, ...args], { stdio: 'ignore' })
      const ended = once(child, 'close')
      while ((await writtenBelow('/kill')) < kill * 400 && child.exitCode === null) await sleep(1)
      child.kill('SIGKILL')
      expect(await ended).toEqual([null, 'SIGKILL'])
      expect(await writtenBelow('/kill')).toBeLessThan(size)
    }
    expect(await run(args)).toMatchObject({ code: 0 })
    await equal('/kill', '/kill')
    expect(JSON.parse((await run([...args, '--json'])).stdout)).toMatchObject({
      created: 0,
      updated: 0,
      multis: 0,
    })
  })

  test('a target server killed in the middle and started again: the same run goes on to equal trees', async () => {
    const size = await killTree('/crash')
    const events: string[] = []
    const copying = copy('/crash', '/crash', {
      batch: 1,
      withinMs: 30_000,
      on: event => event.kind === 'connection' && events.push(`${event.side} ${event.event.kind}`),
    })
    copying.catch(() => {})
    while ((await writtenBelow('/crash')) < 300) await sleep(1)
    expect(await writtenBelow('/crash')).toBeLessThan(size)
    await crashTarget()
    const report = await copying
    expect(events).toEqual(['target lost', 'target reconnected'])
    expect(report.created).toBe(report.scanned)
    await equal('/crash', '/crash')
  })

  test('SIGINT ends the copy cleanly with 130, and the next run completes it', async () => {
    await killTree('/cut')
    const args = ['--from', `${source}/cut`, '--to', `${target}/cut`, '--batch', '5', '--progress', 'json']
    const ended = await run(args, { signals: { at: ' written', send: 'SIGINT' } })
    expect(ended).toMatchObject({ code: 130, stderr: expect.stringContaining('INTERRUPTED') })
    expect((await run(args)).code).toBe(0)
    await equal('/cut', '/cut')
  })
})
