import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Sandbox, type SandboxCluster } from '../../src/sandbox/index.ts'
import { type ZkCopyOptions, zkcopy } from '../../src/zkcopy/index.ts'
import { keeping } from '../../src/zkcopy/keep.ts'
import { multi, OPEN_ACL, parseConnectString, ZkSession } from '../../src/zookeeper/index.ts'
import { spawned } from '../cli/spawned.ts'
import { sandboxOptions, servers } from '../sandbox-helper.ts'
import { content, Witness } from '../zkcopy/witness.ts'

const COMMAND = new URL('../zkcopy/command.ts', import.meta.url).pathname
const ZK = new URL('../zkcopy/zk-command.ts', import.meta.url).pathname
const SEQUENTIAL = 2

servers('zkcopy keeps versions, counters and types', () => {
  let sandbox: Sandbox
  let clusters: SandboxCluster[]
  let [source, target, ancient] = ['', '', '']
  let old: Witness
  let next: Witness
  const copy = (path: string, options: Partial<ZkCopyOptions> = {}) =>
    zkcopy({
      from: parseConnectString(source + path),
      to: parseConnectString(target + path),
      signal: new AbortController().signal,
      ...options,
    })
  const run = (path: string, args: string[]) =>
    spawned(COMMAND, ['--from', source + path, '--to', target + path, '--json', ...args])
  const verify = (path: string, args: string[]) =>
    spawned(ZK, ['verify', '--from', source + path, '--to', target + path, '--json', ...args])
  const versions = async (path: string) =>
    [...(await next.tree(path))].map(([below, { version }]) => `${below} ${version}`)
  const sets = async (witness: Witness, path: string, count: number) => {
    for (let i = 1; i <= count; i++) await witness.set(path, `${path} ${i}`)
  }

  beforeAll(async () => {
    sandbox = await Sandbox.open(sandboxOptions())
    clusters = await Promise.all(
      (['3.9.2', '3.9.2', '2.8.2'] as const).map(version =>
        sandbox.start({ kind: 'zookeeper', version, brokers: 0 }),
      ),
    )
    ;[source = '', target = '', ancient = ''] = clusters.map(({ zookeeper }) => zookeeper ?? '')
    old = await Witness.open(source)
    next = await Witness.open(target)
  })
  afterAll(async () => {
    await sandbox?.[Symbol.asyncDispose]()
  })

  test('--preserve-versions gives each znode the version of its source, also where it must be lowered', async () => {
    await old.plantAll(['/v', '/v/three', '/v/lower', '/v/same', '/v/parent', '/v/parent/child', '/v/zero'])
    await sets(old, '/v/three', 3)
    await sets(old, '/v/same', 2)
    await sets(old, '/v/parent', 1)
    await next.plantAll(['/v', '/v/lower', '/v/same', '/v/parent', '/v/parent/child'])
    await sets(next, '/v/lower', 4)
    await sets(next, '/v/same', 2)
    await sets(next, '/v/parent', 3)
    const ended = await run('/v', ['--preserve-versions', '--batch', '2'])
    expect(JSON.parse(ended.stdout)).toMatchObject({
      ok: true,
      repaired: 0,
      versionsLeft: { count: 1, first: ['/v/parent'] },
    })
    expect(content(await next.tree('/v'))).toEqual(content(await old.tree('/v')))
    const [parent, ...others] = [
      '/parent 4',
      '/ 0',
      '/lower 0',
      '/parent/child 0',
      '/same 2',
      '/three 3',
      '/zero 0',
    ]
    expect(await versions('/v')).toEqual([parent, ...others].sort())
    expect(await run('/v', ['--preserve-versions', '--check'])).toMatchObject({ code: 3 })
    expect((await verify('/v', [])).code).toBe(0)
    expect(JSON.parse((await verify('/v', ['--preserve-versions'])).stdout)).toMatchObject({
      ok: false,
      equal: false,
      differing: { count: 1, first: ['/parent'] },
    })
    await next.remove('/v/parent/child')
    await next.remove('/v/parent')
    expect(await copy('/v', { keep: keeping({ versions: true, sequence: [], rules: [] }) })).toMatchObject({
      created: 2,
    })
    expect(await run('/v', ['--preserve-versions', '--check'])).toMatchObject({ code: 0 })
    expect(JSON.parse((await run('/v', ['--preserve-versions'])).stdout)).toMatchObject({ multis: 0 })
  })

  test('a version of thousands is replayed over several multis', async () => {
    await old.plantAll(['/far', '/far/a', '/far/b'])
    await using session = await ZkSession.open({ servers: parseConnectString(source).servers })
    const sets = Array.from({ length: 500 }, () => ({
      ...({ kind: 'set', path: '/far/a', data: Buffer.from('last'), version: -1 } as const),
    }))
    for (let i = 0; i < 6; i++) await session.call(multi, sets)
    await copy('/far', { keep: keeping({ versions: true, sequence: [], rules: [] }) })
    expect(await versions('/far')).toEqual(['/ 0', '/a 3000', '/b 0'])
    expect(content(await next.tree('/far'))).toEqual(content(await old.tree('/far')))
  })

  test('--preserve-sequence: the next sequential child gets the number that it would get on the source', async () => {
    const nextName = async (witness: Witness, parent: string) => {
      await witness.plant(`${parent}/s-`, { mode: SEQUENTIAL })
      return (await witness.children(parent)).sort().at(-1)
    }
    await old.plantAll(['/seq', '/seq/q', '/seq/plain', '/seq/high'])
    for (let i = 0; i < 700; i++) await old.plant('/seq/q/s-', { mode: SEQUENTIAL })
    for (const name of (await old.children('/seq/q')).sort().slice(0, 690)) await old.remove(`/seq/q/${name}`)
    await next.plantAll(['/seq', '/seq/high', '/seq/high/x'])
    await next.remove('/seq/high/x')
    const args = ['--preserve-sequence', '/q', '--preserve-sequence', '/high']
    const before = await run('/seq', [...args, '--check'])
    expect(before.code).toBe(3)
    const ended = JSON.parse((await run('/seq', args)).stdout)
    expect(ended).toMatchObject({ ok: true, countersLeft: { count: 1, first: ['/seq/high'] } })
    expect(await next.children('/seq/q')).toHaveLength(10)
    expect((await verify('/seq', ['--preserve-sequence', '/q'])).code).toBe(0)
    expect(JSON.parse((await verify('/seq', args)).stdout)).toMatchObject({ differing: { first: ['/high'] } })
    expect(JSON.parse((await run('/seq', args)).stdout)).toMatchObject({ multis: 0 })
    expect([await nextName(next, '/seq/q'), await nextName(old, '/seq/q')]).toEqual([
      's-0000000700',
      's-0000000700',
    ])
  })

  test('servers before 3.6 keep versions, counters and containers just so', async () => {
    await old.plantAll(['/aged', '/aged/q', '/aged/set'])
    await sets(old, '/aged/set', 4)
    for (let i = 0; i < 5; i++) await old.plant('/aged/q/s-', { mode: SEQUENTIAL })
    for (const name of await old.children('/aged/q')) await old.remove(`/aged/q/${name}`)
    const rules = [{ glob: '/q', type: { kind: 'container' } as const }]
    const keep = keeping({ versions: true, sequence: ['/q'], rules })
    const signal = new AbortController().signal
    const [from, between] = [parseConnectString(`${source}/aged`), parseConnectString(`${ancient}/aged`)]
    expect(await zkcopy({ from, to: between, keep, signal })).toMatchObject({ created: 3, repaired: 0 })
    const to = parseConnectString(`${target}/aged`)
    expect(await zkcopy({ from: between, to, keep, signal })).toMatchObject({ created: 3, repaired: 0 })
    expect(await versions('/aged')).toEqual(['/ 0', '/q 0', '/set 4'])
    await next.plant('/aged/q/s-', { mode: SEQUENTIAL })
    expect(await next.children('/aged/q')).toEqual(['s-0000000005'])
  })

  test('containers and times to live are made by rule, and by what a snapshot of the source tells', async () => {
    await using session = await ZkSession.open({ servers: parseConnectString(source).servers })
    const typed = (path: string, type: object) =>
      ({ kind: 'create', path, data: Buffer.from(path), acl: OPEN_ACL, type }) as never
    const { value } = await session.call(multi, [
      typed('/types', { kind: 'container' }),
      typed('/types/c', { kind: 'container' }),
      typed('/types/t', { kind: 'ttl', ms: 3_600_000 }),
      typed('/types/plain', undefined as never),
    ])
    expect(value).toEqual([0, 0, 0, 0])
    await old.plantAll(['/types/c/a', '/types/rule'])
    for (const witness of [old, next]) await witness[Symbol.asyncDispose]() // the servers are started anew now
    const formatted = await snapshotOf(clusters[0] as SandboxCluster)
    const file = join(mkdtempSync(join(tmpdir(), 'kmig-')), 'snapshot.txt')
    writeFileSync(file, formatted)
    const ended = await run('/types', ['--types-from', file, '--ttl', '/rule=7000000'])
    expect(JSON.parse(ended.stdout)).toMatchObject({ ok: true, created: 6 })
    const types = (await snapshotOf(clusters[1] as SandboxCluster)).split('\n/').flatMap(entry => {
      const owner = /ephemeralOwner = (0x\w+)/.exec(entry)?.[1]
      return entry.startsWith('types') ? [`/${entry.split('\n')[0]} ${owner}`] : []
    })
    expect(types.sort()).toEqual([
      '/types 0x8000000000000000',
      '/types/c 0x8000000000000000',
      '/types/c/a 0x00000000000000',
      '/types/plain 0x00000000000000',
      `/types/rule 0xff00000000${(7_000_000).toString(16)}`,
      `/types/t 0xff00000000${(3_600_000).toString(16)}`,
    ])
  })
})

/** What ZooKeeper's own SnapshotFormatter prints of a server's data: a start writes a snapshot. */
const snapshotOf = async (cluster: SandboxCluster): Promise<string> => {
  const node = cluster.node(9)
  await node.stop('kill')
  await node.start()
  const directory = join(node.data, 'version-2')
  const zxid = (name: string) => Number.parseInt(name.split('.')[1] ?? '', 16)
  const snapshots = readdirSync(directory).filter(name => name.startsWith('snapshot.'))
  const newest = snapshots.sort((a, b) => zxid(b) - zxid(a))[0] ?? ''
  const [java = '', ...args] = readFileSync(`/proc/${node.pid}/cmdline`, 'utf8').split('\0')
  const jars = args[args.indexOf('-cp') + 1] ?? ''
  const formatter = ['-cp', jars, 'org.apache.zookeeper.server.SnapshotFormatter', join(directory, newest)]
  return execFileSync(java, formatter, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
}
