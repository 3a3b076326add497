import * as z from 'zod'
import { formatBytes, formatCount, formatDuration } from '../kit/index.ts'
import { LATENCY_OPERATIONS, type LatencyReport } from './latency.ts'
import { CLIENT_TEXT, CLIENTS } from './one-server.ts'

const count = z.int().nonnegative()
const ms = z.number().nonnegative()
/** Fields of `kmig zk latency --json` besides the envelope. */
export const latencyShape = {
  to: z.string(),
  ops: count.describe('of each kind at each server'),
  bytes: count.describe('of data in a znode'),
  window: count.describe('operations without an answer at a time'),
  servers: z.array(
    z.strictObject({
      server: z.string(),
      client: z.enum(CLIENTS).describe(CLIENT_TEXT),
      operations: z.array(
        z.strictObject({
          operation: z.enum(LATENCY_OPERATIONS),
          count,
          p50Ms: ms,
          p99Ms: ms,
          maxMs: ms,
          perSecond: count,
        }),
      ),
    }),
  ),
  elapsedMs: count,
}

const HEAD = ['server', 'operation', 'p50 ms', 'p99 ms', 'max ms', 'per second']

/** The table for people. */
export const latencyText = ({ to, ops, bytes, window, servers, elapsedMs }: LatencyReport): string => {
  const rows = servers.flatMap(({ server, operations }) =>
    operations.map(({ operation, p50Ms, p99Ms, maxMs, perSecond }) => [
      ...[server, operation, p50Ms.toFixed(2), p99Ms.toFixed(2), maxMs.toFixed(2)],
      formatCount(perSecond),
    ]),
  )
  const widths = HEAD.map((head, i) => Math.max(head.length, ...rows.map(row => row[i]?.length ?? 0)))
  const lines = [HEAD, ...rows].map(row =>
    row.map((cell, i) => (i < 2 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0))).join('  '),
  )
  const what = `${formatCount(ops)} of each with ${formatBytes(bytes)} of data, ${window} at a time`
  const by = servers.some(({ client }) => client === 'kmig') ? ', by kmig as the client' : ''
  return [...lines, `${to}: ${what}, in ${formatDuration(elapsedMs)}${by}`].join('\n')
}
