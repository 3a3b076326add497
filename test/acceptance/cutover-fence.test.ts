import { type ChildProcess, spawn } from 'node:child_process'
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { abortRun, cutoverStatus, setGate } from '../../src/cutover/index.ts'
import { Cluster, createTopics, kafkaJs } from '../../src/kafka/index.ts'
import { parseBootstrap } from '../../src/kit/index.ts'
import { spawned } from '../cli/spawned.ts'
import { discoveryText } from '../discovery/cases.ts'
import { type Pair, pair, servers } from '../sandbox-helper.ts'
import { logOf } from '../wire-log.ts'

const bin = new URL('../../bin/kmig.js', import.meta.url).pathname
const TOPIC = 'orders'
const PARTITIONS = 200

const until = async (what: string, is: () => boolean, withinMs = 60_000) => {
  for (const end = Date.now() + withinMs; !is(); await wait(20))
    if (Date.now() > end) throw new Error(`waited in vain for ${what}`)
}

servers('a cutover with hooks', () => {
  let clusters: Pair
  let old: Cluster
  let next: Cluster
  let home: string
  const { signal } = new AbortController()
  const files = () => join(home, 'srv-configs/standard.yaml')
  const text = () => readFileSync(files(), 'utf8')
  const stop = () => join(home, 'stop')
  const stopped = () => join(home, 'stopped')
  const sent: string[] = []
  let longestMs = 0
  const end = new AbortController()
  let writing: Promise<void>

  /** An ordinary writer that its keepers stop and start by a file, and that finds its cluster in the discovery file. */
  const write = async () => {
    let last: number | undefined
    for (let n = 0; !end.signal.aborted; ) {
      const bootstrap = text().match(/- (\S+:\d+)/)?.[1] ?? ''
      const producer = kafkaJs({ brokers: parseBootstrap(bootstrap), clientId: 'app' }).producer()
      await producer.connect()
      while (!existsSync(stop()) && !end.signal.aborted) {
        const value = `${n++}`
        await producer.send({ topic: TOPIC, messages: [{ value, partition: n % PARTITIONS }] })
        sent.push(value)
        const now = performance.now()
        longestMs = Math.max(longestMs, last === undefined ? 0 : now - last)
        last = now
        await wait(5)
      }
      await producer.disconnect()
      writeFileSync(stopped(), '')
      while (existsSync(stop()) && !end.signal.aborted) await wait(10)
    }
  }

  beforeAll(async () => {
    home = mkdtempSync(join(tmpdir(), 'kmig-fence-'))
    clusters = await pair()
    old = await Cluster.open({ bootstrap: parseBootstrap(clusters.old.bootstrap()), signal })
    next = await Cluster.open({ bootstrap: parseBootstrap(clusters.new.bootstrap()), signal })
    mkdirSync(join(home, 'srv-configs'))
    writeFileSync(files(), discoveryText({ devc: [clusters.old.bootstrap()] }))
    const yaml = ['old', 'new'].map(
      name => `  ${name}: { bootstrap: ["${clusters[name as 'old' | 'new'].bootstrap()}"] }`,
    )
    writeFileSync(join(home, 'kmig.yaml'), `clusters:\n${yaml.join('\n')}\n`)
    mkdirSync(join(home, 'hooks'))
    const hook = (name: string, ...lines: string[]) =>
      writeFileSync(join(home, 'hooks', name), `#!/bin/sh\nset -e\n${lines.join('\n')}\n`, { mode: 0o755 })
    hook(
      'fence',
      // so many attempts keep nobody off: all but the last of them say so
      `leave=$(cat ${home}/leave 2>/dev/null || echo 0)`,
      `if [ "$KMIG_ATTEMPT" -le "$leave" ]; then echo writers-left=$((leave - KMIG_ATTEMPT)); exit 0; fi`,
      `rm -f ${stopped()}`,
      `touch ${stop()}`,
      `while [ ! -e ${stopped()} ]; do sleep 0.02; done`,
      `echo "$KMIG_SIDE $KMIG_OLD_BOOTSTRAP" >> ${home}/told`,
      'echo writers-left=0',
    )
    for (const name of ['pre-fence', 'pre-switch'])
      hook(name, `touch ${home}/in-${name}`, `while [ -e ${home}/hold-${name} ]; do sleep 0.02; done`)
    hook('unfence', `rm -f ${stop()}`)
    hook('reload-clients', `rm -f ${stop()}`)
    await createTopics(old, [{ name: TOPIC, partitions: PARTITIONS, replicationFactor: 1, configs: {} }])
    writing = write()
    await until('a first record', () => sent.length > 0)
  })
  afterAll(async () => {
    for (const child of runners) child.kill('SIGKILL')
    end.abort()
    await writing
    await old?.[Symbol.asyncDispose]()
    await next?.[Symbol.asyncDispose]()
    await clusters?.[Symbol.asyncDispose]()
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
  /** One whose test failed would wait at its gate, or soak, for ever. */
  const runners: ChildProcess[] = []
  const kmig = (...args: string[]) => spawned(bin, [...args, ...own()])
  const what = () => ['cutover', '--discovery', join(home, 'srv-configs'), '--hooks', join(home, 'hooks')]
  const execute = () => [...what(), '--execute', '--yes']
  /** A runner, to be spoken to while it runs. */
  const runner = (...args: string[]) => {
    const child = spawn(process.execPath, [bin, ...execute(), ...args, ...own()], {
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    runners.push(child)
    let said = ''
    child.stderr.on('data', chunk => {
      said += chunk
    })
    const ended = new Promise<number | null>(done => child.once('close', done))
    return { child, ended, said: () => said }
  }
  const status = async () => JSON.parse((await kmig('cutover', 'status', '--json')).stdout)
  /** What the commands do, without a process of their own: hooks and fences wait for nobody long. */
  const stateDir = () => join(home, 'state')
  const now = () => cutoverStatus({ stateDir: stateDir() })
  const gate = (order: 'go' | 'pause') => setGate(order, { stateDir: stateDir() })

  test('a discovery file that is edited by hand between plan and execution stops it: exit 4, nobody is kept off', async () => {
    const plan = await kmig(...what(), '--json')
    expect(plan).toMatchObject({ code: 0 })
    const { run } = JSON.parse(plan.stdout).document
    const before = text()
    appendFileSync(files(), '# by hand\n')
    const { code, stderr } = await kmig(...execute(), '--run', run)
    expect({ code, stderr }).toMatchObject({ code: 4, stderr: expect.stringContaining('PLAN_CHANGED') })
    expect(stderr).toContain('standard.yaml changed since the plan was shown')
    expect(existsSync(join(home, 'told'))).toBe(false)
    writeFileSync(files(), before)
  }, 120_000)

  test('pause closes the gate of a run up to its fence, and go opens it; behind the fence pause is refused (exit 4), and abort ends it: exit 9, the writer goes on', async () => {
    const before = text()
    const hold = (name: string) => writeFileSync(join(home, `hold-${name}`), '')
    const goOn = (name: string) => rmSync(join(home, `hold-${name}`))
    for (const name of ['pre-fence', 'pre-switch']) hold(name)
    const run = runner()
    await until('the last step before the fence', () => existsSync(join(home, 'in-pre-fence')))
    const early = await now()
    expect([early.state, early.held]).toEqual(['armed', undefined])
    expect(await gate('pause')).toMatchObject({ state: 'armed', by: 'runner' })
    goOn('pre-fence')
    await until('the gate', () => run.said().includes('waits before the fence'))
    expect(await status()).toMatchObject({ state: 'caught-up', class: 'FREE', held: expect.any(String) })
    expect(existsSync(join(home, 'told'))).toBe(false)
    expect((await kmig('cutover', 'go')).code).toBe(0)
    await until('the last step before the switch', () => existsSync(join(home, 'in-pre-switch')))
    await expect(gate('pause')).rejects.toMatchObject({
      code: 'WRONG_STATE',
      exit: 4,
      message: 'the run is sealing: nobody may wait behind a fence; kmig cutover abort ends it',
    })
    expect((await now()).held).toBe(undefined)
    const count = sent.length
    const abort = abortRun({ stateDir: stateDir(), signal })
    await until('the writer to go on', () => sent.length > count)
    goOn('pre-switch')
    expect(await abort).toMatchObject({ state: 'aborted', by: 'runner' })
    expect(await run.ended).toBe(9)
    expect(text()).toBe(before)
    rmSync(join(home, 'told'))
    const over = await kmig('cutover', 'pause')
    expect(over).toMatchObject({ code: 4, stderr: expect.stringContaining('WRONG_STATE') })
    expect(over.stderr).toContain('is aborted: pause does nothing there')
  }, 120_000)

  test('killed behind its fence, its watchdog lets the writers go on; the same command begins anew', async () => {
    const before = text()
    const killed = await spawned(bin, [...execute(), ...own()], {
      signals: { at: 'fenced:', send: 'SIGKILL' },
    })
    expect(killed.code).toBe(-1)
    const count = sent.length
    await until('the writer to go on', () => !existsSync(stop()) && sent.length > count)
    await until('the journal', () =>
      readFileSync(journalOf(home), 'utf8').includes('its watchdog let the writers go on'),
    )
    expect(await status()).toMatchObject({ state: 'aborted' })
    expect(text()).toBe(before)
  }, 120_000)

  test('after go, and two attempts that leave a writer, it pauses for the window and little more, and is moved; rollback takes over from the runner that soaks, and takes back what was written there; nothing is lost', async () => {
    longestMs = 0
    writeFileSync(join(home, 'leave'), '2')
    const run = runner('--postpone', '--soak', '--fence-backoff', '100ms')
    await until('the gate', () => run.said().includes('waits before the fence'))
    expect((await kmig('cutover', 'go')).code).toBe(0)
    await until('the switch', () => run.said().includes('switched: SWITCHED'), 100_000)
    rmSync(join(home, 'leave'))
    expect(run.said().match(/^backing-off: .*$/gm)).toEqual([
      expect.stringMatching(
        /^backing-off: writers go on after .*hook fence says that 1 writer .*; once more in/,
      ),
      expect.stringMatching(
        /^backing-off: writers go on after .*log ends do not stand still.*; once more in/,
      ),
    ])
    const count = sent.length
    await until('the writer on the new cluster', () => sent.length > count + 20)
    const there = longestMs
    expect(there).toBeGreaterThan(1_000)
    expect(there).toBeLessThan(15_000)
    expect(text()).toContain(clusters.new.bootstrap())
    await until('the first record there', () => run.said().includes('target-live:'))
    const certificate = JSON.parse(readFileSync(join(newestRun(home), 'certificate.json'), 'utf8'))
    expect(certificate.attempts).toMatchObject([
      { driver: 'hook', state: 'fencing', code: 'STILL_WRITTEN', ms: expect.any(Number) },
      { driver: 'hook', state: 'fenced', code: 'STILL_WRITTEN', ms: expect.any(Number) },
    ])
    expect(await now()).toMatchObject({
      state: expect.stringMatching(/^(target-live|soaking)$/), // on a slow machine it is quiet for long already
      ...{ class: 'REVERSE', runner: run.child.pid },
    })
    longestMs = 0
    const back = await kmig('cutover', 'rollback', '--json')
    expect(back).toMatchObject({ code: 0 })
    expect(JSON.parse(back.stdout).certificate).toMatchObject({ unexplained: [] })
    expect(await run.ended).toBe(0)
    expect(text()).toContain(clusters.old.bootstrap())
    const again = sent.length
    await until('the writer on the old cluster', () => sent.length > again + 20)
    process.stderr.write(`pause ${Math.round(there)} ms there, ${Math.round(longestMs)} ms back\n`)
    end.abort()
    await writing
    const records = (
      await Promise.all(Array.from({ length: PARTITIONS }, (_, p) => logOf(old, TOPIC, p)))
    ).flat()
    expect(
      records.map(({ value }) => Number(Buffer.from(value ?? '', 'base64'))).sort((a, b) => a - b),
    ).toEqual(sent.map(Number))
  }, 240_000)
})

const newestRun = (home: string): string => {
  const runs = join(home, 'state/runs')
  return join(runs, readdirSync(runs).sort().at(-1) ?? '')
}
const journalOf = (home: string): string => join(newestRun(home), 'cutover.journal')
