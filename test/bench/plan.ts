import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Cluster, commitOffsets, createTopics, encodeBatch, LATEST, Produce } from '../../src/kafka/index.ts'
import { inFlight, parseBootstrap, sleep } from '../../src/kit/index.ts'
import { Sandbox } from '../../src/sandbox/index.ts'
import { NEW, OLD, sandboxOptions } from '../sandbox-helper.ts'
import { cpuOf, memoryDirectory, run, table } from './measure.ts'

const TOPICS = 200
const PARTITIONS = 10
const GROUPS = 500
const IDLE_S = 30

/** The plan of 2,000 partitions and 500 groups, the time to the first record, and what their mirror costs when idle. */
export const bench = async (args: readonly string[]): Promise<void> => {
  const topics = Number(args.find(arg => /^\d+$/.test(arg)) ?? TOPICS)
  await using sandbox = await Sandbox.open({
    ...sandboxOptions(),
    root: join(memoryDirectory(), 'kmig-bench'),
  })
  const servers = await Promise.all([OLD, NEW].map(spec => sandbox.start({ ...spec, profile: 'bench' })))
  const [from = '', to = ''] = servers.map(cluster => cluster.bootstrap())
  await using old = await Cluster.open({ bootstrap: parseBootstrap(from) })
  await using next = await Cluster.open({ bootstrap: parseBootstrap(to) })
  const names = Array.from({ length: topics }, (_, i) => `t${String(i).padStart(4, '0')}`)
  await fill(old, names)
  const stateDir = mkdtempSync(join(tmpdir(), 'kmig-bench-'))
  const mirror = ['bin/kmig.js', 'mirror', '--from', from, '--to', to, '--name', 'plan']
  const state = ['--state-dir', stateDir]
  try {
    const plans = []
    for (let i = 0; i < 3; i++) plans.push(await run([...mirror, ...state, '--plan', '--json']))
    const first = plans.map(({ wallMs }) => (wallMs / 1000).toFixed(2)).join(', ')
    const child = spawn(process.execPath, [...mirror, ...state, '--json'], { stdio: 'pipe' })
    const ended = new Promise(resolve => child.once('close', resolve))
    let text = ''
    child.stderr.on('data', data => (text += data))
    const started = performance.now()
    const total = BigInt(names.length * PARTITIONS)
    while ((await held(next, names)) < total && child.exitCode === null) await sleep(200)
    const copied = performance.now() - started
    await sleep(5_000)
    const before = cpuOf(child.pid ?? 0)
    await sleep(IDLE_S * 1_000)
    const after = cpuOf(child.pid ?? 0)
    const hot = await beside(old, next, names[0] ?? '')
    const end = cpuOf(child.pid ?? 0)
    child.kill('SIGTERM')
    await ended
    const small = ['--topics', 'one', '--name', 'one', '--state-dir', stateDir]
    const one = await firstRecord([...mirror.slice(0, 6), ...small], old, next)
    process.stderr.write(text)
    const idle = ((after.cpuMs - before.cpuMs) / (IDLE_S * 1_000)) * 100
    process.stdout.write(
      `${table([
        ['what', 'value'],
        [`plan of ${total} partitions and ${GROUPS} groups, s`, first],
        ['made and copied, one record each, s', (copied / 1000).toFixed(2)],
        [`idle, % of a core over ${IDLE_S} s`, idle.toFixed(1)],
        ['one hot partition beside them: 100,000 records of 1 KB, s', (hot / 1000).toFixed(2)],
        ['CPU of that, s', ((end.cpuMs - after.cpuMs) / 1000).toFixed(2)],
        [
          'RSS idle, then hot (highest), MB',
          `${(after.rssBytes / 1e6).toFixed(0)}, ${(end.rssBytes / 1e6).toFixed(0)}`,
        ],
        ['first record after the process started (one topic), s', (one / 1000).toFixed(2)],
      ])}\n`,
    )
  } finally {
    rmSync(stateDir, { recursive: true, force: true })
  }
}

const held = async (cluster: Cluster, topics: readonly string[]): Promise<bigint> => {
  const asks = (await cluster.metadata(topics)).flatMap(({ name, partitions }) =>
    partitions.map(({ partition }) => ({ topic: name, partition, timestamp: LATEST })),
  )
  const ends = await cluster.listOffsets(asks, { refused: () => {} })
  return [...ends.values()].reduce((sum, { offset }) => sum + offset, 0n)
}

/** Writes to one partition and waits until the copy has it. */
const beside = async (old: Cluster, next: Cluster, topic: string): Promise<number> => {
  const records = encodeBatch(Array.from({ length: 100 }, () => ({ value: Buffer.alloc(1_000, 'x') })))
  const connection = await old.connection(old.leaderOf(topic, 0)?.nodeId ?? 0, 'fill')
  const started = performance.now()
  for (let i = 0; i < 1_000; i++) {
    const topics = [{ topic, partitions: [{ partition: 0, records }] }]
    await connection.send(Produce, { acks: 1, timeoutMs: 30_000, topics }, { timeoutMs: 60_000 })
  }
  const goal = (await held(old, [topic])) - 1n
  while ((await held(next, [topic])) <= goal) await sleep(20)
  return performance.now() - started
}

const firstRecord = async (args: readonly string[], old: Cluster, next: Cluster): Promise<number> => {
  await fill(old, ['one'])
  const started = performance.now()
  const child = spawn(process.execPath, args, { stdio: 'ignore' })
  const ended = new Promise(resolve => child.once('close', resolve))
  while ((await held(next, ['one'])) === 0n) await sleep(10)
  const ms = performance.now() - started
  child.kill('SIGTERM')
  await ended
  return ms
}

/** Topics of ten partitions with a record in each, and groups that have read a few of them. */
const fill = async (cluster: Cluster, names: readonly string[]): Promise<void> => {
  for (let i = 0; i < names.length; i += 20)
    await createTopics(
      cluster,
      names.slice(i, i + 20).map(name => ({ name, partitions: PARTITIONS, replicationFactor: 1 })),
    )
  const records = encodeBatch([{ value: Buffer.from('one') }])
  const connection = await cluster.connection(cluster.leaderOf(names[0] ?? '', 0)?.nodeId ?? 0, 'fill')
  const partitions = Array.from({ length: PARTITIONS }, (_, partition) => ({ partition, records }))
  const topics = names.map(topic => ({ topic, partitions }))
  await connection.send(Produce, { acks: 1, timeoutMs: 30_000, topics }, { timeoutMs: 60_000 })
  if (names.length === 1) return
  const commit = (i: number) =>
    commitOffsets(cluster, `group-${i}`, [
      { topic: names[i % names.length] ?? '', partition: i % PARTITIONS, offset: 1n, metadata: '' },
    ])
  const all = Array.from({ length: GROUPS }, (_, i) => i)
  for await (const _ of inFlight(all, 16, commit, new AbortController().signal));
}
