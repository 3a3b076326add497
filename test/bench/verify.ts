import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Cluster, deleteTopics } from '../../src/kafka/index.ts'
import { formatBytes, formatCount, parseBootstrap } from '../../src/kit/index.ts'
import { Sandbox } from '../../src/sandbox/index.ts'
import { NEW, OLD, sandboxOptions } from '../sandbox-helper.ts'
import { CASES, type Case, fill, recordsOf } from './cases.ts'
import { median, memoryDirectory, run, type Taken, table } from './measure.ts'

type Report = {
  verdict: string
  ms: number
  bytes: number
  partitions: { records: number; untouched: number; unpacked: number }[]
}
const RUNS = 5
const KMIG = 'bin/kmig.js'

/**
 * Copies a filled topic from 3.9.2 to 4.3.1 once, and verifies it several times: `kmig verify` reads both sides in full.
 * It must not be slower than the mirror. Figures are of one noisy machine; their ratio is what counts.
 */
export const bench = async (args: readonly string[]): Promise<void> => {
  const records = Number(args.find(arg => /^\d+$/.test(arg)) ?? 1_000_000)
  const named = args.filter(arg => !/^\d+$/.test(arg))
  await using sandbox = await Sandbox.open({
    ...sandboxOptions(),
    root: join(memoryDirectory(), 'kmig-bench'),
  })
  const servers = await Promise.all([OLD, NEW].map(spec => sandbox.start({ ...spec, profile: 'bench' })))
  const [from = '', to = ''] = servers.map(cluster => cluster.bootstrap())
  await using old = await Cluster.open({ bootstrap: parseBootstrap(from) })
  await using next = await Cluster.open({ bootstrap: parseBootstrap(to) })
  const rows = [['case', 'copy s', 'verify s', 'of mirror', 'MB/s a side', 'CPU s', 'RSS', 'unopened']]
  for (const each of CASES.filter(({ topic }) => named.length === 0 || named.includes(topic))) {
    const count = recordsOf(each, records)
    await fill(old, each, count)
    rows.push(await measure(each, { from, to, records: count }))
    await deleteTopics(old, [each.topic])
    await deleteTopics(next, [each.topic])
  }
  process.stdout.write(
    `${table(rows)}\n${formatCount(records)} records a case, medians of ${RUNS}; RSS is the highest\n`,
  )
}

const measure = async (
  { name, topic }: Case,
  { from, to, records }: { from: string; to: string; records: number },
): Promise<string[]> => {
  const stateDir = mkdtempSync(join(tmpdir(), 'kmig-bench-'))
  const ends = [
    '--from',
    from,
    '--to',
    to,
    '--topics',
    topic,
    '--name',
    topic,
    '--state-dir',
    stateDir,
    '--json',
  ]
  try {
    const copied = await run([KMIG, 'mirror', ...ends, '--until-caught-up'])
    if (copied.code !== 0) throw new Error(`the copy failed: ${copied.stdout.slice(0, 2000)}`)
    const copyMs = Number(JSON.parse(copied.stdout).copyMs)
    const taken: (Taken & { report: Report })[] = []
    for (let i = 0; i < RUNS; i++) {
      const one = await run([KMIG, 'verify', ...ends])
      const report: Report = JSON.parse(one.stdout)
      const compared = report.partitions.reduce((sum, each) => sum + each.records, 0)
      if (report.verdict !== 'equal' || compared < records) throw new Error(one.stdout.slice(0, 2000))
      taken.push({ ...one, report })
      process.stderr.write(
        `${name} ${i + 1}/${RUNS}: copied in ${copyMs} ms, verified in ${report.ms} ms, ${one.cpuMs} ms CPU\n`,
      )
    }
    const ms = median(taken.map(({ report }) => report.ms))
    const sum = (of: 'untouched' | 'unpacked') =>
      (taken[0]?.report.partitions ?? []).reduce((n, each) => n + each[of], 0)
    return [
      name,
      (copyMs / 1000).toFixed(2),
      (ms / 1000).toFixed(2),
      `${(copyMs / ms).toFixed(2)}x`,
      ((taken[0]?.report.bytes ?? 0) / 2000 / ms).toFixed(0),
      (median(taken.map(({ cpuMs }) => cpuMs)) / 1000).toFixed(2),
      formatBytes(Math.max(...taken.map(({ rssBytes }) => rssBytes))),
      `${sum('untouched')} of ${sum('untouched') + sum('unpacked')}`,
    ]
  } finally {
    rmSync(stateDir, { recursive: true, force: true })
  }
}
