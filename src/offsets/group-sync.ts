import {
  type Cluster,
  type CommittedOffset,
  commitOffsets,
  describeGroups,
  ERROR,
  type Group,
  groupOffsets,
  kafkaError,
  listGroups,
} from '../kafka/index.ts'
import { chooser, type During, inFlight, isKmigError, messageOf, Offset } from '../kit/index.ts'
import { type Bounds, expires, judgeOffset, type OffsetOutcome } from './judge.ts'
import { takesNone, unmovable } from './movable.ts'

export type GroupRow = {
  group: string
  topic: string
  partition: number
  source: Offset
  /** The target's offset before, where it has one. */
  target?: Offset
  outcome: OffsetOutcome
}
export type GroupReport = {
  rows: GroupRow[]
  /** Groups that could not be moved as a whole. */
  refused: { group: string; why: string }[]
  /** Groups that are not chosen, and topics that groups have offsets on and that are not mirrored. */
  excluded: { group: string; topic?: string; why: string }[]
}

/** When offsets were written last by this process, by group and partition; the caller keeps it from one sync to the next. */
export type Written = { now: () => number; at: Map<string, number> }

export type GroupSyncOptions = During & {
  source: Cluster
  target: Cluster
  groups?: readonly string[] | undefined
  /** Why a group is not touched, if it is not; asked before `groups`. */
  leave?: ((group: string) => string | undefined) | undefined
  /** Bounds of a mirrored partition; undefined for others, whose offsets are left alone. */
  boundsOf(topic: string, partition: number): Bounds | undefined
  /** Whether a topic is mirrored at all: then a partition without bounds is one whose copy is not sure yet. */
  mirrored?: ((topic: string) => boolean) | undefined
  /** With it offsets that don't change are written again each day. */
  written?: Written | undefined
  /** Whether a group that stands further on the target is taken back to where it is on the source; default never. */
  mayGoBack?: ((group: string, topic: string, partition: number, source: Offset) => boolean) | undefined
  /** Says what would be committed, and commits nothing. */
  dryRun?: boolean | undefined
}

/** Groups whose commits are under way at a time: a commit is of one group. */
const COMMITS_AT_ONCE = 32

const key = (group: string, topic: string, partition: number): string =>
  JSON.stringify([group, topic, partition])

type Wanted = { group: string; rows: (CommittedOffset & { bounds: Bounds })[] }

/**
 * Copies group offsets as they are, metadata included, into groups that are empty or absent on the target. Groups that
 * live there, and what can't be moved, are listed with the reason.
 */
export const syncGroups = async (options: GroupSyncOptions): Promise<GroupReport> => {
  const { source, target, signal } = options
  const report: GroupReport = { rows: [], refused: [], excluded: [] }
  const refused = (group: string, { message }: Error) => report.refused.push({ group, why: message })
  const [theirs, ours] = await Promise.all([listGroups(source, { signal }), listGroups(target, { signal })])
  const committed = await groupOffsets(source, choose(theirs, options, report), { signal, refused })
  const wanted = [...committed].map(([group, rows]) => choosePartitions(group, rows, options, report))
  const open = (await whoTakesOffsets(target, ours, wanted, { signal })).filter(({ group, why }) => {
    if (why !== undefined) report.refused.push({ group, why })
    return why === undefined
  })
  const there = await groupOffsets(
    target,
    open.map(({ group }) => group),
    { signal, refused },
  )
  const ready = open.filter(({ group }) => there.has(group))
  const move = (each: Wanted) => moveGroup(each, there.get(each.group) ?? [], options)
  for await (const { rows, why } of inFlight(ready, COMMITS_AT_ONCE, move, signal)) {
    report.rows.push(...rows)
    if (why) report.refused.push(why)
  }
  return report
}

const choose = (
  found: readonly Group[],
  { groups, leave }: GroupSyncOptions,
  report: GroupReport,
): string[] => {
  const chosen = chooser(groups)
  return found.flatMap(group => {
    const why = unmovable(group)
    const left = leave?.(group.groupId)
    if (left !== undefined) report.excluded.push({ group: group.groupId, why: left })
    else if (!chosen(group.groupId)) report.excluded.push({ group: group.groupId, why: 'by --groups' })
    else if (why) report.refused.push({ group: group.groupId, why })
    else return [group.groupId]
    return []
  })
}

const choosePartitions = (
  group: string,
  rows: readonly CommittedOffset[],
  { boundsOf, mirrored }: GroupSyncOptions,
  report: GroupReport,
): Wanted => {
  const left = new Set<string>()
  if (rows.length === 0) report.excluded.push({ group, why: 'it has committed nothing' })
  const chosen = rows.flatMap(row => {
    const { topic, partition } = row
    const bounds = boundsOf(topic, partition)
    if (bounds) return [{ ...row, bounds }]
    if (mirrored?.(topic)) {
      const why = 'what the copy of this partition holds is not known yet: the next look tells'
      report.rows.push({
        ...{ group, topic, partition, source: Offset(row.offset) },
        outcome: { kind: 'refused', why },
      })
    } else left.add(topic)
    return []
  })
  for (const topic of left) report.excluded.push({ group, topic, why: 'the topic is not mirrored' })
  return { group, rows: chosen }
}

/** The groups that have something to be moved, each with why the target does not take it. */
const whoTakesOffsets = async (
  target: Cluster,
  ours: readonly Group[],
  wanted: readonly Wanted[],
  { signal }: During,
): Promise<(Wanted & { why: string | undefined })[]> => {
  const known = new Map(ours.map(group => [group.groupId, group]))
  const some = wanted.filter(({ rows }) => rows.length > 0)
  // Brokers before 2.6 list no state.
  const ask = some.filter(({ group }) => known.get(group)?.state === '').map(({ group }) => group)
  const described = new Map(
    (await describeGroups(target, ask, { signal })).map(({ groupId, state }) => [groupId, state]),
  )
  return some.map(({ group, rows }) => {
    const there = known.get(group)
    const state = there ? described.get(group) || there.state : 'Dead'
    return { group, rows, why: takesNone(state, there) }
  })
}

type Moved = { rows: GroupRow[]; why?: { group: string; why: string } }

const moveGroup = async (
  { group, rows }: Wanted,
  there: readonly CommittedOffset[],
  { target, written, mayGoBack, dryRun, signal }: GroupSyncOptions,
): Promise<Moved> => {
  const before = new Map(there.map(row => [key(group, row.topic, row.partition), row.offset]))
  const moved: GroupRow[] = []
  const commits = new Map<
    string,
    { row: CommittedOffset; at: Offset; renewed: boolean; about: Omit<GroupRow, 'outcome'> }
  >()
  for (const row of rows) {
    const { topic, partition, offset, bounds } = row
    const name = key(group, topic, partition)
    const now = before.get(name)
    const source = Offset(offset)
    const target = now === undefined || now < 0n ? undefined : Offset(now)
    const goesBack = mayGoBack?.(group, topic, partition, source) ?? false
    const outcome = judgeOffset(source, target, bounds, { goesBack })
    const about = { group, topic, partition, source, ...(target !== undefined && { target }) }
    const renewed =
      !dryRun &&
      outcome.kind === 'unchanged' &&
      written !== undefined &&
      expires(written.at.get(name), written.now())
    if (outcome.kind === 'commit' && dryRun)
      moved.push({ ...about, outcome: { kind: 'movable', at: outcome.at } })
    else if (outcome.kind === 'commit' || renewed) commits.set(name, { row, at: outcome.at, renewed, about })
    else moved.push({ ...about, outcome })
  }
  if (commits.size === 0) return { rows: moved }
  const sent = [...commits.values()].map(({ row: { topic, partition, metadata }, at }) => {
    return { topic, partition, offset: at, leaderEpoch: -1, metadata }
  })
  try {
    for (const { topic, partition, errorCode } of await commitOffsets(target, group, sent, { signal })) {
      const name = key(group, topic, partition)
      const commit = commits.get(name)
      if (!commit) continue
      if (errorCode === 0) written?.at.set(name, written.now())
      const { about, at, renewed } = commit
      const kind = renewed ? 'renewed' : 'committed'
      const outcome: OffsetOutcome =
        errorCode === 0 ? { kind, at } : { kind: 'refused', why: whyNot(errorCode) }
      moved.push({ ...about, outcome })
    }
    return { rows: moved }
  } catch (e) {
    signal.throwIfAborted()
    if (!isKmigError(e)) throw e
    return { rows: moved, why: { group, why: messageOf(e) } }
  }
}

const GROUP_ID_NOT_FOUND = 69
const whyNot = (errorCode: number): string => {
  if (errorCode === ERROR.UNKNOWN_MEMBER_ID)
    return 'members have joined it on the target; stop them to move it (UNKNOWN_MEMBER_ID)'
  if (errorCode === GROUP_ID_NOT_FOUND)
    return 'the target has a group of this name that takes no offsets (GROUP_ID_NOT_FOUND)'
  return kafkaError(errorCode).name
}
