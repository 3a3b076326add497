import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { type AddressInfo, createServer as createTcp } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import type { Cluster } from '../../src/kafka/index.ts'
import { type Command, MirrorWorld } from '../mirror-world.ts'
import { servers } from '../sandbox-helper.ts'

const scratch = (): string => {
  const dir = mkdtempSync(join(tmpdir(), 'kmig-nonsense-'))
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }))
  return dir
}
/** What every failure owes the operator: its code, no stack, no bug; `says` names what and where. */
const expectFailure = async (command: Command, code: number, says: RegExp) => {
  const ended = await command.ended
  expect(command.stderr).toMatch(says)
  expect(ended.code).toBe(code)
  expect(command.stderr).not.toMatch(/BUG|\n\s+at |Error:/)
  return ended
}

servers('nonsense for kmig', () => {
  let world: MirrorWorld
  beforeAll(async () => {
    world = await MirrorWorld.open()
    await world.fill('t', { batches: 3 })
  })
  afterAll(async () => {
    await world?.[Symbol.asyncDispose]()
  })
  const topicsOf = async (cluster: Cluster) => (await cluster.metadata('all')).map(({ name }) => name).sort()

  test('what is no Kafka: an HTTP server, a ZooKeeper, a port that never answers or that hangs up: exit 10 within 20 s, named, for every command that asks', async () => {
    const http = createServer((_, answer) => answer.end('hello')).listen(0, '127.0.0.1')
    const silent = createTcp(socket => void socket.on('error', () => {})).listen(0, '127.0.0.1')
    const gone = createTcp(socket => socket.on('error', () => {}).end()).listen(0, '127.0.0.1')
    for (const each of [http, silent, gone]) onTestFinished(() => void each.close())
    await Promise.all([http, silent, gone].map(each => each.listening || once(each, 'listening')))
    const at = (server: { address(): string | AddressInfo | null }) =>
      `127.0.0.1:${(server.address() as AddressInfo).port}`
    const zookeeper = world.clusters.new.zookeeper?.split('/')[0] ?? ''
    for (const address of [at(http), at(silent), at(gone), zookeeper]) {
      const both = ['--from', world.bootstrap('old'), '--to', address]
      for (const args of [
        ['mirror', ...both, '--until-caught-up'],
        ['verify', ...both],
        ['offsets', 'show', ...both],
        ['stress', '--cluster', address, '--journals', scratch()],
      ]) {
        const { ms } = await expectFailure(world.run(...args), 10, new RegExp(address.replaceAll('.', '\\.')))
        expect(ms, args.join(' ')).toBeLessThan(20_000)
      }
    }
  })

  test('topics with every character that a name may have, and 249 of them, are copied and verified', async () => {
    const topics = ['x'.repeat(249), '...', '-x-', '0-1', 'a.b', 'A_z-0.9']
    for (const topic of topics) await world.fill(topic, { batches: 2 })
    const of = ['--name', 'odd', ...topics.flatMap(topic => [`--topics=${topic}`])]
    const ends = ['--from', world.bootstrap('old'), '--to', world.bootstrap('new')]
    const mirror = world.run('mirror', ...ends, ...of, '--until-caught-up', '--state-dir', scratch())
    expect((await mirror.ended).code, mirror.stderr).toBe(0)
    await world.expectEqual(topics)
    const verify = world.run('verify', ...ends, ...of)
    expect((await verify.ended).code, verify.stderr).toBe(0)
  })

  test('a state directory that can’t be one, or holds garbage: refused by name before anything is made on the target, or put right', async () => {
    const before = await topicsOf(world.next)
    const dir = scratch()
    writeFileSync(join(dir, 'file'), '')
    for (const bad of ['/dev/null', '/proc/kmig', join(dir, 'file')]) {
      const command = world.command('bad', ['t'], '--state-dir', bad, '--until-caught-up')
      await expectFailure(command, 4, /^PREFLIGHT: directory .* can't be made: /)
    }
    expect(await topicsOf(world.next)).toEqual(before)
    const kept = join(dir, 'state')
    mkdirSync(join(kept, 'locks'), { recursive: true })
    writeFileSync(join(kept, 'instance'), '')
    for (const [i, text] of ['', 'null', '{"pid":', '[]'].entries())
      writeFileSync(join(kept, 'locks', `${world.next.clusterId}.bad.lock.${i + 1}`), text)
    const command = world.command('bad', ['t'], '--state-dir', kept, '--until-caught-up')
    expect((await command.ended).code, command.stderr).toBe(0)
    expect(readdirSync(join(kept, 'locks'))).toEqual([])
    await world.expectEqual(['t'])
  })

  for (const [i, [what, key, value]] of (
    [
      ['that is no JSON', 'mirror', '{'],
      ['of another form', 'topic/', '{"starts":1}'],
      ['that is no object', 'anchor/', '"x"'],
      ['of a map that is none', 'map/', '17'],
      ['of a map that is garbage', 'map/', '"\u0000\u0001"'],
    ] as const
  ).entries())
    test(`a record ${what} in the mirror's state (${key}) stops it before it writes: STATE_DAMAGED, exit 7, with the topic and the key`, async () => {
      const [topic, name] = [`damaged-${i}`, `d${i}`]
      await world.fill(topic, { batches: 3 })
      const first = world.command(name, [topic], '--until-caught-up')
      expect((await first.ended).code, first.stderr).toBe(0)
      const full = { 'topic/': `topic/${topic}`, 'anchor/': `anchor/${topic}-0`, 'map/': `map/${topic}-0/0` }
      const damaged = key === 'mirror' ? key : full[key]
      await world.write(world.next, `__kmig.${name}`, [
        { key: Buffer.from(damaged), value: Buffer.from(value), timestamp: BigInt(Date.now()) },
      ])
      await world.more(topic, 0, { batches: 1 })
      const again = world.command(name, [topic], '--until-caught-up')
      await expectFailure(again, 7, new RegExp(`^STATE_DAMAGED: .*(__kmig\\.${name}|${topic}-0)`, 'm'))
      expect((await world.ends(world.next, [topic])).get(`${topic}-0`)).toBe(3n)
    })
})
