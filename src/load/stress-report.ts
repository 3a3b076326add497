import * as z from 'zod'
import { EXIT, type Exit, formatCount, formatDuration, plural } from '../kit/index.ts'
import { faults, type PartitionFindings, type Totals } from './check.ts'
import { placeKey } from './ledger.ts'
import type { ReadFindings } from './reader.ts'
import type { StressEvent } from './stress.ts'

export type WorkerReport = {
  worker: string
  /** `killed`: by a signal, `failed`: by itself. Its journal counts all the same. */
  outcome: 'ended' | 'killed' | 'failed'
  how: string | undefined
  acknowledged: number
  unknown: number
  read: number
  restarts: number
}
export type StressReport = {
  run: string
  topic: string
  partitions: number
  /** Where the journals are. */
  directory: string
  /** The cluster that was read back. */
  checked: string
  ms: number
  workers: WorkerReport[]
  totals: Totals
  /** Never acknowledged, and not there: no fault. */
  unsure: number
  findings: PartitionFindings[]
  /** Of readers that ended by themselves. `behind`: what they had not read in time. */
  reads: (ReadFindings & { behind: bigint })[]
}

const count = z.int().nonnegative()
const int64 = z.string().regex(/^-?\d+$/)
const ranges = z.array(z.tuple([count, count])).describe('serials, both ends inside')
const kinds = { lost: ranges, repeated: ranges, outOfOrder: ranges, phantom: ranges }

/** Fields of `kmig stress --json` besides the envelope. */
export const stressShape = {
  run: z.string(),
  topic: z.string(),
  partitions: count,
  directory: z.string(),
  checked: z.string(),
  ms: count,
  workers: z.array(
    z.strictObject({
      worker: z.string(),
      outcome: z.enum(['ended', 'killed', 'failed']),
      how: z.string().optional(),
      acknowledged: count,
      unknown: count.describe('sent, without an answer that decides'),
      read: count,
      restarts: count,
    }),
  ),
  totals: z.strictObject({
    records: count.describe('that the checked cluster holds'),
    lost: count.describe('acknowledged and not there'),
    repeated: count.describe('there more than once'),
    outOfOrder: count.describe('there behind a later one of the same writer'),
    phantom: count.describe('there, and never sent'),
    corrupt: count.describe('there with a wrong checksum'),
    foreign: count.describe('of somebody else: no fault'),
  }),
  unsure: count.describe('never acknowledged, and not there: no fault'),
  findings: z.array(
    z.strictObject({
      topic: z.string(),
      partition: count,
      records: count,
      writers: z.array(z.strictObject({ writer: count, ...kinds, unsure: count })),
      corrupt: z.array(int64).describe('offsets'),
      foreign: z.array(int64).describe('offsets'),
      counts: z.strictObject({ corrupt: count, foreign: count }),
    }),
  ),
  reads: z.array(
    z.strictObject({
      group: z.string(),
      topic: z.string(),
      partition: count,
      records: count,
      first: int64,
      next: int64,
      skipped: z.array(z.string()),
      reread: z.array(z.string()),
      behind: int64,
    }),
  ),
}

const faulty = ({ totals: { lost, repeated, outOfOrder, phantom, corrupt }, reads }: StressReport): boolean =>
  lost + repeated + outOfOrder + phantom + corrupt > 0 ||
  reads.some(({ skipped, reread, behind }) => skipped.length + reread.length > 0 || behind > 0n)

const idle = ({ workers }: StressReport): boolean => workers.every(({ acknowledged }) => acknowledged === 0)

/** Nothing written proves nothing. */
export const stressExit = (report: StressReport): Exit => {
  if (faulty(report)) return EXIT.difference
  return idle(report) || report.workers.some(({ outcome }) => outcome === 'failed') ? EXIT.partial : EXIT.ok
}

export const stressEventText = (event: StressEvent): string | undefined => {
  switch (event.kind) {
    case 'started':
      return `run ${event.run}: ${event.topic}, ${plural(event.partitions, 'partition')}; processes ${event.pids.join(', ')}`
    case 'trouble':
      return `${event.worker}: ${event.text}`
    case 'died':
      return `${event.worker} died: ${event.how}; its journal counts`
    case 'checking':
      return event.lost > 0 ? `${formatCount(event.lost)} acknowledged records are not there yet` : undefined
    case 'progress':
      return undefined
    default:
      return event satisfies never
  }
}

export const stressProgress = (event: StressEvent): { text: string; part: number } | undefined => {
  if (event.kind !== 'progress') return undefined
  const { part, written, unknown, read, alive, at } = event
  const text = [
    `${formatCount(written)} acknowledged`,
    ...(unknown > 0 ? [`${formatCount(unknown)} unknown`] : []),
    `${formatCount(read)} read`,
    `${alive} processes at ${at.join(' and ')}`,
  ].join(' | ')
  return { text, part }
}

const readLines = ({ reads }: StressReport): string[] =>
  reads.flatMap(each => [
    ...each.skipped.map(range => `skipped by ${each.group} in ${placeKey(each)}: offsets ${range}`),
    ...each.reread.map(range => `read twice by ${each.group} in ${placeKey(each)}: offsets ${range}`),
    ...(each.behind > 0n
      ? [`not read in time by ${each.group} in ${placeKey(each)}: ${formatCount(each.behind)} offsets`]
      : []),
  ])

/** The report for people. */
export const stressText = (report: StressReport): string => {
  const { run, topic, checked, ms, workers, totals: t, unsure, findings, directory } = report
  const sum = (of: 'acknowledged' | 'unknown' | 'read' | 'restarts') =>
    workers.reduce((n, each) => n + each[of], 0)
  return [
    `run ${run} on ${topic}: ${formatCount(sum('acknowledged'))} acknowledged, ${formatCount(sum('unknown'))} unknown, ${formatCount(sum('read'))} read, ${plural(sum('restarts'), 'restart')} of clients, in ${formatDuration(ms)}`,
    ...workers
      .filter(({ outcome }) => outcome !== 'ended')
      .map(({ worker, how }) => `${worker} died: ${how}`),
    `${checked} holds ${formatCount(t.records)}: ${formatCount(t.lost)} lost, ${formatCount(t.repeated)} repeated, ${formatCount(t.outOfOrder)} out of order, ${formatCount(t.phantom)} phantom, ${formatCount(t.corrupt)} corrupt${unsure > 0 ? `; ${formatCount(unsure)} were never acknowledged` : ''}${t.foreign > 0 ? `; ${formatCount(t.foreign)} of somebody else` : ''}`,
    ...faults(findings).filter(line => !line.startsWith('foreign')),
    ...readLines(report),
    `journals: ${directory}`,
    faulty(report) ? 'FAULTS' : idle(report) ? 'NOTHING was acknowledged: this proves nothing' : 'CLEAN',
  ].join('\n')
}
