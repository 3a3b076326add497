import * as z from 'zod'
import { formatBytes, formatCount, formatDuration, plural } from '../kit/index.ts'
import type { DumpReport } from './dump.ts'
import type { RestoreReport } from './restore.ts'

const count = z.int().nonnegative()
const named = z.strictObject({ count, first: z.array(z.string()) })
const long = z.string().regex(/^-?\d+$/)
/** Fields of `kmig zk dump --json` besides the envelope. */
export const dumpShape = {
  from: z.string(),
  file: z.string(),
  znodes: count,
  ephemerals: count.describe('in the dump, and never restored'),
  bytes: count.describe('of data'),
  fileBytes: count,
  zxidFrom: long.describe('what the ensemble had when the dump began'),
  zxidTo: long.describe('what it had when the dump ended'),
  sha256: z.string().describe('of the lines before the footer, unpacked'),
  vanished: named.describe('deleted during the dump'),
  elapsedMs: count,
}
/** Fields of `kmig zk restore --json` besides the envelope. */
export const restoreShape = {
  file: z.string(),
  kind: z.enum(['dump', 'backup']),
  dumped: z.strictObject({
    from: z.string(),
    root: z.string(),
    at: z.string(),
    zxid: long.nullable(),
    znodes: count,
  }),
  to: z.string(),
  check: z.boolean().describe('compared only; nothing was written'),
  created: count,
  updated: count,
  aclsSet: count,
  unchanged: count,
  deleted: count.describe('of a backup, with --delete: what the copy had made'),
  left: named.describe('of a backup: made by the copy and still there'),
  ephemerals: count.describe('in the dump, not restored'),
  excluded: count.describe("the servers' own /zookeeper, not restored"),
  multis: count,
  repaired: count.describe('batches put right from a fresh read'),
  foreign: named.describe('changed by somebody else during the restore'),
  differing: named.describe('read back and not as in the dump; with --check: what a restore would write'),
  elapsedMs: count,
}

export const dumpText = (report: DumpReport): string => {
  const { from, file, znodes, ephemerals, bytes, fileBytes, vanished, elapsedMs } = report
  return [
    `dumped ${from} to ${file === '-' ? 'stdout' : file}: ${plural(znodes, 'znode')} (${formatBytes(bytes)} of data) ` +
      `in ${formatBytes(fileBytes)}, ${formatDuration(elapsedMs)}`,
    ...(ephemerals > 0 ? [`${plural(ephemerals, 'ephemeral')} in it are never restored`] : []),
    ...(vanished.count > 0 ? [`${plural(vanished.count, 'znode')} deleted meanwhile`] : []),
  ].join('\n')
}

export const restoreText = (report: RestoreReport): string => {
  const { file, kind, dumped, to, check, differing, left } = report
  const wrote = `${formatCount(report.created)} created, ${formatCount(report.updated)} updated, ${formatCount(report.aclsSet)} ACLs set, ${formatCount(report.unchanged)} unchanged`
  const ok = differing.count === 0
  const more = differing.count > differing.first.length ? ['  ...'] : []
  return [
    `${check ? 'compared' : 'restored'} ${file} (${plural(dumped.znodes, 'znode')} of ${dumped.from}, ${dumped.at}) ${check ? 'with' : 'to'} ${to} in ${formatDuration(report.elapsedMs)}`,
    ...(check ? [] : [wrote]),
    ...(report.ephemerals > 0 ? [`${plural(report.ephemerals, 'ephemeral')} left out`] : []),
    ...(report.deleted > 0 ? [`${plural(report.deleted, 'znode')} that the copy had made deleted`] : []),
    ok ? `read back: all as in the ${kind}` : `${formatCount(differing.count)} NOT as in the ${kind}:`,
    ...differing.first.map(path => `  ${path}`),
    ...more,
    ...(left.count > 0
      ? [
          `made by the copy and still there: ${plural(left.count, 'znode')} (--delete removes what nobody else built on), such as ${left.first[0]}`,
        ]
      : []),
    ...(report.foreign.count > 0
      ? [`${formatCount(report.foreign.count)} were changed by somebody else meanwhile`]
      : []),
  ].join('\n')
}
