import { type Cluster, groupOffsets, listGroups } from '../kafka/index.ts'
import { chooser, type During } from '../kit/index.ts'
import type { Maker } from './extent.ts'
import type { PartitionReport } from './partition-report.ts'
import type { Places } from './places.ts'

export type GroupFinding = {
  group: string
  topic: string
  partition: number
  source: bigint
  /** undefined where the target's group has none. */
  target: bigint | undefined
  /**
   * `behind`: the mirror brings it up to date. `moved-on`: it reads on the target since the cutover. `ahead`: readers
   * that start there would skip records. `lower`: they would read records again. `none`: they would start anywhere.
   */
  outcome: 'behind' | 'moved-on' | 'ahead' | 'lower' | 'none'
  equal: boolean
}
export type GroupsReport = {
  compared: number
  same: number
  /** All that are not the same. */
  findings: GroupFinding[]
  /** Committed on partitions that are not compared at equal offsets. */
  notCompared: number
  refused: { group: string; why: string }[]
}

export type GroupsOptions = During & {
  source: Cluster
  target: Cluster
  groups: readonly string[] | undefined
  /** What is known of a partition; undefined for others, whose offsets are left out. */
  known: (
    topic: string,
    partition: number,
  ) => { report: Pick<PartitionReport, 'how' | 'source'>; maker: Maker; places: Places } | undefined
}

/** Committed offsets of consumer groups. Read after the records, the target's first: a group moves on while it is read. */
export const compareGroups = async ({
  source,
  target,
  groups,
  known,
  signal,
}: GroupsOptions): Promise<GroupsReport> => {
  const chosen = chooser(groups)
  const report: GroupsReport = { compared: 0, same: 0, findings: [], notCompared: 0, refused: [] }
  const ids = (await listGroups(source, { signal }))
    .filter(
      ({ groupId, protocolType }) => chosen(groupId) && (protocolType === 'consumer' || protocolType === ''),
    )
    .map(({ groupId }) => groupId)
  const refused = (group: string, { message }: Error) => void report.refused.push({ group, why: message })
  const theirs = await groupOffsets(target, ids, { signal, refused })
  const ours = await groupOffsets(source, ids, { signal, refused })
  for (const [group, rows] of ours) {
    const there = new Map((theirs.get(group) ?? []).map(row => [`${row.topic}-${row.partition}`, row.offset]))
    for (const { topic, partition, offset } of rows) {
      const about = known(topic, partition)
      if (!about) continue
      if (about.report.how === 'any') {
        report.notCompared++
        continue
      }
      report.compared++
      const { places, maker } = about
      const { start } = about.report.source
      const at = places.toTarget(offset < start ? start : offset)
      const now = there.get(`${topic}-${partition}`)
      // what the source has deleted since the offset was copied moves it up on the source only
      const judged = now === places.toTarget(offset) ? undefined : judge(at, now, maker)
      if (!judged) report.same++
      else report.findings.push({ group, topic, partition, source: offset, target: now, ...judged })
    }
  }
  return report
}

/** undefined: the same. */
export const judge = (
  source: bigint,
  target: bigint | undefined,
  maker: Maker,
): Pick<GroupFinding, 'outcome' | 'equal'> | undefined => {
  if (target === source) return undefined
  if (target !== undefined && target > source)
    return maker === 'cut-over' ? { outcome: 'moved-on', equal: true } : { outcome: 'ahead', equal: false }
  if (maker === 'mirror') return { outcome: 'behind', equal: true }
  return target === undefined ? { outcome: 'none', equal: false } : { outcome: 'lower', equal: false }
}
