import { type Cluster, partitionKey } from '../kafka/index.ts'
import type { During, Offset } from '../kit/index.ts'
import { type Bounds, type GroupReport, syncGroups, type Written } from '../offsets/index.ts'
import type { MirrorEvent } from './events.ts'
import type { Lane } from './lane.ts'
import type { TopicPlan } from './plan.ts'
import type { MovedReaders } from './state.ts'

export type GroupPlanOptions = During & {
  source: Cluster
  target: Cluster
  topics: readonly TopicPlan[]
  groups?: readonly string[] | undefined
}

/** What will become of the source's groups once the records are copied. Commits nothing. */
export const planGroups = async ({ topics, signal, ...sides }: GroupPlanOptions): Promise<GroupReport> => {
  const bounds = new Map(
    topics.flatMap(({ topic, partitions }) =>
      partitions.map(
        ({ partition, start, end }) => [partitionKey(topic, partition), { start, end }] as const,
      ),
    ),
  )
  const boundsOf = (topic: string, partition: number) => bounds.get(partitionKey(topic, partition))
  return await syncGroups({ ...sides, boundsOf, dryRun: true, signal })
}

const boundsOf = ({ targetStart, map, place: { source, target } }: Lane) => ({
  start: targetStart,
  end: target,
  image: (offset: Offset) => map.toTarget(offset, source),
})

export type MoveOptions = Omit<GroupPlanOptions, 'topics' | 'signal'> &
  During<MirrorEvent> & {
    lanes: readonly Lane[]
    /** Topics of the mirror, whoever copies them. */
    mirrored: readonly string[]
    written: Written
    /** Groups that read on the target already. */
    moved?: readonly MovedReaders[] | undefined
  }

/** What the copies of these lanes hold, as far as that is sure. */
export const boundsOfLanes = (lanes: readonly Lane[]): ReadonlyMap<string, Bounds> =>
  new Map(lanes.filter(lane => lane.sure || lane.stopped).map(lane => [lane.where, boundsOf(lane)]))

/** Why a group is left alone that has moved. */
export const leaving = (moved: readonly MovedReaders[]) => {
  const runs = new Map(moved.map(({ group, run }) => [group, run]))
  return (group: string): string | undefined => {
    const run = runs.get(group)
    return run && `its readers have moved to the target (run ${run}): they alone commit there`
  }
}

/** Copies group offsets as far as the records are copied; of partitions whose copy is not sure they wait. */
export const moveGroups = async ({
  lanes,
  mirrored,
  written,
  moved = [],
  on,
  signal,
  ...sides
}: MoveOptions): Promise<GroupReport> => {
  const bounds = boundsOfLanes(lanes)
  const topics = new Set([...mirrored, ...lanes.map(({ topic }) => topic)])
  const { source, target, groups } = sides
  const report = await syncGroups({
    source,
    target,
    groups,
    leave: leaving(moved),
    boundsOf: (topic, partition) => bounds.get(partitionKey(topic, partition)),
    mirrored: topic => topics.has(topic),
    written,
    signal,
  })
  const count = (...kinds: string[]) =>
    report.rows.filter(({ outcome }) => kinds.includes(outcome.kind)).length
  on?.({
    kind: 'groups',
    copied: count('committed'),
    unchanged: count('unchanged', 'renewed', 'kept'),
    refused: count('refused', 'waiting') + report.refused.length,
  })
  return report
}
