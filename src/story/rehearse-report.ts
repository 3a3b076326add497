import * as z from 'zod'
import { formatBytes, formatCount, formatDuration, plural } from '../kit/index.ts'
import type { Round } from './play.ts'
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

/** Fields of `kmig rehearse --json` besides the envelope. */
export const rehearseShape = {
  ms: count,
  from: z.strictObject({ name: z.string(), clusterId: z.string(), roundTripMs: z.number() }),
  stage: z.strictObject({ old: z.string(), new: z.string() }).describe('versions of the throw-away clusters'),
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
export const isRehearsed = (report: Omit<RehearseReport, 'ok'>): boolean => {
  const { files, rounds, rollback, logs } = report
  return (
    isWhole(logs) &&
    files.untouched &&
    files.restored &&
    rollback.clientsBack &&
    rollback.written > 0 &&
    rounds.length > 1 &&
    rounds.every(({ changed, clientsMoved }) => changed.length > 0 && clientsMoved)
  )
}

/** Time per state, the rounds side by side. */
const table = (rounds: readonly Round[]): string[] => {
  const states = [...new Set(rounds.flatMap(({ timings }) => timings.map(({ state }) => state)))]
  const of = ({ timings }: Round, state: string) => {
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

export const rehearseText = (report: RehearseReport): string => {
  const { clone, files, rounds, rollback, predicted, logs, ok, ms } = report
  return [
    '',
    `verdict: ${ok ? 'the cutover, its way back and a second cutover lost nothing' : 'FAILED'} (${formatDuration(ms)})`,
    row(
      'cloned',
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
    `predicted write pause: ${formatDuration(predicted.pauseMs)} = ${formatDuration(predicted.windowMs)} of --still-for + ${formatDuration(predicted.restMs)} measured here`,
    ...files.blockers.map(blocker => `BLOCKS the real cutover: ${blocker}`),
    ...files.warnings.map(warning => `warning: ${warning}`),
    ...clone.short.slice(0, 10).map(short => `fewer records than asked: ${short}`),
    ...clone.refused
      .slice(0, 10)
      .map(({ topic, name, value, why }) => `not on the clone: ${topic} ${name}=${value}: ${why}`),
    ...logs.faults.slice(0, 20).map(fault => `  ${fault}`),
  ].join('\n')
}
