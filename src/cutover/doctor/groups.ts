import { describeGroups, groupOffsets } from '../../kafka/index.ts'
import { chooser, type During } from '../../kit/index.ts'
import { type Mirror, MirrorState } from '../../mirror/index.ts'
import { StateTopic, unmovable } from '../../offsets/index.ts'
import { type Facts, tried } from './facts.ts'
import { about, type Finding, looked, notChecked, type Outcome } from './finding.ts'

type Found = Omit<Finding, 'id'>
const WITHIN_MS = 15_000
const GROUP_CHECKS = ['group-active', 'group-unsupported', 'external-offsets'] as const

export type GroupOptions = During & {
  mirror: Pick<Mirror, 'name' | 'target'>
  groups?: readonly string[] | undefined
  /** Groups that a run moved itself, by its journal. */
  moved?: readonly string[] | undefined
}

/** Who reads, what of it can be moved, and what keeps its place where kmig can't see it. */
export const groupChecks = async (
  { old, next, moving, plan }: Facts,
  { mirror, groups, moved = [], signal }: GroupOptions,
): Promise<Outcome[]> => {
  const chosen = chooser(groups)
  if (old.groups.kind === 'unseen' || next.groups.kind === 'unseen') {
    const why = [old.groups, next.groups].flatMap(each => (each.kind === 'unseen' ? [each.why] : []))[0]
    return GROUP_CHECKS.map(id => notChecked(id, why ?? ''))
  }
  const theirs = old.groups.value.filter(({ groupId }) => chosen(groupId) && !groupId.startsWith('__kmig.'))
  const stuck = theirs.flatMap(group => {
    const why = unmovable(group)
    return why === undefined ? [] : [`${group.groupId} (${why})`]
  })
  const ids = theirs.filter(group => unmovable(group) === undefined).map(({ groupId }) => groupId)
  const there = new Set(next.groups.value.map(({ groupId }) => groupId))
  const seen = await tried(
    async signal => {
      const within = { signal, withinMs: WITHIN_MS }
      const common = ids.filter(id => there.has(id))
      const [described, ours, committed, marked] = await Promise.all([
        describeGroups(old.cluster, ids, within),
        describeGroups(next.cluster, common, within),
        groupOffsets(old.cluster, ids, within),
        common.length > 0 ? markedMoved(mirror, { signal }) : [],
      ])
      return { described, ours, committed, at: new Set([...moved, ...marked]) }
    },
    { signal },
  )
  const unsupported = looked(
    'group-unsupported',
    about(stuck, {
      severity: 'warning',
      evidence: names => `groups of '${old.name}' whose offsets are not moved: ${names}`,
      fix: 'move these applications by hand, or leave them out: --groups',
    }),
  )
  if (seen.kind === 'unseen')
    return [unsupported, notChecked('group-active', seen.why), notChecked('external-offsets', seen.why)]
  const { described, ours, committed, at } = seen.value
  const live = described.filter(({ members }) => members.length > 0)
  const active: Found[] = [
    ...about(
      ours
        .filter(({ groupId, members }) => members.length > 0 && !at.has(groupId))
        .map(({ groupId }) => groupId),
      {
        severity: 'error',
        evidence: names =>
          `groups run on '${next.name}' already, so that no offsets can be set there: ${names}`,
        fix: 'stop their members there until the cutover is done',
      },
    ),
    ...about(
      live.map(({ groupId, members }) => `${groupId} (${members.length})`),
      {
        severity: 'warning',
        evidence: names =>
          `groups with members on '${old.name}', which must read to the end in the fence: ${names}`,
        fix: 'keep them close to the end, or stop them before',
      },
    ),
  ]
  const silent = live
    .filter(({ groupId }) => (committed.get(groupId) ?? []).length === 0)
    .map(({ groupId }) => `group ${groupId} commits nothing`)
  return [looked('group-active', active), unsupported, external(silent, { moving, plan })]
}

/** Groups that a cutover moved before its fence: they run on the new cluster because it let them. */
const markedMoved = async (
  { target, name }: GroupOptions['mirror'],
  { signal }: During,
): Promise<string[]> => {
  const topic = await StateTopic.read(target, name, { signal })
  return topic ? new MirrorState(topic).moved.map(({ group }) => group) : []
}

/** Streams keeps local state by offsets of its changelogs, Connect its place in topics of its own. */
const STATE_TOPIC = /-(changelog|repartition)$|^_?connect[-_](configs|offsets|status)$/

const external = (silent: readonly string[], { moving, plan }: Pick<Facts, 'moving' | 'plan'>): Outcome => {
  const translated = plan.topics.flatMap(({ topic, partitions }) =>
    partitions.some(({ mode }) => mode === 'translated') ? [`topic ${topic}`] : [],
  )
  const state = [...moving].filter(topic => STATE_TOPIC.test(topic)).map(topic => `topic ${topic}`)
  return looked('external-offsets', [
    ...about(translated, {
      severity: 'warning',
      evidence: names =>
        `offsets that clients keep themselves (Flink, Connect sinks, Streams state) are not valid on: ${names}`,
      fix: 'kmig offsets translate tells where they are; or mirror with --offsets identical',
    }),
    ...about([...silent, ...state], {
      severity: 'warning',
      evidence: names => `places that are kept outside of group offsets: ${names}`,
      fix: 'see docs/what-if.md; move such an application whole, and stop it first',
    }),
  ])
}
