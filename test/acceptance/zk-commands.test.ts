import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { sleep } from '../../src/kit/index.ts'
import { Sandbox, type SandboxCluster } from '../../src/sandbox/index.ts'
import { digestId } from '../../src/zookeeper/index.ts'
import { keptKmig } from '../cli/kept.ts'
import { type Options, spawned } from '../cli/spawned.ts'
import { sandboxOptions, servers } from '../sandbox-helper.ts'
import { aclOfWitness, content, Witness } from '../zkcopy/witness.ts'

const bin = new URL('../../bin/kmig.js', import.meta.url).pathname
const kept = keptKmig()
const run = (args: string[]) => kept.run(['zk', ...args])
const signalled = (args: string[], signals: NonNullable<Options['signals']>) =>
  spawned(bin, ['zk', ...args], { signals })
const json = async (args: string[]) => {
  const { code, stdout, stderr } = await run([...args, '--json'])
  return { code, stderr, report: JSON.parse(stdout) }
}

servers('kmig zk on an ensemble of three', () => {
  let sandbox: Sandbox
  let cluster: SandboxCluster
  let ensemble = ''
  let ancient = ''
  let witness: Witness
  const directory = mkdtempSync(join(tmpdir(), 'kmig-zk-'))
  const file = (name: string) => join(directory, name)
  const stop = async (id: number) => {
    await cluster.node(id).stop('kill')
    return { [Symbol.asyncDispose]: async () => await cluster.node(id).start() }
  }

  beforeAll(async () => {
    sandbox = await Sandbox.open(sandboxOptions())
    const [three, old] = await Promise.all([
      sandbox.start({ kind: 'zookeeper', version: '3.9.2', brokers: 0, ensemble: 3 }),
      sandbox.start({ kind: 'zookeeper', version: '2.8.2', brokers: 0 }),
    ])
    cluster = three
    ensemble = three.zookeeper ?? ''
    ancient = old.zookeeper ?? ''
    witness = await Witness.open(ensemble)
    const read = aclOfWitness('world', 'anyone', 1)
    await witness.plantAll(['/app', '/app/a', '/app/b', '/app/a/zookeeper', '/app/größe 漢字'])
    await witness.plantAll(Array.from({ length: 1_200 }, (_, i) => `/app/a/n${i}`))
    await witness.plant('/app/b/big', { data: Buffer.alloc(400_000, 'b') })
    await witness.plant('/app/b/empty', { data: Buffer.alloc(0) })
    await witness.plant('/app/b/null', { data: null })
    await witness.plant('/app/b/acl', { acl: [aclOfWitness('ip', '127.0.0.0/8'), read] })
    await witness.plant('/app/live', { mode: 1 })
  })
  afterAll(async () => {
    kept[Symbol.dispose]()
    await witness?.[Symbol.asyncDispose]()
    await sandbox?.[Symbol.asyncDispose]()
    rmSync(directory, { recursive: true })
  })

  describe('zk du', () => {
    test('counts znodes, ephemerals and bytes below each prefix', async () => {
      const { code, report } = await json(['du', '--from', `${ensemble}/app`, '--depth', '1'])
      expect(code).toBe(0)
      const by = Object.fromEntries(
        report.prefixes.map(({ path, ...rest }: { path: string }) => [path, rest]),
      )
      const names = Array.from({ length: 1_200 }, (_, i) => `/app/a/n${i}`)
      const bytes = ['/app/a', '/app/a/zookeeper', ...names].join('').length
      expect(by['/app/a']).toEqual({ znodes: 1_202, bytes, ephemerals: 0, largest: 16 })
      expect(by['/app/b']).toMatchObject({ znodes: 5, ephemerals: 0, largest: 400_000 })
      expect(by['/app/live']).toMatchObject({ znodes: 1, ephemerals: 1 })
      expect(report).toMatchObject({ znodes: 1_210, ephemerals: 1, paths: 5, largest: 400_000 })
      expect(report.prefixes[0].path).toBe('/app')
    })
    test('leaves out the servers own /zookeeper, and ends with 4 where there is no such root', async () => {
      const { report } = await json(['du', '--from', ensemble])
      expect(report.prefixes.map(({ path }: { path: string }) => path)).not.toContain('/zookeeper')
      expect(await run(['du', '--from', `${ensemble}/none`])).toMatchObject({
        code: 4,
        stderr: expect.stringContaining('ZK_NO_NODE'),
      })
    })
  })

  describe('zk dump and restore', () => {
    test('what was dumped is restored elsewhere, equal but for ephemerals, and a second run writes nothing', async () => {
      const dumped = await json(['dump', file('app.ndjson.gz'), '--from', `${ensemble}/app`])
      expect(dumped).toMatchObject({ code: 0, report: { znodes: 1_210, ephemerals: 1 } })
      const args = ['restore', file('app.ndjson.gz'), '--to', `${ensemble}/some/where`]
      const checked = await json([...args, '--check'])
      expect(checked).toMatchObject({ code: 3, report: { created: 0, differing: { count: 1_209 } } })
      expect(await witness.exists('/some')).toBeNull()
      const restored = await json(args)
      expect(restored).toMatchObject({
        code: 0,
        report: { created: 1_210, ephemerals: 1, differing: { count: 0 } },
      })
      const source = content(await witness.tree('/app')).filter(({ path }) => path !== '/live')
      expect(content(await witness.tree('/some/where'))).toEqual(source)
      expect((await json(args)).report).toMatchObject({ created: 0, updated: 0, multis: 0, unchanged: 1_209 })
    })
    test('data and ACLs that changed since are put back, and what came since stays', async () => {
      await witness.plantAll(['/drift', '/drift/a', '/drift/b', '/drift/c'])
      await run(['dump', file('drift.ndjson'), '--from', `${ensemble}/drift`])
      const before = content(await witness.tree('/drift'))
      await witness.set('/drift/a', 'other')
      await witness.setAcl('/drift/b', [aclOfWitness('world', 'anyone', 17)])
      await witness.remove('/drift/c')
      await witness.plant('/drift/new')
      const { report } = await json(['restore', file('drift.ndjson'), '--to', `${ensemble}/drift`])
      expect(report).toMatchObject({ created: 1, updated: 1, aclsSet: 1, unchanged: 1 })
      await witness.remove('/drift/new')
      expect(content(await witness.tree('/drift'))).toEqual(before)
    })
    test('a file that was cut off or changed is refused, and nothing is written', async () => {
      const whole = readFileSync(file('app.ndjson.gz'))
      writeFileSync(file('cut.ndjson.gz'), whole.subarray(0, whole.length - 10))
      const text = gunzipSync(whole).toString()
      writeFileSync(file('cut.ndjson'), text.slice(0, text.lastIndexOf('{"kind":"footer"')))
      writeFileSync(file('changed.ndjson'), text.replace('"perms":31', '"perms":15'))
      for (const name of ['cut.ndjson.gz', 'cut.ndjson', 'changed.ndjson']) {
        const ended = await run(['restore', file(name), '--to', `${ensemble}/damaged`])
        expect(ended).toMatchObject({ code: 4, stderr: expect.stringContaining('ZK_DUMP_DAMAGED') })
      }
      expect(await witness.exists('/damaged')).toBeNull()
    })
    test('a dump to stdout restores on a server before 3.6, into a root of its own', async () => {
      const { stdout, code } = await spawned(bin, ['zk', 'dump', '-', '--from', `${ensemble}/app`])
      expect(code).toBe(0)
      writeFileSync(file('stdout.ndjson'), stdout)
      expect(await run(['restore', file('stdout.ndjson'), '--to', `${ancient}/back`])).toMatchObject({
        code: 0,
      })
      await using other = await Witness.open(ancient)
      const source = content(await witness.tree('/app')).filter(({ path }) => path !== '/live')
      expect(content(await other.tree('/back'))).toEqual(source)
    })
    test('hidden digests stop a dump and leave no file; their owner dumps and restores them', async () => {
      await witness.plant('/secured', {
        acl: [aclOfWitness('digest', digestId('kafka', 'secret')), aclOfWitness('world', 'anyone', 1)],
      })
      const args = ['dump', file('secured.ndjson'), '--from', `${ensemble}/secured`]
      expect(await run(args)).toMatchObject({ code: 5, stderr: expect.stringContaining('ZK_MASKED_ACL') })
      expect(readdirSync(directory).filter(name => name.includes('secured'))).toEqual([])
      writeFileSync(file('auth'), 'digest:kafka:secret\n', { mode: 0o600 })
      expect(await run([...args, '--from-auth', file('auth')])).toMatchObject({ code: 0 })
      const back = ['restore', file('secured.ndjson'), '--to', `${ensemble}/secured-back`]
      expect(await run([...back, '--to-auth', file('auth')])).toMatchObject({ code: 0 })
      const [seen] = (await witness.tree('/secured-back')).values()
      expect(seen?.acl).toEqual(['digest:kafka:x:31', 'world:anyone:1'])
    })
    test('an ephemeral in the way of a restore stops it by name', async () => {
      await witness.plant('/way')
      await witness.plant('/way/drift', { mode: 1 })
      const args = ['restore', file('drift.ndjson'), '--to', `${ensemble}/way/drift`]
      expect(await run(args)).toMatchObject({ code: 4, stderr: expect.stringContaining('/way/drift') })
    })
    test('a dump to a file that is there, or to stdout with --json, is a usage error', async () => {
      const args = ['dump', file('app.ndjson.gz'), '--from', `${ensemble}/app`]
      expect(await run(args)).toMatchObject({ code: 2 })
      expect(await run([...args, '--overwrite'])).toMatchObject({ code: 0 })
      expect(await run(['dump', '-', '--from', `${ensemble}/app`, '--json'])).toMatchObject({ code: 2 })
    })
  })

  describe('zk verify', () => {
    const sides = ['verify', '--from', '', '--to', '']
    const verify = (from: string, to: string, more: string[] = []) =>
      json([...sides.with(2, ensemble + from).with(4, ensemble + to), ...more])
    test('equal trees have one fingerprint, and exit 0', async () => {
      const { code, report } = await verify('/app', '/some/where')
      expect({ code, equal: report.equal }).toEqual({ code: 0, equal: true })
      expect(report.to.fingerprint).toBe(report.from.fingerprint)
      expect(report.from).toMatchObject({ znodes: 1_209, ephemerals: 1 })
    })
    test('one byte, one ACL, one znode less, one more: each is named, exit 3', async () => {
      await witness.plantAll(['/left', '/left/a', '/left/b', '/left/c', '/left/same'], {
        data: Buffer.from('x'),
      })
      await witness.plantAll(['/right', '/right/a', '/right/b', '/right/d', '/right/same'], {
        data: Buffer.from('x'),
      })
      await witness.set('/right/a', 'y')
      await witness.setAcl('/right/b', [aclOfWitness('world', 'anyone', 17)])
      const { code, report } = await verify('/left', '/right')
      expect(code).toBe(3)
      expect(report).toMatchObject({
        equal: false,
        differing: { count: 2, first: ['/a', '/b'] },
        missing: { count: 1, first: ['/c'] },
        extra: { count: 1, first: ['/d'] },
      })
      const ignoring = await verify('/left', '/right', ['--acl', 'ignore'])
      expect(ignoring.report.differing.first).toEqual(['/a'])
    })
    test('--acl open and --acl uniform ask for what a copy by that mode gives', async () => {
      await witness.plantAll(['/open', '/open/a'])
      await witness.plant('/open/b', { acl: [aclOfWitness('world', 'anyone', 17)] })
      await witness.plantAll(['/opened', '/opened/a', '/opened/b'])
      await Promise.all(['', '/a', '/b'].map(path => witness.set(`/opened${path}`, `/open${path}`)))
      for (const mode of ['open', 'uniform']) {
        expect(await verify('/open', '/opened', ['--acl', mode])).toMatchObject({ code: 0 })
      }
      expect(await verify('/open', '/opened')).toMatchObject({ code: 3 })
    })
    test('two hidden digests prove nothing: exit 5', async () => {
      expect(await verify('/secured', '/secured-back')).toMatchObject({ code: 5 })
      const auth = ['--from-auth', file('auth'), '--to-auth', file('auth')]
      expect(await verify('/secured', '/secured-back', auth)).toMatchObject({ code: 0 })
    })
  })

  describe('zk smoke', () => {
    const mine = async () => (await witness.children('/app')).filter(name => name.startsWith('kmig-'))
    test('every server does its work, and nothing stays', async () => {
      const { code, report } = await json(['smoke', '--to', `${ensemble}/app`])
      expect(code).toBe(0)
      expect(report.servers).toHaveLength(3)
      for (const { failed, ms } of report.servers) {
        expect(failed).toBeNull()
        expect(Object.keys(ms)).toEqual(['connect', 'create', 'list', 'watch', 'delete', 'notify'])
      }
      expect(await mine()).toEqual([])
    })
    test('a server that is down is named, exit 10, and the others go on', async () => {
      await using _ = await stop(11)
      await expect.poll(() => witness.exists('/app'), { timeout: 20_000 }).not.toBeNull()
      const { code, report } = await json(['smoke', '--to', `${ensemble}/app`, '--within', '5s'])
      expect(code).toBe(10)
      const [first, second, third] = report.servers
      expect([first.failed, second.failed]).toEqual([null, null])
      expect(third.failed).toMatchObject({ step: 'connect', code: 'UNREACHABLE' })
      expect(await mine()).toEqual([])
    })
    test('a root that is not there fails at every server, exit 4', async () => {
      const { code, report } = await json(['smoke', '--to', `${ensemble}/none`])
      expect(code).toBe(4)
      expect(report.servers[0].failed).toMatchObject({ step: 'create', code: 'ZK_NO_NODE' })
    })
    test('SIGKILL in the middle leaves no znode once the sessions are over', async () => {
      const ended = await signalled(['smoke', '--to', `${ensemble}/app`, '--progress', 'json'], {
        at: '"list"',
        send: 'SIGKILL',
      })
      expect(ended.code).toBe(-1)
      await expect.poll(mine, { timeout: 30_000 }).toEqual([])
    })
  })

  describe('zk latency', () => {
    const left = async () => (await witness.children('/app')).filter(name => name.startsWith('kmig-'))
    test('every operation is measured at every server, and nothing stays', async () => {
      const { code, report } = await json(['latency', '--to', `${ensemble}/app`, '--ops', '200'])
      expect(code).toBe(0)
      expect(report).toMatchObject({ ops: 200, bytes: 25, window: 16 })
      expect(report.servers).toHaveLength(3)
      for (const { operations } of report.servers) {
        expect(operations.map(({ operation }: { operation: string }) => operation)).toEqual([
          ...['create', 'set', 'get', 'notification', 'delete'],
        ])
        for (const { count, p50Ms, p99Ms, maxMs } of operations) {
          expect(count).toBe(200)
          expect(p50Ms).toBeGreaterThan(0)
          expect(p99Ms).toBeGreaterThanOrEqual(p50Ms)
          expect(maxMs).toBeGreaterThanOrEqual(p99Ms)
        }
      }
      expect(await left()).toEqual([])
    })
    test('SIGINT ends it with 130, and nothing stays', async () => {
      const ended = await signalled(
        ['latency', '--to', `${ensemble}/app`, '--ops', '100000', '--progress', 'json'],
        { at: '"part":0.002', send: 'SIGINT' },
      )
      expect(ended.code).toBe(130)
      await sleep(100)
      expect(await left()).toEqual([])
    })
    test('a server that is down ends it with 10, before anything is made', async () => {
      const down = `${ensemble.split(',')[0]},127.0.0.1:1/app`
      expect(await run(['latency', '--to', down, '--ops', '10', '--within', '2s'])).toMatchObject({
        code: 10,
        stderr: expect.stringContaining('127.0.0.1:1'),
      })
      expect(await left()).toEqual([])
    })
  })
})
