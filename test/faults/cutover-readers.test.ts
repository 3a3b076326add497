import { spawn } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { formatHostPort } from '../../src/kit/index.ts'
import { checkReads, newRun } from '../../src/load/index.ts'
import { demoCast } from '../../src/story/cast.ts'
import { Crowd } from '../../src/story/crowd.ts'
import { HookBridge } from '../../src/story/hook-bridge.ts'
import { judge } from '../../src/story/verdict.ts'
import { furnish, openWorld, TOPICS, type World } from '../../src/story/world.ts'
import { spawned } from '../cli/spawned.ts'
import { sandboxOptions, servers } from '../sandbox-helper.ts'

const bin = new URL('../../bin/kmig.js', import.meta.url).pathname
const { signal } = new AbortController()

const until = async (what: string, is: () => boolean, withinMs = 120_000) => {
  for (const end = Date.now() + withinMs; !is(); await wait(20))
    if (Date.now() > end) throw new Error(`waited in vain for ${what}`)
}

servers('a cutover whose readers go first, with live writers and groups', () => {
  let world: World
  let crowd: Crowd
  let bridge: HookBridge
  /** Where the operator's programs start each group. */
  const place = new Map<string, 'old' | 'new'>()
  const at = (side: 'old' | 'new') => (side === 'old' ? world.old : world.next).bootstrap
  const named = (side: 'old' | 'new') => at(side).map(formatHostPort).join(',')
  const readersAt = () => crowd.readers.map(reader => reader.at)
  const writersAt = () => new Set(crowd.writers.map(writer => writer.at))
  const reader = (group: string) => {
    const found = crowd.readers.find(each => each.group === group)
    if (!found) throw new Error(`no group '${group}'`)
    return found
  }
  const startWriters = async () => {
    await Promise.all(crowd.writers.map(writer => writer.start()))
  }

  beforeAll(async () => {
    world = await openWorld({ ...sandboxOptions(), prefix: 'kmig-readers-first-', signal })
    await furnish(world, signal)
    const { writers, readers } = demoCast(world)
    crowd = await Crowd.open(
      {
        writers,
        readers: readers.map(each => ({
          ...each,
          locate: async () => ({ bootstrap: at(place.get(each.group) ?? 'old') }),
        })),
      },
      { run: newRun(), journals: world.journals },
    )
    bridge = await HookBridge.open(world.state, {
      'stop-readers': (_, group) => reader(group).stop(),
      'start-readers': async (side, group) => {
        place.set(group, side as 'old' | 'new')
        await reader(group).start()
      },
      fence: () => crowd.stopWriters(),
      unfence: startWriters,
      'reload-clients': startWriters,
    })
    const yaml = [world.old, world.next].map(
      side =>
        `  ${side.name}: { bootstrap: ["${side.bootstrap.map(formatHostPort).join('", "')}"], zookeeper: "${side.zookeeper}" }`,
    )
    writeFileSync(join(world.state, 'kmig.yaml'), `clusters:\n${yaml.join('\n')}\n`)
    await crowd.start()
    await until('first reads', () => crowd.readers.every(({ count }) => count > 0))
  }, 180_000)
  afterAll(async () => {
    await bridge?.[Symbol.asyncDispose]()
    await crowd?.[Symbol.asyncDispose]()
    await world?.[Symbol.asyncDispose]()
  })

  const own = () => ['--config', join(world.state, 'kmig.yaml'), '--state-dir', world.state]
  const kmig = (...args: string[]) => spawned(bin, [...args, ...own(), '--progress', 'plain'])
  const execute = () => [
    ...['cutover', '--discovery', world.discovery, '--hooks', bridge.directory],
    ...['--execute', '--yes', '--readers-first', 'billing', '--readers-first', 'ana*'],
  ]
  const runner = (...args: string[]) => {
    const child = spawn(process.execPath, [bin, ...execute(), ...args, ...own(), '--progress', 'plain'], {
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const said = { text: '' }
    child.stderr.on('data', chunk => {
      said.text += chunk
    })
    const ended = new Promise<number | null>(done => child.once('close', done))
    const gate = async () => {
      await Promise.race([until('the gate', () => said.text.includes('waits before the fence')), ended])
      expect(said.text).toContain('waits before the fence')
    }
    return { ended, said, gate }
  }
  const status = async () => JSON.parse((await kmig('cutover', 'status', '--json')).stdout)
  /** Nobody has skipped or repeated a record so far. */
  const readsAreWhole = () => {
    const found = crowd.readers.flatMap(({ group, entries }) => checkReads(group, entries))
    expect(found.flatMap(({ skipped, reread }) => [...skipped, ...reread])).toEqual([])
  }
  const readOn = async () => {
    const counts = crowd.readers.map(({ count }) => count)
    await until('reads', () => crowd.readers.every(({ count }, i) => count > (counts[i] ?? 0) + 50))
  }

  test('the plan names the groups, and a pattern without a group blocks it: exit 4', async () => {
    const plan = ['cutover', '--discovery', world.discovery, '--hooks', bridge.directory, '--readers-first']
    const good = await kmig(...plan, 'bil*')
    expect({ code: good.code, stderr: good.stderr }).toMatchObject({
      code: 0,
      stderr: expect.stringContaining('move readers of billing first: hook stop-readers stops each group'),
    })
    const bad = await kmig(...plan, 'no-such-group')
    expect(bad).toMatchObject({ code: 4, stderr: expect.stringContaining('has no group no-such-group') })
  })

  test('they read on the new cluster while writers write to the old one; abort --readers-back brings them home, exit 9, and nothing is lost or read twice', async () => {
    const run = runner('--postpone')
    await run.gate()
    expect(readersAt()).toEqual([named('new'), named('new')])
    expect(writersAt()).toEqual(new Set([named('old')]))
    await readOn()
    expect((await status()).readers).toMatchObject([
      { group: 'analytics', state: 'moved' },
      { group: 'billing', state: 'moved', partitions: expect.any(Array) },
    ])
    const hooks = ['--hooks', bridge.directory]
    const { code, stdout, stderr } = await kmig('cutover', 'abort', '--readers-back', '--json', ...hooks)
    expect({ code, stdout, stderr }).toMatchObject({ code: 9, stdout: expect.stringContaining('"aborted"') })
    expect(await run.ended).toBe(9)
    expect(readersAt()).toEqual([named('old'), named('old')])
    expect((await status()).readers).toEqual([])
    await readOn()
    readsAreWhole()
  }, 240_000)

  test('killed when the first group has moved, the same command goes on; then the writers move, and every record was read once by each group', async () => {
    const killed = await spawned(bin, [...execute(), ...own(), '--progress', 'plain'], {
      signals: { at: 'may start on the new cluster', send: 'SIGKILL' },
    })
    expect(killed.code).toBe(-1)
    expect(await status()).toMatchObject({
      state: 'reads-moving',
      readers: [
        { group: 'analytics', state: 'moved' },
        { group: 'billing', state: 'waiting' },
      ],
    })
    const run = runner('--postpone')
    await run.gate()
    expect(readersAt()).toEqual([named('new'), named('new')])
    await readOn()
    expect((await kmig('cutover', 'go')).code).toBe(0)
    expect({ code: await run.ended, said: run.said.text }).toMatchObject({ code: 0 })
    expect(run.said.text).toContain('readers of analytics, billing moved first')
    expect(writersAt()).toEqual(new Set([named('new')]))
    await readOn()
    await crowd.stopWriters()
    for (let quiet = 0, read = -1; quiet < 8; quiet = crowd.read === read ? quiet + 1 : 0) {
      read = crowd.read
      await wait(250)
    }
    await crowd.stopReaders()
    readsAreWhole()
    const logs = await judge(world, crowd, { topics: TOPICS.map(({ name }) => name), signal })
    expect(logs.faults).toEqual([])
    expect(logs).toMatchObject({ offsetsIdentical: true, skipped: 0, reread: 0 })
    expect(logs.totals).toMatchObject({ lost: 0, repeated: 0, outOfOrder: 0, phantom: 0, foreign: 0 })
  }, 300_000)

  test('a rollback takes them back with all others: they go on where they were, on the old cluster', async () => {
    await crowd.start()
    await readOn()
    const back = await kmig('cutover', 'rollback', '--json', '--hooks', bridge.directory)
    expect(back).toMatchObject({ code: 0 })
    expect(readersAt()).toEqual([named('old'), named('old')])
    expect(writersAt()).toEqual(new Set([named('old')]))
    await readOn()
    readsAreWhole()
    const certificate = JSON.parse(back.stdout).certificate
    expect(certificate).toMatchObject({ unexplained: [] })
  }, 240_000)
})
