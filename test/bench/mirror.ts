import { mkdtempSync, rmSync } from 'node:fs'
import { cpus, loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { Cluster, CODECS, deleteTopics } from '../../src/kafka/index.ts'
import { formatBytes, formatCount, parseBootstrap, sleep } from '../../src/kit/index.ts'
import { Sandbox, type SandboxCluster } from '../../src/sandbox/index.ts'
import { NEW, OLD, sandboxOptions } from '../sandbox-helper.ts'
import { AWAY, CASES, type Case, fill, recordsOf } from './cases.ts'
import { heldBy } from './ends.ts'
import { median, memoryDirectory, run, type Taken, table } from './measure.ts'
import { type Arguments, parse } from './mirror-arguments.ts'
import { type Mm2Taken, mm2Copy } from './mm2.ts'

/** What a run leaves is gone before the next. */
const CONFIG = { 'log.segment.delete.delay.ms': '1000' }
const GONE_MS = 3_000
/** As much as a link must hold for 80 ms of what these servers can give. */
const LINK_BYTES = 64 << 20
const RSS_BYTES = 256 * 2 ** 20
const FIRST_MS = 1_500

type Copied = Taken & { copyMs: number; firstMs: number }
type Measured = { each: Case; limits: number[]; kmig: Copied[]; mm2: Mm2Taken[] }
type World = { sandbox: Sandbox; source: SandboxCluster; to: string; old: Cluster; next: Cluster }

/**
 * Copies a filled topic from 3.9.2 to 4.3.1, each run into a new one, by kmig and by tuned MirrorMaker 2; between the
 * runs the limit is measured on the same target. Figures are medians; the times are of one noisy machine, their ratios
 * are what counts. Arguments: names of cases, a number of records, `--runs N`, `--mm2-runs N`.
 */
export const bench = async (args: readonly string[]): Promise<void> => {
  const asked = parse(args, [...CASES, ...AWAY])
  await using sandbox = await Sandbox.open({
    ...sandboxOptions(),
    root: join(memoryDirectory(), 'kmig-bench'),
  })
  const [source, target] = await Promise.all([
    sandbox.start({ ...OLD, profile: 'bench', config: CONFIG, listeners: ['link'] }),
    sandbox.start({ ...NEW, profile: 'bench', config: CONFIG }),
  ])
  await source.link(1).shape({ inFlightBytes: LINK_BYTES })
  await using old = await Cluster.open({ bootstrap: parseBootstrap(source.bootstrap()) })
  await using next = await Cluster.open({ bootstrap: parseBootstrap(target.bootstrap()) })
  const world = { sandbox, source, to: target.bootstrap(), old, next }
  const before = loadavg()[0] ?? 0
  const all: Measured[] = []
  for (const each of asked.cases) all.push(await measure(world, each, asked))
  const local = median(all.find(({ each }) => each.topic === 'near')?.kmig.map(({ copyMs }) => copyMs) ?? [])
  const rows = all.map(measured => rowOf(measured, asked.records, local))
  const load = `load ${before.toFixed(1)} at the start, ${(loadavg()[0] ?? 0).toFixed(1)} at the end`
  process.stdout.write(
    [
      table([HEADS, ...rows]),
      `${formatCount(asked.records)} records a case (one partition: a fifth); medians of ${asked.runs}, MirrorMaker 2 of ${asked.mm2Runs}; RSS is the highest`,
      `${cpus().length} cores, ${load}; logs in ${memoryDirectory()}\n`,
    ].join('\n'),
  )
  if (asked.records >= 1_000_000 && rows.some(row => row.at(-1)?.startsWith('NO'))) process.exitCode = 1
}

const measure = async (
  world: World,
  each: Case,
  { records, runs, mm2Runs }: Arguments,
): Promise<Measured> => {
  const { sandbox, source, to, old, next } = world
  const count = recordsOf(each, records)
  const measured: Measured = { each, limits: [], kmig: [], mm2: [] }
  await fill(old, each, count)
  const from = source.bootstrap(each.awayMs === undefined ? 'plaintext' : 'link')
  if (each.awayMs !== undefined) await away(source, each.awayMs)
  for (let round = 0; round < runs; round++) {
    const limitMs = await limit(world, each, { count, round })
    const copied = await copy(world, each, { from, count, round })
    measured.limits.push(limitMs)
    measured.kmig.push(copied)
    tell(
      `${each.name} ${round + 1}/${runs}: limit ${limitMs.toFixed(0)} ms, copied in ${copied.copyMs} ms, ${copied.cpuMs} ms CPU, first record after ${copied.firstMs.toFixed(0)} ms`,
    )
  }
  for (let round = 0; !each.alone && round < mm2Runs; round++) {
    const directory = join(sandbox.directory, `mm2-${each.topic}-${round}`)
    const compression = CODECS[each.codec]
    const options = { from, to, old, next, topic: each.topic, records: count, compression, directory }
    const taken = await mm2Copy(options)
    measured.mm2.push(taken)
    tell(
      `${each.name} MirrorMaker 2 ${round + 1}/${mm2Runs}: copied in ${taken.copyMs.toFixed(0)} ms, ${taken.cpuMs} ms CPU, first record after ${taken.startMs.toFixed(0)} ms`,
    )
    await sleep(GONE_MS)
  }
  await deleteTopics(old, [each.topic])
  return measured
}

const tell = (text: string): void => {
  process.stderr.write(`${text} (load ${(loadavg()[0] ?? 0).toFixed(1)})\n`)
}

/** Puts the source so far away, and tells the round trip that a request really takes. */
const away = async (source: SandboxCluster, awayMs: number): Promise<void> => {
  await source.link(1).shape({ delayMs: awayMs / 2 })
  await using cluster = await Cluster.open({ bootstrap: parseBootstrap(source.bootstrap('link')) })
  const trips: number[] = []
  for (let i = 0; i < 5; i++) {
    const start = performance.now()
    await cluster.metadata([])
    trips.push(performance.now() - start)
  }
  tell(`the source is ${median(trips).toFixed(1)} ms away`)
}

const limit = async ({ to, next }: World, each: Case, { count, round }: { count: number; round: number }) => {
  const topic = `limit-${each.topic}-${round}`
  const args = ['test/bench/produce-only.ts', to, topic, each.topic, String(count)]
  const taken = await run(args, { quiet: false })
  if (taken.code !== 0) throw new Error(`produce-only ended with ${taken.code}`)
  await deleteTopics(next, [topic])
  await sleep(GONE_MS)
  return Number(taken.stdout)
}

type CopyOptions = { from: string; count: number; round: number }

const copy = async ({ to, next }: World, { topic }: Case, { from, count, round }: CopyOptions) => {
  const stateDir = mkdtempSync(join(tmpdir(), 'kmig-bench-'))
  const name = `bench-${topic}-${round}`
  const ends = ['--from', from, '--to', to, '--topics', topic, '--name', name, '--state-dir', stateDir]
  try {
    const start = performance.now()
    const ended = run(['bin/kmig.js', 'mirror', ...ends, '--until-caught-up', '--json'])
    const over = ended.then(() => true)
    let firstMs = Number.NaN
    while (Number.isNaN(firstMs) && !(await Promise.race([over, sleep(20)])))
      if ((await heldBy(next, [topic])) > 0n) firstMs = performance.now() - start
    const taken = await ended
    if (taken.code !== 0 || BigInt(JSON.parse(taken.stdout).records) < BigInt(count))
      throw new Error(`the copy failed: ${taken.stdout.slice(0, 2000)}`)
    await deleteTopics(next, [topic, `__kmig.${name}`])
    await sleep(GONE_MS)
    return { ...taken, copyMs: Number(JSON.parse(taken.stdout).copyMs), firstMs }
  } finally {
    rmSync(stateDir, { recursive: true, force: true })
  }
}

const HEADS = [
  'case',
  'limit s',
  'kmig s',
  'of limit',
  'records/s',
  'MM2 s',
  'MM2/kmig',
  'kmig CPU s',
  'MM2 CPU s',
  'MM2/kmig',
  'kmig RSS',
  'MM2 RSS',
  'kmig first s',
  'MM2 first s',
  'must reach',
]

const rowOf = ({ each, limits, kmig, mm2 }: Measured, records: number, localMs: number): string[] => {
  const of = <T>(all: readonly T[], value: (one: T) => number) => median(all.map(value))
  const [limitMs, copyMs, cpuMs] = [median(limits), of(kmig, t => t.copyMs), of(kmig, t => t.cpuMs)]
  const firstMs = of(kmig, t => t.firstMs)
  const rssBytes = Math.max(...kmig.map(t => t.rssBytes))
  const other = {
    copyMs: of(mm2, t => t.copyMs),
    cpuMs: of(mm2, t => t.cpuMs),
    startMs: of(mm2, t => t.startMs),
  }
  const seconds = (ms: number) => (ms / 1000).toFixed(2)
  const beside = (text: string) => (mm2.length > 0 ? text : '-')
  const { ofLimit = 0, ratio = 0, cpu = 0, ofLocal = 0 } = each.must
  const short: [string, boolean][] = [
    [`>= ${ofLimit} of the limit`, limitMs / copyMs < ofLimit],
    [`>= ${ratio}x`, mm2.length > 0 && other.copyMs / copyMs < ratio],
    [`CPU <= 1/${cpu}`, mm2.length > 0 && other.cpuMs / cpuMs < cpu],
    [
      `>= ${ofLocal} of the local rate (${(localMs / copyMs).toFixed(2)})`,
      localMs > 0 && localMs / copyMs < ofLocal,
    ],
    ['RSS <= 256 MB', rssBytes > RSS_BYTES],
    ['first <= 1.5 s', each.awayMs === undefined && firstMs > FIRST_MS],
  ]
  const missed = short.filter(([, so]) => so).map(([what]) => what)
  return [
    each.name,
    seconds(limitMs),
    seconds(copyMs),
    (limitMs / copyMs).toFixed(2),
    formatCount(Math.round(recordsOf(each, records) / (copyMs / 1000))),
    beside(seconds(other.copyMs)),
    beside(`${(other.copyMs / copyMs).toFixed(1)}x`),
    seconds(cpuMs),
    beside(seconds(other.cpuMs)),
    beside(`${(other.cpuMs / cpuMs).toFixed(1)}x`),
    formatBytes(rssBytes),
    beside(formatBytes(Math.max(0, ...mm2.map(t => t.rssBytes)))),
    seconds(firstMs),
    beside(seconds(other.startMs)),
    missed.length > 0 ? `NO: ${missed.join(', ')}` : 'yes',
  ]
}
