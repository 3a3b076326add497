import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { spawned } from '../cli/spawned.ts'
import { FakeServer } from '../zookeeper/fake-server.ts'

const COMMAND = new URL('./command.ts', import.meta.url).pathname
let [source, target]: FakeServer[] = []
const at = (server: FakeServer | undefined, root = '') => `127.203.0.3:${server?.port}${root}`
const cwd = mkdtempSync(join(tmpdir(), 'kmig-'))
const home = { XDG_CONFIG_HOME: cwd, KMIG_CONFIG: '' }
const run = (args: string[]) => spawned(COMMAND, args, { cwd, env: home })

beforeAll(async () => {
  source = await FakeServer.start()
  target = await FakeServer.start()
  source.put('/app', 'root')
  source.put('/app/a', 'a')
})
afterAll(async () => {
  await source?.[Symbol.asyncDispose]()
  await target?.[Symbol.asyncDispose]()
})

const from = () => ['--from', at(source, '/app')]
const to = () => ['--to', at(target, '/app')]
const rows: [string, () => string[], number, string, string][] = [
  [
    'a server without a port',
    () => [...from(), '--to', 'new-host,h2:2181/app'],
    2,
    'ZK_CONNECT_STRING',
    'no port',
  ],
  [
    'a chroot that ends in /',
    () => [...from(), '--to', at(target, '/app/')],
    2,
    'ZK_CONNECT_STRING',
    'ends with /',
  ],
  [
    'a chroot with ..',
    () => [...from(), '--to', at(target, '/a/../b')],
    2,
    'ZK_CONNECT_STRING',
    'relative name',
  ],
  ['an unknown cluster name', () => ['--from', 'prod', ...to()], 2, 'UNKNOWN_CLUSTER', "'prod'"],
  ['a negative --since', () => [...from(), ...to(), '--since', '-5'], 2, 'USAGE', "'-5'"],
  ['a --since that is no time', () => [...from(), ...to(), '--since', 'yesterday'], 2, 'USAGE', 'yesterday'],
  ['--batch 0', () => [...from(), ...to(), '--batch', '0'], 2, 'USAGE', '1 to 1000'],
  ['--batch 1001', () => [...from(), ...to(), '--batch', '1001'], 2, 'USAGE', '1 to 1000'],
  ['an unknown flag', () => [...from(), ...to(), '--sinse', '1'], 2, 'USAGE', '--sinse'],
  ['--delete with --since', () => [...from(), ...to(), '--delete', '--since', '1'], 2, 'USAGE', '--since'],
  ['a glob without /', () => [...from(), ...to(), '--exclude', 'a'], 2, 'USAGE', 'begin with /'],
  ['a source root that does not exist', () => ['--from', at(source, '/ap'), ...to()], 4, 'ZK_NO_NODE', '/ap'],
  [
    'an unknown host',
    () => [...from(), '--to', 'no-such-host.invalid:2181'],
    10,
    'UNREACHABLE',
    'no-such-host',
  ],
  [
    'a port where nobody listens',
    () => [...from(), '--to', '127.203.0.99:2181'],
    10,
    'UNREACHABLE',
    '127.203.0.99:2181',
  ],
]
for (const [title, args, exit, code, why] of rows) {
  test.concurrent(`${title} ends with exit ${exit} and ${code}, and nothing is written`, async () => {
    const ended = await run([...args(), '--json'])
    const report = JSON.parse(ended.stdout)
    expect(report).toMatchObject({ schemaVersion: 1, command: 'zkcopy', ok: false })
    expect(report.error).toMatchObject({ code, exit, message: expect.stringContaining(why) })
    if (code !== 'BUG') expect(report.error.try.length).toBeGreaterThan(0)
    expect(ended.code).toBe(exit)
    expect([...(target?.nodes.keys() ?? [])]).toEqual(['/'])
  }, 60_000)
}

test('names of kmig.yaml are resolved, the report is JSON on stdout with zxids as strings, and says so to people', async () => {
  const config = join(cwd, 'other.yaml')
  const lines = [
    `old: { zookeeper: "${at(source, '/app')}" }`,
    `new: { zookeeper: "${at(target, '/x/app')}" }`,
  ]
  writeFileSync(config, `clusters:\n  ${lines.join('\n  ')}\n`)
  const first = await run(['--config', config, '--json'])
  expect(first.code).toBe(0)
  expect(JSON.parse(first.stdout)).toMatchObject({
    ok: true,
    created: 3,
    watermark: expect.stringMatching(/^\d+$/),
  })
  const second = await run(['--config', config])
  expect(second).toMatchObject({ code: 0, stdout: '' })
  expect(second.stderr).toContain('0 created, 0 updated, 2 unchanged')
  expect(second.stderr).toMatch(/next: --since \d+/)
}, 60_000)

test('a typo in the properties of a ZooKeeper is warned of on stderr, unless --quiet', async () => {
  const file = join(cwd, 'typo.properties')
  writeFileSync(file, 'zookeper.client.secure=true\n')
  const args = [...from(), '--from-auth', file, '--to', at(target, '/typo'), '--json']
  expect((await run(args)).stderr).toContain(`${file}: kmig makes no use of zookeper.client.secure`)
  expect((await run([...args, '--quiet'])).stderr).not.toContain('zookeper')
})
