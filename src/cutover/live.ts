import { yamlDirectory } from '../discovery/index.ts'
import { type Cluster, describeGroups, groupOffsets, listGroups, partitionKey } from '../kafka/index.ts'
import { chooser, type During, type Offset, onAbort, sleep } from '../kit/index.ts'
import type { Mirror } from '../mirror/index.ts'
import { syncGroups } from '../offsets/index.ts'
import { logEnds, type Where } from './log-ends.ts'
import type { ClockPort, LaggingGroup, MirrorPort, Ports } from './ports.ts'

export type LiveOptions = During & {
  mirror: Mirror
  run: { id: string; directory: string }
  discovery: string
  groups?: readonly string[] | undefined
  /** Ends with the mirror, not with the operator's signal: putting back needs it. */
  life: AbortSignal
  /** The partitions that move. */
  wheres(): readonly Where[]
}

/** Real clusters and real files as a cutover's world. */
export const livePorts = (options: LiveOptions): Ports => {
  const { mirror, run, signal, life, wheres } = options
  return {
    mirror: mirrorPort(options),
    ends: {
      old: () => logEnds(mirror.source, wheres(), { signal: life }),
      next: () => logEnds(mirror.target, wheres(), { signal: life }),
    },
    discovery: yamlDirectory(options.discovery, { journalDir: run.directory }),
    clock: liveClock(signal),
  }
}

export const liveClock = (signal: AbortSignal): ClockPort => ({
  wall: () => Date.now(),
  now: () => performance.now(),
  sleep: ms => sleep(ms, signal),
})

/** Waits for work that goes on by itself, but no longer than the operator wants. */
export const within = async <T>(signal: AbortSignal, work: Promise<T>): Promise<T> => {
  work.catch(() => {}) // it may fail when nobody waits any more
  const { promise, reject } = Promise.withResolvers<never>()
  using _ = onAbort(signal, reject)
  return await Promise.race([work, promise])
}

const mirrorPort = ({ mirror, run, groups, signal, life, wheres }: LiveOptions): MirrorPort => {
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
