import * as z from 'zod'
import { formatBytes, formatCount, formatDuration } from '../kit/index.ts'
import type { BackupReport } from './backup.ts'
import { type KafkaReport, kafkaShape, kafkaText } from './kafka-report.ts'
import type { Progress, ZkCopyEvent } from './options.ts'
import type { TailReport } from './tail.ts'
import { followingText, pausedText, rescanText, tailShape, tailText } from './tail-report.ts'
import type { Paths, Tally } from './tally.ts'

/** What a run was asked for and has done. */
export type Report = Omit<Tally, 'maxMtimeMs' | 'onTarget'> & {
  from: string
  to: string
  /** Only compared. */
  check: boolean
  aclMode: string
  /** ms; null without --since. */
  since: number | null
  /** ms; --since of the next run: the highest modification time seen, never below this run's. */
  nextSince: number
  /** How --state was used. */
  state: 'none' | 'new' | 'continued' | 'set-aside'
  /** Lowest zxid that the source had told when the scan began. */
  watermark: bigint
  distinctAcls: number
  elapsedMs: number
  /** Null without --tail. */
  tail: TailReport | null
  /** Null without --backup. */
  backup: BackupReport | null
  /** Null without --preset kafka. */
  kafka: KafkaReport | null
}

const count = z.int().nonnegative()
const named = z.strictObject({ count, first: z.array(z.string()) })
/** Fields of `kmig zkcopy --json` besides the envelope. */
export const reportShape = {
  from: z.string().describe('connect string of the source'),
  to: z.string().describe('connect string of the target'),
  check: z.boolean().describe('compared only; nothing was written'),
  aclMode: z.string(),
  since: z.int().nullable().describe('ms since 1970'),
  nextSince: z.int().describe('ms since 1970: --since of the next run'),
  state: z.enum(['none', 'new', 'continued', 'set-aside']).describe('how --state was used'),
  watermark: z
    .string()
    .describe('zxid of the source: all that it had by then was looked at (with --tail: is copied)'),
  distinctAcls: count,
  elapsedMs: count,
  scanned: count.describe('znodes read on the source'),
  scannedBytes: count,
  selected: count.describe('chosen by --since; without it all'),
  unchanged: count,
  ephemerals: count.describe('not copied'),
  excluded: count.describe('left alone with all below: --exclude, and /zookeeper at the root of an ensemble'),
  created: count,
  updated: count,
  aclsSet: count,
  deleted: count,
  multis: count,
  bytesWritten: count,
  repaired: count.describe('batches put right from a fresh read'),
  vanished: named.describe('deleted on the source during the scan'),
  foreign: named.describe('changed on the target by somebody else during the copy'),
  versionsLeft: named.describe(
    'with --preserve-versions: the version on the target is another, and no write cures it',
  ),
  countersLeft: named.describe(
    'with --preserve-sequence: the counter of the target is another, and stays so',
  ),
  differing: named.describe('with --check: what a copy would write'),
  missing: named.describe('older than --since and absent on the target'),
  extra: named.describe('on the target only; of a subtree its top'),
  tail: tailShape.nullable().describe('how the source was followed; null without --tail'),
  backup: z
    .strictObject({
      file: z.string(),
      replaced: count.describe('znodes kept as they were before this run changed or deleted them'),
      created: count.describe('paths that were not there before this run'),
    })
    .nullable()
    .describe('what zk restore puts back; null without --backup'),
  kafka: kafkaShape.nullable().describe('null without --preset kafka'),
}

/** Whether a check found both sides equal. */
export const agrees = ({ differing, missing, extra, versionsLeft }: Report): boolean =>
  differing.count + missing.count + extra.count + versionsLeft.count === 0

/** Whether the exit code is that of a difference: found by a check, or by the look at a copied Kafka. */
export const differs = (report: Report): boolean =>
  (report.check && !agrees(report)) || (report.kafka?.postflight ?? []).some(({ ok }) => !ok)

const list = ({ count: n, first }: Paths, what: string): string[] =>
  n === 0
    ? []
    : [`${formatCount(n)} ${what}:`, ...first.map(p => `  ${p}`), ...(n > first.length ? ['  ...'] : [])]

/** Where the work stands, for people. */
const progressText = ({ scanned, created, updated, unchanged, total, etaMs }: Progress): string =>
  [
    `${formatCount(scanned)}${total === undefined ? '' : ` of ${formatCount(total)}`} read`,
    `${formatCount(created + updated)} written`,
    `${formatCount(unchanged)} unchanged`,
    ...(etaMs === undefined ? [] : [`about ${formatDuration(etaMs)} left`]),
  ].join(', ')

/** What moves on a terminal: where it stands, and how much of it. */
export const moveOf = (event: ZkCopyEvent): { text: string; part?: number | undefined } | undefined => {
  if (event.kind === 'following') return { text: followingText(event) }
  if (event.kind !== 'progress') return undefined
  const { scanned, total } = event
  return { text: progressText(event), part: total === undefined ? undefined : Math.min(1, scanned / total) }
}

/** What happened, for people; nothing for what only moves. */
export const eventText = (event: ZkCopyEvent): string | undefined => {
  if (event.kind === 'state-set-aside') return `the state file is set aside, all is compared: ${event.why}`
  if (event.kind === 'warning') return event.text
  if (event.kind === 'rescan') return rescanText(event)
  if (event.kind === 'paused') return pausedText(event)
  if (event.kind !== 'connection') return undefined
  const { side, event: what } = event
  switch (what.kind) {
    case 'lost':
      return `${side}: ${what.why}`
    case 'reconnected':
      return `${side}: connected again to ${what.server}`
    case 'expired':
      return `${side}: the session expired, a new one begins`
    default:
      return what satisfies never
  }
}

/** The report for people. */
export const reportText = (report: Report): string => {
  const { scanned, created, updated, aclsSet, deleted, unchanged, elapsedMs } = report
  const rate = formatCount(Math.round((scanned * 1_000) / Math.max(1, elapsedMs)))
  const read = `${formatCount(scanned)} znodes (${formatBytes(report.scannedBytes)}) in ${formatDuration(elapsedMs)}, ${rate}/s`
  const wrote = [
    `${formatCount(created)} created`,
    `${formatCount(updated)} updated`,
    ...(aclsSet > 0 ? [`${formatCount(aclsSet)} ACLs set`] : []),
    ...(deleted > 0 ? [`${formatCount(deleted)} deleted`] : []),
    `${formatCount(unchanged)} unchanged`,
    ...(report.ephemerals > 0 ? [`${formatCount(report.ephemerals)} ephemerals left out`] : []),
  ]
  return [
    `${report.check ? 'compared' : 'copied'} ${report.from} ${report.check ? 'with' : 'to'} ${report.to}: ${read}`,
    ...(report.check ? [agrees(report) ? 'both sides agree' : 'the sides differ'] : [wrote.join(', ')]),
    ...list(report.differing, 'to be written'),
    ...list(
      report.missing,
      'older than --since and absent on the target (a run without --since copies them)',
    ),
    ...list(report.extra, `on the target only (${deleted > 0 ? 'deleted' : '--delete removes them'})`),
    ...list(report.vanished, 'deleted on the source during the scan'),
    ...list(
      report.versionsLeft,
      'of another version than on the source: it is too far off, or would have to be lowered',
    ),
    ...list(
      report.countersLeft,
      'whose next sequential child gets another number: too far off, or higher on the target',
    ),
    ...list(report.foreign, 'changed on the target by somebody else during the copy'),
    ...(report.backup
      ? [
          `the way back: kmig zk restore ${report.backup.file} (${formatCount(report.backup.replaced)} replaced, ${formatCount(report.backup.created)} made)`,
        ]
      : []),
    ...(report.kafka ? kafkaText(report.kafka) : []),
    ...(report.tail ? [tailText(report.tail)] : []),
    `next: --since ${report.nextSince}`,
  ].join('\n')
}
