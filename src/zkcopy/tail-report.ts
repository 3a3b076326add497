import * as z from 'zod'
import { formatCount, formatDuration } from '../kit/index.ts'
import type { Pause } from './pace.ts'
import type { TailEvent, TailReport } from './tail.ts'

const count = z.int().nonnegative()
const ms = z.number().nonnegative()
export const tailShape = z.strictObject({
  mode: z.enum(['watch', 'rescan']).describe('rescan: the servers are older than 3.6'),
  endedBy: z.enum(['quiet', 'signal']),
  changes: count.describe('paths that the source told; by rescans: writes'),
  rescans: count.describe('times that the whole source was looked through again'),
  lag: z
    .strictObject({ lastMs: ms, p50Ms: ms, p99Ms: ms, maxMs: ms })
    .nullable()
    .describe('from being told by the source to being confirmed by the target; null before the first change'),
})

type Following = Extract<TailEvent, { kind: 'following' }>
/** Where following stands, for people. */
export const followingText = ({ mode, changes, pending, lagMs }: Following): string => {
  const so = `following: ${formatCount(changes)} changes copied`
  return mode === 'rescan'
    ? `${so}, last look through the source took ${formatDuration(lagMs)}`
    : `${so}, ${formatCount(pending)} to do, lag ${formatDuration(lagMs)}`
}

export const rescanText = ({ why }: Extract<TailEvent, { kind: 'rescan' }>): string =>
  why === 'last-look'
    ? 'the source is quiet: a last look at all of it, ACLs too'
    : 'the connection that tells of changes was lost: all that changed meanwhile is looked for'

export const pausedText = ({ forMs, p50Ms, startP50Ms }: Pause): string =>
  `the target is slow (a batch takes ${formatDuration(p50Ms)}, at the start ${formatDuration(startP50Ms)}): ` +
  `no write for ${formatDuration(forMs)}`

export const tailText = ({ mode, endedBy, changes, rescans, lag }: TailReport): string =>
  [
    `followed until ${endedBy === 'quiet' ? 'the source was quiet' : 'it was stopped'}: ${formatCount(changes)} changes`,
    ...(mode === 'rescan'
      ? ['by looking through the source, as its servers tell of no changes (before 3.6)']
      : []),
    ...(lag ? [`lag ${lag.p50Ms} ms in the middle, ${lag.p99Ms} ms at p99, ${lag.maxMs} ms at most`] : []),
    ...(rescans > 0 ? [`looked through ${formatCount(rescans)} times`] : []),
  ].join(', ')
