import { type Cluster, describeGroups, groupOffsets, listGroups } from '../kafka/index.ts'
import { chooser, type During } from '../kit/index.ts'
import { unmovable } from '../offsets/index.ts'
import type { FenceProblem } from './fence-port.ts'

export type ReadersFirstOptions = During & {
  source: Cluster
  target: Cluster
  /** Patterns of groups that move first. */
  first: readonly string[]
  /** Groups that are moved at all. */
  groups?: readonly string[] | undefined
  /** Topics that are copied. */
  topics: readonly string[]
}

/** The groups that move before the fence; what keeps one from it, or comes of it. Looks only. */
export const readersFirst = async ({
  source,
  target,
  first,
  groups,
  topics,
  signal,
}: ReadersFirstOptions): Promise<{ found: string[]; problems: FenceProblem[] }> => {
  if (first.length === 0) return { found: [], problems: [] }
  const all = await listGroups(source, { signal })
  const found = all.filter(({ groupId }) => chooser(first)(groupId) && !groupId.startsWith('__kmig.'))
  const problem = (severity: FenceProblem['severity'], what: string, fix: string): FenceProblem => {
    return { severity, what: `--readers-first: ${what}`, fix }
  }
  const none = first.filter(glob => !found.some(({ groupId }) => chooser([glob])(groupId)))
  const movable = found.filter(group => unmovable(group) === undefined && chooser(groups)(group.groupId))
  const ids = movable.map(({ groupId }) => groupId)
  const [there, committed] = await Promise.all([
    describeGroups(target, ids, { signal }),
    groupOffsets(source, ids, { signal, refused: () => {} }),
  ])
  const moved = new Set(topics)
  const problems = [
    ...none.map(glob => problem('error', `the old cluster has no group ${glob}`, 'see kmig offsets show')),
    ...found.flatMap(group => {
      const why = chooser(groups)(group.groupId) ? unmovable(group) : 'it is not chosen by --groups'
      return why ? [problem('error', `group ${group.groupId} can't be moved: ${why}`, 'leave it out')] : []
    }),
    ...there.flatMap(({ groupId, members }) =>
      members.length > 0
        ? [
            problem(
              'warning',
              `${groupId} has members on the new cluster`,
              'it is waited for: stop them there',
            ),
          ]
        : [],
    ),
    ...ids.flatMap(group => {
      const rows = committed.get(group) ?? []
      const stay = [...new Set(rows.flatMap(({ topic }) => (moved.has(topic) ? [] : [topic])))]
      if (stay.length > 0)
        return [
          problem('warning', `${group} reads ${stay.join(', ')} too, which stay`, 'it finds them no more'),
        ]
      return rows.length === 0
        ? [problem('warning', `${group} has committed nothing`, 'it begins where its own settings say')]
        : []
    }),
  ]
  return { found: ids, problems }
}
