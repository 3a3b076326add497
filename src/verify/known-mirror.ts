import { type Cluster, partitionKey } from '../kafka/index.ts'
import type { During } from '../kit/index.ts'
import { MirrorState } from '../mirror/index.ts'
import { StateTopic } from '../offsets/index.ts'
import { type Places, placesOf } from './places.ts'

/** What the target remembers of the mirror that made the copy. */
export type KnownMirror = {
  name: string
  producers: ReadonlySet<bigint>
  control: ReadonlySet<bigint>
  state: MirrorState
  /** The clients have moved to the target: what they write there is not the mirror's. */
  cutOver: boolean
  /** What clients wrote to the target between a cutover and its rollback. */
  theirs(topic: string, partition: number): readonly { from: bigint; to: bigint }[]
  /** undefined for topics that it did not make. */
  places(topic: string, partition: number): Places | undefined
}

/** undefined where no mirror of this name made a copy of this source. Throws STATE_DAMAGED. */
export const knownMirror = async (
  source: Cluster,
  target: Cluster,
  name: string,
  during: During,
): Promise<KnownMirror | undefined> => {
  const topic = await StateTopic.read(target, name, during)
  const state = topic && new MirrorState(topic)
  const identity = state?.identity
  if (!state || !identity || identity.sourceClusterId !== source.clusterId) return undefined
  const ids = state.producerIds ?? { data: new Set<bigint>(), control: new Set<bigint>() }
  return {
    name,
    producers: ids.data,
    control: ids.control,
    state,
    cutOver: state.cutover !== undefined,
    theirs(topic, partition) {
      return state.ground(partitionKey(topic, partition))?.theirs ?? []
    },
    places(topic, partition) {
      return state.topic(topic) && placesOf(state.map(topic, partition).map)
    },
  }
}
