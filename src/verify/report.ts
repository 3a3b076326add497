import { EXIT, type Exit } from '../kit/index.ts'
import type { Difference } from './difference.ts'
import type { GroupsReport } from './groups.ts'
import type { TopicReport } from './metadata.ts'
import type { PartitionReport } from './partition-report.ts'
import type { PartitionScope, TopicScope } from './scope.ts'
import { KINDS } from './tally.ts'

/**
 * `equal`: all of it was compared, and is the same. `partial`: what could be compared is the same. `failed`: part of it
 * could not be read; nothing that was read differs.
 */
export type Verdict = 'equal' | 'differs' | 'partial' | 'failed'

export type VerifyReport = {
  verdict: Verdict
  source: { name: string; clusterId: string }
  target: { name: string; clusterId: string }
  /** The mirror whose state was found on the target. */
  mirror: { name: string; cutOver: boolean } | undefined
  quick: boolean
  strict: boolean
  interrupted: boolean
  ms: number
  /** Read from both sides together. */
  bytes: number
  topics: TopicReport[]
  partitions: PartitionReport[]
  groups: GroupsReport | undefined
  /** The first ones. */
  differences: Difference[]
}

const ZERO = { changed: 0n, missing: 0n, extra: 0n, swapped: 0n, moved: 0n, corrupt: 0n }

/** A partition whose records were not looked at. */
export const notRead = ({ topic, partition, source, target, open }: PartitionScope): PartitionReport => ({
  ...{ topic, partition, how: 'unread', source, target, records: 0, untouched: 0, unpacked: 0, windows: 0 },
  ...{
    differingWindows: 0,
    counts: ZERO,
    behind: 0n,
    since: 0n,
    open,
    notCompared: [],
    headers: 0,
    foreign: [],
  },
  ...{ keys: undefined, digestOld: undefined, digestNew: undefined, earlier: 0n, failed: undefined },
})

/** Partitions whose ends can't be had. */
export const unreadable = ({ topic, unreadable: all }: TopicScope): PartitionReport[] =>
  all.map(({ partition, code, message }) => {
    const ends = { start: 0n, end: 0n }
    const exit = code === 'AUTHORIZATION' ? EXIT.auth : EXIT.partial
    const failed = { code, message, try: [], exit }
    return { ...notRead({ topic, partition, source: ends, target: ends, open: 0n }), failed }
  })

export const differencesIn = ({ counts }: PartitionReport): bigint =>
  KINDS.reduce((sum, kind) => sum + counts[kind], 0n)

type Found = Omit<VerifyReport, 'verdict'>

export const verdictOf = ({ topics, partitions, groups, strict, interrupted, quick }: Found): Verdict => {
  const differs =
    topics.some(({ equal }) => !equal) ||
    partitions.some(each => differencesIn(each) > 0n || each.foreign.length > 0) ||
    (quick && partitions.some(endsDiffer)) ||
    (groups?.findings.some(({ equal }) => !equal) ?? false)
  if (differs) return 'differs'
  if (partitions.some(({ failed }) => failed) || (groups?.refused.length ?? 0) > 0) return 'failed'
  const whole = !interrupted && !quick && partitions.every(complete)
  return whole ? 'equal' : strict ? 'differs' : 'partial'
}

const complete = ({ behind, notCompared, how }: PartitionReport): boolean =>
  how !== 'unread' && behind === 0n && notCompared.length === 0

/** By counts alone: the target ends behind the source or holds more. */
const endsDiffer = ({ source, target }: PartitionReport): boolean => target.end > source.end

/** Where several apply: loss, authorization, unreachable, partial. */
const GRAVEST: readonly number[] = [EXIT.loss, EXIT.auth, EXIT.unreachable]

export const verifyExit = ({ verdict, partitions }: VerifyReport): Exit => {
  if (verdict === 'differs') return EXIT.difference
  if (verdict !== 'failed') return EXIT.ok
  const exits = new Set(partitions.flatMap(({ failed }) => (failed ? [failed.exit] : [])))
  return (GRAVEST.find(exit => exits.has(exit)) as Exit | undefined) ?? EXIT.partial
}
