import * as z from 'zod'
import { formatBytes, formatCount, formatDuration, plural } from '../kit/index.ts'
import type { Crash } from './crashes.ts'
import type { CrashedRound, Round } from './play.ts'
import type { RehearseReport } from './rehearse.ts'
import { isWhole, logLines, logsShape, row, yes } from './report.ts'

const count = z.int().nonnegative()
const paths = z.array(z.string())
const timings = z.array(z.strictObject({ state: z.string(), at: z.string(), ms: count }))
const round = z.strictObject({
  run: z.string(),
  changed: paths.describe('files of the copy that the cutover rewrote'),
  clientsMoved: z.boolean().describe('all writers and readers that started then were on the new cluster'),
  windowMs: count.describe('log ends were seen to stand still for so long; part of the pause'),
  clientPauseMs: count.describe('from the moment writers were told to stop, until each had written again'),
  pauseMs: count.describe('as the cutover reports it'),
  ms: count,
  timings,
})

const crash = z.strictObject({
  step: z.enum(['state', 'hook']),
  name: z.string().describe('the line of the journal behind which the process was killed'),
  state: z.string().describe('of the run, then'),
  backMs: count.describe('from the kill until the same command had come beyond that line'),
})

const made = z.strictObject({ name: z.string(), clusterId: z.string(), topics: paths, groups: paths })

/** Fields of `kmig rehearse --clean --json` besides the envelope. */
export const cleanShape = { id: z.string(), topics: count, groups: count }

/** Fields of `kmig rehearse --json` besides the envelope. */
export const rehearseShape = {
  ms: count,
  id: z.string(),
  at: z.string().describe('when it ended'),
  how: z.enum(['clone', 'shadow']),
  topics: z.array(z.string()).describe('real topics that it was of'),
  report: z.string().describe('where this report is kept'),
  from: z.strictObject({ name: z.string(), clusterId: z.string(), roundTripMs: z.number() }),
  stage: z
    .strictObject({ old: z.string(), new: z.string() })
    .describe('versions of the clusters that it was played on'),
  clone: z.strictObject({
    topics: count,
    partitions: count,
    records: count.describe('real ones, the newest of each partition'),
    bytes: count,
    groups: count,
    short: z.array(z.string()).describe('partitions of which fewer records than asked were taken, and why'),
    refused: z.array(
      z.strictObject({ topic: z.string(), name: z.string(), value: z.string(), why: z.string() }),
    ),
  }),
  files: z.strictObject({
    edits: count.describe('values of the real files that the real cutover would change'),
    blockers: z.array(z.string()).describe('what would stop the real cutover'),
    warnings: z.array(z.string()),
    untouched: z.boolean().describe('the real files are as they were'),
    restored: z.boolean().describe('after the rollback each byte of the copy was as before'),
  }),
  rounds: z.array(round),
  rollback: z.strictObject({
    ms: count,
    clientPauseMs: count,
    clientsBack: z.boolean(),
    written: count.describe('records that clients wrote to the new cluster before the way back'),
    timings,
  }),
  crashes: z
    .strictObject({
      cutover: z.array(crash),
      rollback: z.array(crash),
      complete: z.boolean().describe('nobody was spared for want of time'),
      same: z.boolean().describe('both ended with the same bytes of the copied files as without a kill'),
      clientsMoved: z.boolean(),
      clientsBack: z.boolean(),
      longestPauseMs: count.describe('for so long writers stood still at most'),
      ms: count,
    })
    .optional()
    .describe('a cutover and a rollback, killed behind each line of their journal'),
  certificate: z
    .strictObject({
      path: z.string(),
      html: z.string(),
      verdict: z.string(),
      unexplained: z.array(z.string()),
    })
    .optional()
    .describe('of the second cutover'),
  shadow: z
    .strictObject({
      old: made,
      new: made,
      deleted: z.strictObject({ topics: count, groups: count }),
    })
    .optional()
    .describe('what was made on the real clusters, and is gone again'),
  predicted: z
    .strictObject({
      pauseMs: count,
      windowMs: count.describe('--still-for of the real cutover'),
      restMs: count.describe('measured here: all of the pause that is not the window'),
    })
    .describe('write pause of the real cutover, if its clients restart as fast as these'),
  logs: logsShape,
}

/** Whether everything arrived, went back and came again. */
export const isRehearsed = (report: Omit<RehearseReport, 'ok' | 'report'>): boolean => {
  const { files, rounds, rollback, crashes, certificate, logs } = report
  return (
    isWhole(logs) &&
    certificate?.unexplained.length === 0 &&
    (crashes === undefined || survived(crashes)) &&
    files.untouched &&
    files.restored &&
    rollback.clientsBack &&
    rollback.written > 0 &&
    rounds.length > 1 &&
    rounds.every(({ changed, clientsMoved }) => changed.length > 0 && clientsMoved)
  )
}

const survived = ({ cutover, rollback, same, clientsMoved, clientsBack }: CrashedRound): boolean =>
  cutover.length > 0 && rollback.length > 0 && same && clientsMoved && clientsBack

/** Where the process was killed, and how long it took to be beyond that. */
const crashLines = (crashes: CrashedRound): string[] => {
  const { cutover, rollback, complete, longestPauseMs, ms } = crashes
  const lines = (what: string, killed: readonly Crash[]) => [
    `  ${`${what}, killed behind`.padEnd(28)}${'in state'.padEnd(18)}back after`,
    ...killed.map(
      ({ step, name, state, backMs }) =>
        `    ${`${step === 'hook' ? 'hook ' : ''}${name}`.padEnd(26)}${state.padEnd(18)}${formatDuration(backMs)}`,
    ),
  ]
  return [
    yes(`killed ${cutover.length + rollback.length} times, ended the same`, survived(crashes)),
    ...lines('cutover', cutover),
    ...lines('rollback', rollback),
    ...(complete
      ? []
      : ['  not every line had its turn: this machine is slow; --crashes takes the time it needs']),
    `  this took ${formatDuration(ms)}; writers stood still for ${formatDuration(longestPauseMs)} at most`,
  ]
}

type RoundTimes = Pick<Round, 'timings' | 'clientPauseMs'>

/** Time per state, the rounds side by side. */
const table = (rounds: readonly RoundTimes[]): string[] => {
  const states = [...new Set(rounds.flatMap(({ timings }) => timings.map(({ state }) => state)))]
  const of = ({ timings }: RoundTimes, state: string) => {
    const found = timings.filter(each => each.state === state)
    return found.length > 0 ? formatDuration(found.reduce((sum, { ms }) => sum + ms, 0)) : '-'
  }
  const line = (cells: readonly string[]) => `  ${cells.map(cell => cell.padEnd(20)).join('')}`.trimEnd()
  return [
    line(['state', ...rounds.map((_, i) => `cutover ${i + 1}`)]),
    ...states.map(state => line([state, ...rounds.map(round => of(round, state))])),
    line(['writers paused', ...rounds.map(({ clientPauseMs }) => formatDuration(clientPauseMs))]),
  ]
}

const certificateLines = (certificate: RehearseReport['certificate']): string[] =>
  certificate
    ? [
        `certificate of the second cutover: ${certificate.verdict}, ${certificate.html}`,
        ...certificate.unexplained.slice(0, 10).map(why => `  not explained: ${why}`),
      ]
    : ['certificate of the second cutover: it could not be made']

export const rehearseText = (report: RehearseReport): string => {
  const { how, clone, files, rounds, rollback, crashes, predicted, certificate, shadow, logs, ok, ms } =
    report
  return [
    '',
    `verdict: ${ok ? 'the cutover, its way back and a second cutover lost nothing' : 'FAILED'} (${formatDuration(ms)})`,
    row(
      how === 'shadow' ? 'shadowed on the real clusters' : 'cloned',
      `${plural(clone.topics, 'topic')}, ${plural(clone.partitions, 'partition')}, ${formatCount(clone.records)} real records (${formatBytes(clone.bytes)}), ${plural(clone.groups, 'group')}`,
      true,
    ),
    ...logLines(logs),
    yes('rolled back, bytes of the copy equal', files.restored),
    yes(
      'clients moved, went back, moved again',
      rollback.clientsBack && rollback.written > 0 && rounds.every(r => r.clientsMoved),
    ),
    yes('the real files are untouched', files.untouched),
    ...table(rounds),
    `  rollback took ${formatDuration(rollback.ms)}, its writers paused ${formatDuration(rollback.clientPauseMs)}; it took ${plural(rollback.written, 'record')} back that clients had written to the new cluster`,
    `  ${rollback.timings.map(({ state, ms }) => `${state} ${formatDuration(ms)}`).join(', ')}`,
    ...(crashes ? crashLines(crashes) : []),
    ...certificateLines(certificate),
    `predicted write pause: ${formatDuration(predicted.pauseMs)} = ${formatDuration(predicted.windowMs)} of --still-for + ${formatDuration(predicted.restMs)} measured here`,
    ...files.blockers.map(blocker => `BLOCKS the real cutover: ${blocker}`),
    ...files.warnings.map(warning => `warning: ${warning}`),
    ...clone.short.slice(0, 10).map(short => `fewer records than asked: ${short}`),
    ...clone.refused
      .slice(0, 10)
      .map(({ topic, name, value, why }) => `not on the ${how}: ${topic} ${name}=${value}: ${why}`),
    ...logs.faults.slice(0, 20).map(fault => `  ${fault}`),
    ...(shadow
      ? [
          `deleted again: ${plural(shadow.deleted.topics, 'topic')} and ${plural(shadow.deleted.groups, 'group')} of both clusters`,
        ]
      : []),
    `report: ${report.report}`,
  ].join('\n')
}
