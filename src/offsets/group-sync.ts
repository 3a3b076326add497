import {
  type Cluster,
  type CommittedOffset,
  commitOffsets,
  groupOffsets,
  kafkaError,
  listGroups,
} from '../kafka/index.ts'
import { chooser, type During, Offset } from '../kit/index.ts'

/** What the copy of a partition holds: records from `start`, up to `end`. */
export type Bounds = { start: Offset; end: Offset }

/** What became of a group's offset on one partition. */
export type OffsetOutcome =
  | { kind: 'committed'; at: Offset }
  | { kind: 'unchanged'; at: Offset }
  /** The copy does not reach the offset yet: never clamped, as the reader would read records again. */
  | { kind: 'waiting'; at: Offset; copied: Offset }
  | { kind: 'kept'; at: Offset; why: string }
  | { kind: 'refused'; why: string }
export type GroupRow = {
  group: string
  topic: string
  partition: number
  source: Offset
  outcome: OffsetOutcome
}
export type GroupReport = {
  rows: GroupRow[]
  /** Groups that could not be moved as a whole. */
  refused: { group: string; why: string }[]
}

export type GroupSyncOptions = During & {
  source: Cluster
  target: Cluster
  groups?: readonly string[] | undefined
  /** Bounds of a mirrored partition; undefined for others, whose offsets are left alone. */
  boundsOf(topic: string, partition: number): Bounds | undefined
}

const key = (group: string, topic: string, partition: number): string =>
  JSON.stringify([group, topic, partition])

/** What to do about one offset. Offsets are the same on both sides; only what the source has deleted moves up. Source: MIRROR.md 8. */
export const judgeOffset = (
  source: Offset,
  there: Offset | undefined,
  { start, end }: Bounds,
): OffsetOutcome | { kind: 'commit'; at: Offset } => {
  const at = source < start ? start : source
  if (at > end) return { kind: 'waiting', at, copied: end }
  if (there === at) return { kind: 'unchanged', at }
  if (there !== undefined && there > at)
    return {
      kind: 'kept',
      at: there,
      why: `the target's offset is ahead of the source's ${at}: never moved backwards`,
    }
  return { kind: 'commit', at }
}

/**
 * Copies group offsets as they are, metadata included, into groups that are empty or absent on the target. Groups that
 * live there, and what can't be moved, are listed with the reason.
 */
export const syncGroups = async ({
  source,
  target,
  groups,
  boundsOf,
  signal,
}: GroupSyncOptions): Promise<GroupReport> => {
  const chosen = chooser(groups)
  const ours = (await listGroups(source, { signal })).filter(
    ({ groupId, protocolType }) => chosen(groupId) && (protocolType === 'consumer' || protocolType === ''),
  )
  const ids = ours.map(({ groupId }) => groupId)
  const report: GroupReport = { rows: [], refused: [] }
  const refused = (group: string, { message }: Error) => report.refused.push({ group, why: message })
  const committed = await groupOffsets(source, ids, { signal, refused })
  const wanted = ids.flatMap(group => {
    const rows = (committed.get(group) ?? []).flatMap(row => {
      const bounds = boundsOf(row.topic, row.partition)
      return bounds && row.offset >= 0n ? [{ ...row, bounds }] : []
    })
    return rows.length > 0 ? [{ group, rows }] : []
  })
  const theirs = await groupOffsets(
    target,
    wanted.map(({ group }) => group),
    { signal, refused },
  )
  const states = new Map(
    (await listGroups(target, { signal })).map(({ groupId, state }) => [groupId, state] as const),
  )
  for (const { group, rows } of wanted) {
    if (report.refused.some(each => each.group === group)) continue
    const state = states.get(group) ?? 'Empty'
    if (state !== 'Empty' && state !== 'Dead') {
      report.refused.push({ group, why: `it has members on the target (${state}); stop them to move it` })
      continue
    }
    const there = new Map(
      (theirs.get(group) ?? []).map(row => [key(group, row.topic, row.partition), row] as const),
    )
    const commits: (CommittedOffset & { source: Offset })[] = []
    for (const { topic, partition, offset, metadata, bounds } of rows) {
      const now = there.get(key(group, topic, partition))?.offset
      const from = Offset(offset)
      const outcome = judgeOffset(from, now === undefined || now < 0n ? undefined : Offset(now), bounds)
      if (outcome.kind === 'commit')
        commits.push({ topic, partition, offset: outcome.at, leaderEpoch: -1, metadata, source: from })
      else report.rows.push({ group, topic, partition, source: from, outcome })
    }
    if (commits.length === 0) continue
    for (const { topic, partition, errorCode } of await commitOffsets(target, group, commits, { signal })) {
      const sent = commits.find(each => each.topic === topic && each.partition === partition)
      if (!sent) continue
      const outcome: OffsetOutcome =
        errorCode === 0
          ? { kind: 'committed', at: Offset(sent.offset) }
          : { kind: 'refused', why: kafkaError(errorCode).name }
      report.rows.push({ group, topic, partition, source: sent.source, outcome })
    }
  }
  return report
}
