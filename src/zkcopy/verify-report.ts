import * as z from 'zod'
import { formatBytes, formatCount, formatDuration, plural } from '../kit/index.ts'
import type { Paths } from './tally.ts'
import type { VerifyReport, VerifySide } from './verify.ts'

const count = z.int().nonnegative()
const named = z.strictObject({ count, first: z.array(z.string()) })
const side = z.strictObject({
  address: z.string(),
  znodes: count.describe('compared'),
  bytes: count.describe('of data'),
  ephemerals: count.describe('not compared'),
  fingerprint: z.string().describe('equal for equal trees: path, data and ACL of every znode'),
  written: count.describe('written after the comparison began: no proof for these'),
})
/** Fields of `kmig zk verify --json` besides the envelope. */
export const verifyShape = {
  acl: z.string(),
  from: side,
  to: side,
  equal: z.boolean().describe('by fingerprint'),
  differing: named.describe('below the root: on both sides, with other data or another ACL'),
  missing: named.describe('below the root: on the source only'),
  extra: named.describe('below the root: on the target only'),
  elapsedMs: count,
}

const sideText = (what: string, { address, znodes, bytes, ephemerals, fingerprint, written }: VerifySide) =>
  [
    `${what} ${address}: ${formatCount(znodes)} znodes, ${formatBytes(bytes)}`,
    ...(ephemerals > 0 ? [`${plural(ephemerals, 'ephemeral')} left out`] : []),
    ...(written > 0 ? [`${plural(written, 'znode')} written meanwhile`] : []),
    fingerprint.slice(0, 16),
  ].join(', ')

const list = ({ count: n, first }: Paths, what: string): string[] =>
  n === 0
    ? []
    : [`${formatCount(n)} ${what}:`, ...first.map(p => `  ${p}`), ...(n > first.length ? ['  ...'] : [])]

/** The report for people. */
export const verifyText = ({ from, to, equal, acl, elapsedMs, ...paths }: VerifyReport): string => {
  const what = acl === 'ignore' ? 'path and data' : 'path, data and ACL'
  const named = paths.differing.count + paths.missing.count + paths.extra.count
  return [
    sideText('source', from),
    sideText('target', to),
    `${equal ? 'equal' : 'NOT equal'} in ${what} (${formatDuration(elapsedMs)})`,
    ...(equal || named > 0
      ? []
      : ['they were equal when looked at again: somebody writes; block writers first']),
    ...list(paths.differing, 'differ'),
    ...list(paths.missing, 'on the source only'),
    ...list(paths.extra, 'on the target only'),
    ...(equal && from.written + to.written > 0 ? ['somebody writes meanwhile: equal then, not now'] : []),
  ].join('\n')
}
