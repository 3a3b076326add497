import type { Finding, Mention, Plan, PlannedEntry } from '../discovery/index.ts'
import { KmigError } from '../kit/index.ts'
import type { MirrorPlan } from '../mirror/index.ts'
import type { Told } from './doctor/index.ts'
import type { FenceProblem } from './fence-port.ts'
import type { LeftBehind } from './left-behind.ts'
import type { PlanDocument, PlannedAction } from './plan-document.ts'
import { actionsOf } from './planned-actions.ts'
import { unfit } from './preflight.ts'

export type PlannedTopic = {
  topic: string
  action: MirrorPlan['topics'][number]['action']
  partitions: number
  /** Offsets that are not on the new cluster yet. */
  left: bigint
}

/** What a cutover would do, in order; nothing of it is done. */
export type CutoverPlan = {
  from: { name: string; clusterId: string }
  to: { name: string; clusterId: string }
  mirror: string
  topics: PlannedTopic[]
  discovery: {
    root: string
    files: { path: string; shaBefore: string; shaAfter: string }[]
    entries: PlannedEntry[]
    /** Places outside matched entries that name a host of the old cluster. */
    mentions: Mention[]
    findings: Finding[]
    /** Unified diff of the files. */
    diff: string
  }
  /** Topics and groups of the old cluster that stay there, though its clients leave. */
  leftBehind: LeftBehind
  /** What will be done, in order. */
  actions: PlannedAction[]
  /** What the checks of `kmig doctor` found; undefined where a run is past them. */
  preflight: Told | undefined
  /** What keeps `--execute` from starting. */
  blockers: string[]
  /** The cutover that has ended this mirror already. */
  cutover: { run: string; at: string } | undefined
  /** A run that was killed; `--execute` goes on with it. */
  unfinished: { run: string; at: string } | undefined
  /** What weakens the fence or the way back. */
  notes: string[]
  /** Where `--execute` finds this plan; undefined while a run goes on. */
  document: { run: string; path: string; hash: string } | undefined
}

export type PlanInput = {
  mirror: MirrorPlan
  files: Plan
  leftBehind: LeftBehind
  strategy: PlanDocument['strategy']
  hooks: PlanDocument['hooks']
  /** Groups that move before the fence. */
  readersFirst: readonly string[]
  /** What stands in the way of the fence, and of the way back. */
  fence: readonly FenceProblem[]
  /** Files whose mentions of the old cluster the operator has seen and accepts. */
  acceptMentions: readonly string[]
  /** What keeps git from committing the files alone. */
  git: readonly string[]
  unfinished: CutoverPlan['unfinished']
  preflight: Told | undefined
}

export const makePlan = ({
  mirror,
  files,
  leftBehind,
  strategy,
  hooks,
  readersFirst,
  fence,
  acceptMentions,
  git,
  unfinished,
  preflight,
}: PlanInput): CutoverPlan => {
  const topics = mirror.topics.map(({ topic, action, partitions }) => ({
    topic,
    action,
    partitions: partitions.length,
    left: partitions.reduce(
      (sum, { start, end, copied }) => sum + end - (copied !== undefined && copied > start ? copied : start),
      0n,
    ),
  }))
  return {
    from: mirror.source,
    to: mirror.target,
    mirror: mirror.name,
    topics,
    discovery: {
      root: files.root,
      files: files.files.map(({ path, shaBefore, shaAfter }) => ({ path, shaBefore, shaAfter })),
      entries: files.entries,
      mentions: files.mentions,
      findings: files.findings,
      diff: files.diff,
    },
    ...{ leftBehind, preflight },
    actions: actionsOf({ mirror, files, strategy, hooks, readersFirst }),
    blockers: [
      ...blockersOf(mirror, files, acceptMentions),
      ...git.map(why => `--git: ${why}`),
      ...fence.filter(({ severity }) => severity === 'error').map(({ what, fix }) => `${what}: ${fix}`),
      ...(preflight ? unfit(preflight) : []),
    ],
    cutover: mirror.cutover,
    unfinished,
    document: undefined,
    notes: fence.filter(({ severity }) => severity === 'warning').map(({ what, fix }) => `${what} (${fix})`),
  }
}

const blockersOf = (mirror: MirrorPlan, { mentions }: Plan, accepted: readonly string[]): string[] => [
  ...(mirror.topics.length === 0 ? ['no topic is chosen: see --topics and --exclude'] : []),
  ...mirror.topics.flatMap(({ topic, action, why }) =>
    action === 'refuse' ? [`topic ${topic}: ${why}`] : [],
  ),
  ...[
    ...Map.groupBy(
      mentions.filter(({ path }) => !accepted.includes(path)),
      ({ path }) => path,
    ),
  ].map(
    ([path, [first, ...more]]) =>
      `${path}:${first?.line}:${first?.column} names ${first?.host} outside of any entry that moves${more.length > 0 ? ` (and ${more.length} more)` : ''}: --accept-mention ${path}`,
  ),
]

/** Throws PREFLIGHT with all that forbids to start. */
export const refuseBlocked = ({ blockers }: CutoverPlan): void => {
  if (blockers.length === 0) return
  throw new KmigError('PREFLIGHT', blockers.join('\n'), {
    try: ['put these right, or accept what can be accepted, then run the same command again'],
  })
}
