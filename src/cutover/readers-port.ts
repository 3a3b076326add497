import { type Cluster, type ClusterAddress, groupOffsets, partitionKey } from '../kafka/index.ts'
import { bug, chooser, type During } from '../kit/index.ts'
import {
  Copies,
  type Mirror,
  MirrorState,
  type MovedReaders,
  moveReaders,
  readersBack,
  readersOn,
} from '../mirror/index.ts'
import { StateTopic } from '../offsets/index.ts'
import type { PlanDocument } from './plan-document.ts'
import type { ReadersPort } from './ports.ts'

export type ReadersPortOptions = {
  mirror: Mirror
  /** Access to both clusters, for a look at the copies without a mirror that runs. */
  sides: { from: ClusterAddress; to: ClusterAddress }
  wanted: readonly string[]
  run: { id: string }
  life: AbortSignal
}

/** Groups that a plan moves before the fence. */
export const wantedIn = (document: Pick<PlanDocument, 'strategy' | 'seen'> | undefined): string[] => {
  const { readersFirst = [] } = document?.strategy ?? {}
  return readersFirst.length === 0 ? [] : (document?.seen.groups ?? []).filter(chooser(readersFirst))
}

/** Groups of real clusters, moved by the mirror that copies their records. */
export const readersPort = ({ mirror, sides, wanted, run, life }: ReadersPortOptions): ReadersPort => {
  const { source, target, name } = mirror
  const during = { signal: life }
  /** A partition that stopped would be waited for in vain. */
  const whole = () => {
    const stopped = mirror.lanes.find(lane => lane.stopped)?.stopped
    if (stopped) throw stopped
  }
  const state = () => {
    if (!mirror.state) throw bug(`mirror ${name} was not started`)
    return mirror.state
  }
  return {
    wanted,
    moved: async () => {
      const topic = await StateTopic.read(target, name, during)
      return topic ? new MirrorState(topic).moved : []
    },
    look: async groups => {
      whole()
      return await readersOn({ source, target, ...during }, groups)
    },
    move: async group => {
      whole()
      const { lanes } = mirror
      return await moveReaders({ source, target, lanes, state: state(), run: run.id, group, ...during })
    },
    back: async group => {
      await using copies = await Copies.open({ ...sides, name, ...during })
      return await readersBack(copies, { group, ...during })
    },
    again: moved => readAgain(source, moved, during),
    forget: async () => {
      for (const { group } of mirror.state?.moved ?? []) await state().setMoved(group, null, during)
    },
  }
}

/** Who has members, or another offset, on the cluster that it left. */
const readAgain = async (
  cluster: Cluster,
  moved: readonly MovedReaders[],
  during: During,
): Promise<string[]> => {
  const ids = moved.map(({ group }) => group)
  const sights = await readersOn({ source: cluster, target: cluster, ...during }, ids)
  const committed = await groupOffsets(cluster, ids, { ...during, refused: () => {} })
  return moved.flatMap(({ group, partitions }) => {
    const members = sights.find(each => each.group === group)?.source ?? []
    const now = new Map(
      committed.get(group)?.map(row => [partitionKey(row.topic, row.partition), row.offset] as const),
    )
    const grown = partitions.flatMap(({ topic, partition, from }) => {
      const at = now.get(partitionKey(topic, partition))
      return at === undefined || at === BigInt(from) ? [] : [`${topic}-${partition} ${from} -> ${at}`]
    })
    return [
      ...(members.length > 0 ? [`${group} has members there: ${members.join(', ')}`] : []),
      ...(grown.length > 0 ? [`${group} has committed there: ${grown.join(', ')}`] : []),
    ]
  })
}
