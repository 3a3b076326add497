import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { connect, createServer, type Server } from 'node:net'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Cluster, createTopics } from '../../src/kafka/index.ts'
import { parseBootstrap } from '../../src/kit/index.ts'
import { spawned } from '../cli/spawned.ts'
import { discoveryText, scratch } from '../discovery/cases.ts'
import { type Pair, pair, servers } from '../sandbox-helper.ts'

const bin = new URL('../../bin/kmig.js', import.meta.url).pathname

/** Another address of a broker, as a load balancer has one: what the broker advertises is another one. */
const relay = async (to: string): Promise<Server> => {
  const [host, port] = to.split(':')
  const server = createServer(client => {
    const broker = connect(Number(port), host)
    for (const side of [client, broker]) side.on('error', () => {})
    client.on('close', () => broker.destroy()).pipe(broker)
    broker.on('close', () => client.destroy()).pipe(client)
  })
  await new Promise<void>(done => server.listen(0, '127.0.0.1', done))
  return server
}

servers('discovery files of a cutover', () => {
  let clusters: Pair
  let front: Server
  const home = scratch()
  const topic = 'files'

  beforeAll(async () => {
    clusters = await pair()
    front = await relay(clusters.old.bootstrap())
    await using old = await Cluster.open({ bootstrap: parseBootstrap(clusters.old.bootstrap()) })
    await createTopics(old, [{ name: topic, partitions: 1, replicationFactor: 1, configs: {} }])
  })
  afterAll(async () => {
    front?.close()
    await clusters?.[Symbol.asyncDispose]()
    home[Symbol.dispose]()
  })

  /** Files of the old cluster, by the address that its broker advertises; kmig is given another one. */
  const scene = (name: string, path: string) => {
    const root = join(home.root, name)
    const file = join(root, 'srv-configs', path)
    mkdirSync(dirname(file), { recursive: true })
    const before = discoveryText({ devc: [clusters.old.bootstrap()] })
    const after = discoveryText({ devc: [clusters.new.bootstrap()] })
    writeFileSync(file, before)
    const { port } = front.address() as { port: number }
    const sides = ['--from', `127.0.0.1:${port}`, '--to', clusters.new.bootstrap()]
    const at = ['--discovery', join(root, 'srv-configs')]
    const state = ['--state-dir', join(root, 'state'), '--progress', 'plain']
    const kmig = (...args: string[]) => spawned(bin, [...args, ...state])
    const git = (...args: string[]) =>
      execFileSync('git', ['-C', root, ...args], {
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'ignore'],
      }).trim()
    return {
      ...{ root, before, after, git, kmig, at, sides },
      text: () => readFileSync(file, 'utf8'),
      cutover: (...more: string[]) =>
        kmig('cutover', ...sides, ...at, '--topics', topic, '--name', name, '--groups', name, ...more),
    }
  }
  const execute = ['--execute', '--yes', '--still-for', '1s']

  test('an entry is found by what the brokers advertise, though kmig was given another address', async () => {
    const s = scene('advertised', 'kafka_discovery/standard.yaml')
    const set = (...more: string[]) => s.kmig('discovery', 'set', ...s.sides, ...s.at, ...more)
    expect(await set('--offline')).toMatchObject({
      code: 4,
      stderr: expect.stringContaining('DISCOVERY_NO_MATCH'),
    })
    expect(await set('--check')).toMatchObject({ code: 3 })
    expect(await set('--execute')).toMatchObject({ code: 0 })
    expect(s.text()).toBe(s.after)
    expect(await set('--revert')).toMatchObject({ code: 0 })
    expect(await s.cutover(...execute)).toMatchObject({ code: 0 })
    expect(s.text()).toBe(s.after)
    expect(await s.kmig('cutover', 'rollback')).toMatchObject({ code: 0 })
    expect(s.text()).toBe(s.before)
  })

  test('--follow-symlinks edits the file behind a link, --git commits it alone, and rollback --git commits the way back', async () => {
    const s = scene('linked', 'data/real.conf')
    mkdirSync(join(s.root, 'srv-configs/kafka_discovery'))
    symlinkSync('../data/real.conf', join(s.root, 'srv-configs/kafka_discovery/standard.yaml'))
    s.git('init', '-q', '-b', 'main')
    for (const [key, value] of [
      ['user.name', 't'],
      ['user.email', 't@example.com'],
    ] as const)
      s.git('config', key, value)
    s.git('add', 'srv-configs')
    s.git('commit', '-q', '-m', 'first')
    expect(await s.cutover(...execute)).toMatchObject({ code: 4, stderr: expect.stringContaining('symlink') })
    expect(await s.cutover('--follow-symlinks', '--git', ...execute)).toMatchObject({ code: 0 })
    expect(s.text()).toBe(s.after)
    expect(s.git('show', '--format=', '--name-only', 'HEAD')).toBe('srv-configs/data/real.conf')
    const trailers = s.git('log', '-1', '--format=%(trailers:key=Kmig-Run,key=Kmig-Plan-Sha)')
    expect(trailers).toMatch(/^Kmig-Run: \S+\nKmig-Plan-Sha: [0-9a-f]{64}$/)

    s.git('checkout', '-q', '--detach')
    expect(await s.kmig('cutover', 'rollback', '--git')).toMatchObject({
      code: 4,
      stderr: expect.stringContaining('HEAD is detached'),
    })
    expect(s.text()).toBe(s.after)
    s.git('checkout', '-q', 'main')
    const back = await s.kmig('cutover', 'rollback', '--git', '--json')
    expect(JSON.parse(back.stdout)).toMatchObject({
      ok: true,
      commit: { branch: 'main', paths: ['data/real.conf'] },
    })
    expect(s.text()).toBe(s.before)
    expect(s.git('rev-parse', 'HEAD^{tree}')).toBe(s.git('rev-parse', 'HEAD~2^{tree}'))
    expect(s.git('log', '-1', '--format=%(trailers:key=Kmig-Run)')).toBe(trailers.split('\n')[0])
    expect(s.git('status', '--porcelain', 'srv-configs')).toBe('')
    const again = JSON.parse((await s.kmig('cutover', 'rollback', '--git', '--json')).stdout)
    expect(again).toMatchObject({ ok: true, already: true })
    expect(again.commit).toBeUndefined()
    expect(s.git('rev-list', '--count', 'HEAD')).toBe('3')
  })
})
