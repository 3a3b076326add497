import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { kafkaJs } from '../../src/kafka/index.ts'
import { parseBootstrap } from '../../src/kit/index.ts'
import { spawned } from '../cli/spawned.ts'
import { discoveryText } from '../discovery/cases.ts'
import { MirrorWorld } from '../mirror-world.ts'
import { servers } from '../sandbox-helper.ts'
import { logOf } from '../wire-log.ts'

const bin = new URL('../../bin/kmig.js', import.meta.url).pathname
const TOPIC = 'orders'
const PARTITIONS = 4

type Sent = { value: string; at: string; partition: number; offset: bigint }

const until = async (what: string, is: () => boolean | Promise<boolean>, withinMs = 120_000) => {
  for (const end = Date.now() + withinMs; !(await is()); await wait(50))
    if (Date.now() > end) throw new Error(`waited in vain for ${what}`)
}

servers('a new cluster that is gone after the switch', () => {
  let world: MirrorWorld
  let home: string
  const sent: Sent[] = []
  const end = new AbortController()
  let writing: Promise<void>
  const file = () => join(home, 'srv-configs/standard.yaml')
  const text = () => readFileSync(file(), 'utf8')
  const [stop, stopped] = [() => join(home, 'stop'), () => join(home, 'stopped')]

  /** A writer that finds its cluster in the discovery file each time its keepers start it, and counts what was acknowledged. */
  const write = async () => {
    for (let n = 0; !end.signal.aborted; ) {
      const at = text().match(/- (\S+:\d+)/)?.[1] ?? ''
      const options = { brokers: parseBootstrap(at), clientId: 'app' }
      const producer = kafkaJs(options).producer({ retry: { retries: 1 } })
      const connected = await producer.connect().then(
        () => true,
        () => false,
      )
      while (connected && !existsSync(stop()) && !end.signal.aborted) {
        const [value, partition] = [`${n++}`, n % PARTITIONS]
        const messages = [{ value, partition }]
        const acked = await producer.send({ topic: TOPIC, messages, timeout: 2_000 }).catch(() => [])
        const offset = BigInt(acked[0]?.baseOffset ?? -1)
        if (offset >= 0n) sent.push({ value, at, partition, offset })
        await wait(5)
      }
      await producer.disconnect().catch(() => {})
      if (existsSync(stop())) writeFileSync(stopped(), '')
      while (existsSync(stop()) && !end.signal.aborted) await wait(10)
    }
  }

  beforeAll(async () => {
    home = mkdtempSync(join(tmpdir(), 'kmig-lost-'))
    world = await MirrorWorld.open()
    for (const directory of ['srv-configs', 'hooks']) mkdirSync(join(home, directory))
    writeFileSync(file(), discoveryText({ devc: [world.bootstrap('old')] }))
    const yaml = (['old', 'new'] as const).map(
      name => `  ${name}: { bootstrap: ["${world.bootstrap(name)}"] }`,
    )
    writeFileSync(join(home, 'kmig.yaml'), `clusters:\n${yaml.join('\n')}\n`)
    const hook = (name: string, ...lines: string[]) =>
      writeFileSync(join(home, 'hooks', name), `#!/bin/sh\nset -e\n${lines.join('\n')}\n`, { mode: 0o755 })
    const stopAll = [`rm -f ${stopped()}`, `touch ${stop()}`]
    hook('fence', ...stopAll, `while [ ! -e ${stopped()} ]; do sleep 0.05; done`, 'echo writers-left=0')
    for (const name of ['unfence', 'reload-clients']) hook(name, `rm -f ${stop()}`)
    await world.make(TOPIC, PARTITIONS)
    writing = write()
    await until('a first record', () => sent.length > 0)
  })
  afterAll(async () => {
    end.abort()
    await writing
    await world?.[Symbol.asyncDispose]()
    rmSync(home, { recursive: true, force: true })
  })

  const own = () => [
    '--config',
    join(home, 'kmig.yaml'),
    '--state-dir',
    join(home, 'state'),
    '--progress',
    'plain',
  ]
  const kmig = (...args: string[]) => spawned(bin, ['cutover', ...args, ...own()])
  const seenNew = () => {
    const runs = join(home, 'state/runs')
    const { ends } = JSON.parse(readFileSync(join(runs, readdirSync(runs)[0] ?? '', 'seen-new.json'), 'utf8'))
    return BigInt(ends['orders-0'])
  }
  const side = (name: 'old' | 'new') => sent.filter(({ at }) => at === world.bootstrap(name))

  test('rollback says what to do and changes nothing; with --lossy writers go on on the old cluster, and each record is there or in a range that was named', async () => {
    const args = ['cutover', '--discovery', join(home, 'srv-configs'), '--hooks', join(home, 'hooks')]
    const runner = spawn(process.execPath, [bin, ...args, '--execute', '--yes', '--soak', ...own()], {
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    let said = ''
    runner.stderr.on('data', chunk => {
      said += chunk
    })
    const ended = new Promise(done => runner.once('close', done))
    await until('the first record there', () => said.includes('target-live:'))
    const back = side('new').length
    await until('more there', () => side('new').length > back + 50)
    // partition 0 does not come back any more: what clients write there is seen, and is on the new cluster alone
    await world.write(world.old, TOPIC, [{ key: null, value: Buffer.from('stray') }])
    await until('what is stranded to be named', async () => {
      const { code, stdout } = await kmig('status', '--json')
      return code === 7 && JSON.parse(stdout).stranded.some((text: string) => text.startsWith('orders-0'))
    })
    const count = side('new').filter(({ partition }) => partition === 0).length
    await until(
      'more there',
      () => side('new').filter(({ partition }) => partition === 0).length > count + 20,
    )
    const written = side('new').findLast(({ partition }) => partition === 0)?.offset ?? 0n
    await until('the runner to have seen it', () => seenNew() > written)
    await world.clusters.new.node(1).stop('kill')

    const before = text()
    const started = performance.now()
    const refused = await kmig('rollback')
    expect(refused).toMatchObject({ code: 10, stderr: expect.stringContaining('UNREACHABLE') })
    expect(performance.now() - started).toBeLessThan(60_000)
    expect(refused.stderr).toContain("the new cluster 'new' does not answer")
    expect(refused.stderr).toContain('--lossy')
    expect(text()).toBe(before)
    expect(runner.exitCode).toBeNull()

    expect(await kmig('rollback', '--lossy')).toMatchObject({
      code: 4,
      stderr: expect.stringContaining('NEEDS_CONSENT'),
    })
    const lossy = await kmig('rollback', '--lossy', '--confirm', 'new', '--json')
    expect({ code: lossy.code, stderr: lossy.stderr }).toMatchObject({ code: 7 })
    await ended
    const { lost, undone, files } = JSON.parse(lossy.stdout)
    expect(files.changed).toEqual(['standard.yaml'])
    expect(text()).toContain(world.bootstrap('old'))
    expect(undone).toEqual([expect.stringContaining('mirror anew')])
    expect(lost).toHaveLength(PARTITIONS)
    expect(lost.find((range: string) => range.startsWith('orders-0:'))).toMatch(
      /^orders-0: \d+-\d+ \(seen there/,
    )

    const again = side('old').length
    await until('the writer on the old cluster', () => side('old').length > again + 20)
    end.abort()
    await writing
    const logs = await Promise.all(Array.from({ length: PARTITIONS }, (_, p) => logOf(world.old, TOPIC, p)))
    const values = logs.flat().map(({ value }) => Buffer.from(value ?? '', 'base64').toString())
    expect(new Set(values).size).toBe(values.length)
    const there = new Set(values)
    for (const { value } of side('old')) expect(there).toContain(value)
    const from = new Map(
      lost.map((range: string) => /^\w+-(\d): (?:from )?(\d+)/.exec(range)?.slice(1) ?? []),
    )
    const missing = side('new').filter(({ value }) => !there.has(value))
    for (const { partition, offset } of missing)
      expect(offset).toBeGreaterThanOrEqual(BigInt(String(from.get(String(partition)))))
    const seen = BigInt(
      /-(\d+) \(/.exec(lost.find((range: string) => range.startsWith('orders-0:')))?.[1] ?? 0,
    )
    expect(missing.filter(({ partition }) => partition === 0).length).toBeGreaterThan(20)
    expect(seen).toBeGreaterThan(BigInt(String(from.get('0'))))
    const status = JSON.parse((await kmig('status', '--json')).stdout)
    expect(status).toMatchObject({ state: 'rolled-back' })
    const twice = await kmig('rollback', '--lossy', '--confirm', 'new', '--json')
    expect({ code: twice.code, already: JSON.parse(twice.stdout).already }).toEqual({
      code: 7,
      already: true,
    })
  })
})
