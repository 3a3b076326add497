import {
  alterTopicConfigs,
  type Cluster,
  describeGroups,
  groupOffsets,
  listGroups,
  partitionKey,
} from '../kafka/index.ts'
import { chooser, type During, type Offset } from '../kit/index.ts'
import type { Mirror } from '../mirror/index.ts'
import { syncGroups } from '../offsets/index.ts'
import { within } from './in-time.ts'
import type { Where } from './log-ends.ts'
import type { LaggingGroup, MirrorPort } from './ports.ts'

export type MirrorPortOptions = During & {
  mirror: Mirror
  run: { id: string }
  groups?: readonly string[] | undefined
  /** Ends with the mirror, not with the operator's signal: putting back needs it. */
  life: AbortSignal
  /** The partitions that move. */
  wheres(): readonly Where[]
}

const STAMPS = 'message.timestamp.type'

/** A mirror as a cutover drives it. */
export const mirrorPort = ({ mirror, run, groups, signal, life, wheres }: MirrorPortOptions): MirrorPort => {
  /** A partition that stopped is not waited for by the mirror, but a cutover can't do without it. */
  const whole = () => {
    const stopped = mirror.lanes.find(lane => lane.stopped)?.stopped
    if (stopped) throw stopped
  }
  return {
    start: () => mirror.start({ afterCutover: mirror.plan.cutover?.run === run.id }),
    caughtUp: async () => {
      await within(signal, mirror.caughtUp())
      whole()
    },
    reached: async ends => {
      await within(signal, mirror.reached(ends))
      whole()
    },
    stop: () => mirror.stopLanes(),
    copied: () => new Map(mirror.lanes.map(({ where, place }) => [where, place.target])),
    lagging: ends => laggingGroups(mirror.source, ends, { groups, signal: life }),
    syncGroups: () => mirror.syncGroups(),
    syncGroupsBack: async ends => {
      const starts = await mirror.source.listOffsets(
        wheres().map(where => ({ ...where, timestamp: -2n })),
        { signal: life },
      )
      return await syncGroups({
        source: mirror.target,
        target: mirror.source,
        groups,
        leave: group =>
          mirror.state?.moved.some(each => each.group === group) ? 'it moved first' : undefined,
        boundsOf: (topic, partition) => {
          const key = partitionKey(topic, partition)
          const [start, end] = [starts.get(key)?.offset, ends.get(key)]
          return start === undefined || end === undefined
            ? undefined
            : { start: start as Offset, end: end as Offset }
        },
        signal: life,
      })
    },
    open: async () => {
      for (const { topic, configs } of mirror.plan.topics) {
        const value = configs.final[STAMPS]
        if (value !== undefined && value !== configs.held[STAMPS])
          await alterTopicConfigs(mirror.target, topic, { set: { [STAMPS]: value } }, { signal: life })
      }
    },
    release: () => mirror.releaseTopics(),
    hold: () => mirror.holdTopics(),
    mark: async id => await mirror.setCutover(id === null ? null : { run: id, at: new Date().toISOString() }),
  }
}

/** Groups with members that have committed less than these ends on a partition that they commit on. */
const laggingGroups = async (
  cluster: Cluster,
  ends: ReadonlyMap<string, bigint>,
  { groups, signal }: During & { groups?: readonly string[] | undefined },
): Promise<LaggingGroup[]> => {
  const chosen = chooser(groups)
  const found = (await listGroups(cluster, { signal })).filter(
    ({ groupId, protocolType }) => chosen(groupId) && protocolType === 'consumer',
  )
  // Brokers before 2.6 list no state; groups of the newer protocol have no members in the older description.
  const ids = found.map(({ groupId }) => groupId)
  const described = new Map(
    (await describeGroups(cluster, ids, { signal })).map(group => [group.groupId, group]),
  )
  const live = found.filter(
    ({ groupId, state }) => !['Empty', 'Dead'].includes(state || (described.get(groupId)?.state ?? '')),
  )
  const committed = await groupOffsets(
    cluster,
    live.map(({ groupId }) => groupId),
    { signal },
  )
  return live.flatMap(({ groupId }) => {
    const lag = (committed.get(groupId) ?? []).reduce((sum, { topic, partition, offset }) => {
      const end = ends.get(partitionKey(topic, partition)) ?? 0n
      return end > offset ? sum + end - offset : sum
    }, 0n)
    return lag > 0n ? [{ group: groupId, members: described.get(groupId)?.members.length ?? 0, lag }] : []
  })
}
