import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  Cluster,
  type Codec,
  createTopics,
  deleteTopics,
  encodeBatch,
  Produce,
} from '../../src/kafka/index.ts'
import { formatBytes, formatCount, parseBootstrap, sleep } from '../../src/kit/index.ts'
import { Sandbox } from '../../src/sandbox/index.ts'
import { NEW, OLD, sandboxOptions } from '../sandbox-helper.ts'
import { median, memoryDirectory, run, table } from './measure.ts'

export type Case = {
  name: string
  topic: string
  partitions: number
  size: number
  perBatch: number
  codec: Codec
  limitPerBatch: number
}

export const CASES: readonly Case[] = [
  {
    name: '1 KB, 64 KB batches',
    topic: 'kb',
    partitions: 12,
    size: 1000,
    perBatch: 64,
    codec: 0,
    limitPerBatch: 64,
  },
  {
    name: '1 KB, 64 KB zstd',
    topic: 'kbz',
    partitions: 12,
    size: 1000,
    perBatch: 64,
    codec: 4,
    limitPerBatch: 64,
  },
  {
    name: '100 B, one record a batch',
    topic: 'tiny',
    partitions: 12,
    size: 100,
    perBatch: 1,
    codec: 0,
    limitPerBatch: 3000,
  },
]
const RUNS = 5
/** What a run leaves is gone before the next. */
const CONFIG = { 'log.segment.delete.delay.ms': '1000' }

/**
 * Copies a filled topic from 3.9.2 to 4.3.1, each run into a new one; between the runs the limit is measured on the same
 * target. Figures are medians; the times are of one noisy machine, their ratios are what counts.
 */
export const bench = async (args: readonly string[]): Promise<void> => {
  const records = Number(args.find(arg => /^\d+$/.test(arg)) ?? 1_000_000)
  const chosen = CASES.filter(
    ({ topic }) => args.every(arg => /^\d+$/.test(arg) || arg === topic) || args.includes(topic),
  )
  await using sandbox = await Sandbox.open({
    ...sandboxOptions(),
    root: join(memoryDirectory(), 'kmig-bench'),
  })
  const servers = await Promise.all(
    [OLD, NEW].map(spec => sandbox.start({ ...spec, profile: 'bench', config: CONFIG })),
  )
  const [from = '', to = ''] = servers.map(cluster => cluster.bootstrap())
  await using old = await Cluster.open({ bootstrap: parseBootstrap(from) })
  await using next = await Cluster.open({ bootstrap: parseBootstrap(to) })
  const rows = [['case', 'limit s', 'kmig s', 'of limit', 'records/s', 'CPU s', 'RSS', 'whole process s']]
  for (const each of chosen) {
    await fill(old, each, records)
    const limits: number[] = []
    const times = { copy: [] as number[], cpu: [] as number[], rss: [] as number[], wall: [] as number[] }
    for (let round = 0; round < RUNS; round++) {
      limits.push(await limit(next, each, { records, round }))
      const taken = await copy({
        old,
        next,
        topic: each.topic,
        name: `bench-${each.topic}-${round}`,
        records,
      })
      times.copy.push(taken.copyMs)
      times.cpu.push(taken.cpuMs)
      times.rss.push(taken.rssBytes)
      times.wall.push(taken.wallMs)
      process.stderr.write(
        `${each.name} ${round + 1}/${RUNS}: limit ${limits.at(-1)?.toFixed(0)} ms, copied in ${taken.copyMs} ms, ${taken.cpuMs} ms CPU\n`,
      )
    }
    const [limitMs, copyMs] = [median(limits), median(times.copy)]
    const seconds = (ms: number) => (ms / 1000).toFixed(2)
    rows.push([
      each.name,
      seconds(limitMs),
      seconds(copyMs),
      (limitMs / copyMs).toFixed(2),
      formatCount(Math.round(records / (copyMs / 1000))),
      seconds(median(times.cpu)),
      formatBytes(Math.max(...times.rss)),
      seconds(median(times.wall)),
    ])
    await deleteTopics(old, [each.topic])
  }
  process.stdout.write(
    `${table(rows)}\n${formatCount(records)} records a case, medians of ${RUNS}; RSS is the highest; logs in ${memoryDirectory()}\n`,
  )
}

export const fill = async (
  cluster: Cluster,
  { topic, partitions, size, perBatch, codec }: Case,
  records: number,
): Promise<void> => {
  await createTopics(cluster, [{ name: topic, partitions, replicationFactor: 1 }])
  const value = (i: number) => {
    const json = JSON.stringify({
      id: i,
      user: `user-${(i * 7919) % 10_000}`,
      at: 1_700_000_000_000 + i,
      note: 'order placed',
    })
    return Buffer.from(json.repeat(Math.ceil(size / json.length)).slice(0, size))
  }
  const batches = Array.from({ length: 16 }, (_, b) =>
    encodeBatch(
      Array.from({ length: perBatch }, (_, i) => ({ value: value(b * perBatch + i) })),
      { codec },
    ),
  )
  const rounds = Math.ceil(records / perBatch / partitions)
  const connection = await cluster.connection(cluster.leaderOf(topic, 0)?.nodeId ?? 0, 'fill')
  let left = rounds
  const sender = async () => {
    while (left-- > 0) {
      const records = batches[left & 15] ?? Buffer.alloc(0)
      const topics = [
        { topic, partitions: Array.from({ length: partitions }, (_, partition) => ({ partition, records })) },
      ]
      await connection.send(Produce, { acks: 1, timeoutMs: 30_000, topics }, { timeoutMs: 60_000 })
    }
  }
  const start = performance.now()
  await Promise.all(Array.from({ length: 8 }, sender))
  process.stderr.write(`${topic} filled in ${((performance.now() - start) / 1000).toFixed(1)} s\n`)
}

const limit = async (
  next: Cluster,
  each: Case,
  { records, round }: { records: number; round: number },
): Promise<number> => {
  const topic = `limit-${each.topic}-${round}`
  const { partitions, size, limitPerBatch } = each
  const taken = await run(
    [
      'test/bench/produce-only.ts',
      next.bootstrap.map(b => `${b.host}:${b.port}`).join(),
      topic,
      ...[partitions, records, size, limitPerBatch].map(String),
    ],
    { quiet: false },
  )
  await deleteTopics(next, [topic])
  await sleep(3_000)
  return Number(taken.stdout)
}

type CopyOptions = { old: Cluster; next: Cluster; topic: string; name: string; records: number }

const copy = async ({ old, next, topic, name, records }: CopyOptions) => {
  const stateDir = mkdtempSync(join(tmpdir(), 'kmig-bench-'))
  const at = ({ bootstrap }: Cluster) => bootstrap.map(b => `${b.host}:${b.port}`).join()
  try {
    const taken = await run([
      'bin/kmig.js',
      'mirror',
      '--from',
      at(old),
      '--to',
      at(next),
      '--topics',
      topic,
      '--name',
      name,
      '--state-dir',
      stateDir,
      '--until-caught-up',
      '--json',
    ])
    const report = JSON.parse(taken.stdout)
    if (taken.code !== 0 || BigInt(report.records) < BigInt(records))
      throw new Error(`the copy failed: ${taken.stdout.slice(0, 2000)}`)
    await deleteTopics(next, [topic, `__kmig.${name}`])
    await sleep(3_000)
    return { ...taken, copyMs: Number(report.copyMs) }
  } finally {
    rmSync(stateDir, { recursive: true, force: true })
  }
}
