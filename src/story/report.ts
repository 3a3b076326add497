import * as z from 'zod'
import { formatCount, formatDuration, plural } from '../kit/index.ts'
import type { DemoReport } from './demo.ts'
import type { LogVerdict } from './verdict.ts'

const count = z.int().nonnegative()
const paths = z.array(z.string())

/** What both clusters hold in the end, against what the clients know. */
export const logsShape = z.strictObject({
  totals: z.strictObject({
    records: count.describe('on the new cluster'),
    lost: count.describe('acknowledged to a writer and not on the new cluster'),
    repeated: count,
    outOfOrder: count,
    phantom: count.describe('never sent by a writer'),
    corrupt: count,
    foreign: count,
  }),
  oldRecords: count,
  offsetsIdentical: z.boolean(),
  skipped: count.describe('by a reader'),
  reread: count.describe('by a reader'),
  faults: z.array(z.string()),
})

/** Fields of `kmig demo --json` besides the envelope. */
export const demoShape = {
  ms: count,
  znodes: z.strictObject({ copied: count, ephemerals: count, equal: z.boolean() }),
  rollback: z.strictObject({
    changed: paths.describe('discovery files that the first cutover rewrote'),
    restored: z.boolean().describe('each byte of them is as it was before'),
    clientsBack: z.boolean().describe('writers and readers that started then were on the old cluster'),
  }),
  cutover: z.strictObject({
    changed: paths.describe('discovery files that the second cutover rewrote'),
    clientsMoved: z.boolean().describe('writers and readers that started then were on the new cluster'),
    pauseMs: count.describe('from the last write on the old cluster to the first client on the new one'),
    wayBackRefused: z
      .boolean()
      .describe('a rollback that would lose records was refused, and touched nothing'),
  }),
  logs: logsShape,
}

/** Whether every record is there once and in its order, and the new cluster went on from the old one. */
export const isWhole = (logs: LogVerdict): boolean => {
  const { records, ...wrong } = logs.totals
  return (
    Object.values(wrong).every(n => n === 0) &&
    logs.skipped + logs.reread + logs.faults.length === 0 &&
    records > logs.oldRecords &&
    logs.oldRecords > 0 &&
    logs.offsetsIdentical
  )
}

/** Whether everything arrived once and in order, the files and clients moved, and the way back worked. */
export const isGood = ({ znodes, rollback, cutover, logs }: Omit<DemoReport, 'ok'>): boolean => {
  return (
    isWhole(logs) &&
    znodes.equal &&
    znodes.copied > 0 &&
    rollback.changed.length > 0 &&
    rollback.restored &&
    rollback.clientsBack &&
    cutover.changed.length > 0 &&
    cutover.clientsMoved &&
    cutover.wayBackRefused
  )
}

export const row = (name: string, value: string, good: boolean) =>
  `  ${name.padEnd(40)}${value}${good ? '' : '   <- WRONG'}`
export const yes = (name: string, fact: boolean) => row(name, fact ? 'yes' : 'no', fact)
export const none = (name: string, n: number) => row(name, formatCount(n), n === 0)

/** A verdict on logs for people, without the faults themselves. */
export const logLines = (logs: LogVerdict): string[] => {
  const { totals } = logs
  return [
    row('records on the old cluster', formatCount(logs.oldRecords), logs.oldRecords > 0),
    row('records on the new cluster', formatCount(totals.records), totals.records > logs.oldRecords),
    none('records lost', totals.lost),
    none('records repeated', totals.repeated),
    none('records out of order', totals.outOfOrder),
    none('records nobody wrote, or damaged', totals.phantom + totals.corrupt + totals.foreign),
    yes('offsets identical', logs.offsetsIdentical),
    none('skipped by consumers', logs.skipped),
    none('read twice by consumers', logs.reread),
  ]
}

/** The verdict for people. */
export const demoText = (report: DemoReport): string => {
  const { znodes, rollback, cutover, logs } = report
  return [
    '',
    `verdict: ${report.ok ? 'everything arrived, and the way back worked' : 'FAILED'} (${formatDuration(report.ms)})`,
    ...logLines(logs),
    row('discovery files changed', cutover.changed.join(', ') || 'none', cutover.changed.length > 0),
    yes('first round rolled back, bytes equal', rollback.restored && rollback.clientsBack),
    yes('clients on the new cluster', cutover.clientsMoved),
    yes('a way back that would lose is refused', cutover.wayBackRefused),
    row('write pause', formatDuration(cutover.pauseMs), true),
    row(
      'znodes copied',
      `${plural(znodes.copied, 'znode')}, ${znodes.equal ? 'equal' : 'NOT equal'}`,
      znodes.equal,
    ),
    ...logs.faults.slice(0, 20).map(fault => `  ${fault}`),
  ].join('\n')
}
