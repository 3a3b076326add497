import { Cluster, type ClusterAddress, LATEST, partitionKey } from '../kafka/index.ts'
import { type During, KmigError, Offset } from '../kit/index.ts'
import { type Bounds, type OffsetMap, StateTopic } from '../offsets/index.ts'
import { type Place, placeOf } from './place.ts'
import { topicChooser } from './plan.ts'
import { MirrorState } from './state.ts'

export type CopiesOptions = During & {
  from: ClusterAddress
  to: ClusterAddress
  /** Name of the mirror; default the source's cluster id. */
  name?: string | undefined
  topics?: readonly string[] | undefined
  exclude?: readonly string[] | undefined
}

/** The copy of one partition, as the target and the mirror's state have it now. */
export type Copy = {
  topic: string
  partition: number
  start: Offset
  targetStart: Offset
  map: OffsetMap
  /** Why it is translated, if it is. */
  why: string | undefined
  place: Place
}

/**
 * What a mirror has copied, seen from outside: beside a mirror that runs, or without one. Throws UNREACHABLE and the like,
 * PREFLIGHT where there is no such mirror, STATE_DAMAGED.
 */
export class Copies implements AsyncDisposable {
  readonly source: Cluster
  readonly target: Cluster
  readonly name: string
  readonly state: MirrorState
  readonly #resources: AsyncDisposableStack
  readonly partitions: ReadonlyMap<string, Copy>

  private constructor(
    { source, target, name, state }: Pick<Copies, 'source' | 'target' | 'name' | 'state'>,
    partitions: readonly Copy[],
    resources: AsyncDisposableStack,
  ) {
    this.source = source
    this.target = target
    this.name = name
    this.state = state
    this.partitions = new Map(partitions.map(copy => [partitionKey(copy.topic, copy.partition), copy]))
    this.#resources = resources
  }

  static async open({ from, to, signal, ...options }: CopiesOptions): Promise<Copies> {
    await using opened = new AsyncDisposableStack()
    const source = opened.use(await Cluster.open({ ...from, signal }))
    const target = opened.use(await Cluster.open({ ...to, signal }))
    const name = options.name ?? source.clusterId
    const topic = await StateTopic.read(target, name, { signal })
    const state = topic && new MirrorState(topic)
    if (state?.identity?.sourceClusterId !== source.clusterId || !state) {
      const what = `no mirror ${name} of '${from.name}' has left its state on '${to.name}'`
      throw new KmigError('PREFLIGHT', what, { try: ['see --name, and that kmig mirror was started'] })
    }
    const chosen = topicChooser(options)
    const copies = await copiesOf(target, state, state.topicNames.filter(chosen), { signal })
    return new Copies({ source, target, name, state }, copies, opened.move())
  }

  /** The copies of some topics as they are now, with what the mirror has remembered since. */
  async again(topics: readonly string[], { signal }: During): Promise<ReadonlyMap<string, Copy>> {
    await this.state.refresh({ signal })
    const copies = await copiesOf(this.target, this.state, topics, { signal })
    return new Map(copies.map(copy => [partitionKey(copy.topic, copy.partition), copy]))
  }

  /** What group offsets of a partition are held against. */
  boundsOf(topic: string, partition: number): Bounds | undefined {
    const copy = this.partitions.get(partitionKey(topic, partition))
    if (!copy) return undefined
    const { map, place, targetStart: start } = copy
    return { start, end: place.target, image: offset => map.toTarget(offset, place.source) }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#resources.disposeAsync()
  }
}

const copiesOf = async (
  target: Cluster,
  state: MirrorState,
  topics: readonly string[],
  { signal }: During,
): Promise<Copy[]> => {
  const made = topics.flatMap(topic => {
    const starts = state.topic(topic)?.starts ?? []
    return starts.map((start, partition) => ({ topic, partition, start, ...state.map(topic, partition) }))
  })
  const asks = made.map(({ topic, partition }) => ({ topic, partition, timestamp: LATEST }))
  const ends = await target.listOffsets(asks, { signal, refused: () => {} })
  return made.flatMap(copy => {
    const end = ends.get(partitionKey(copy.topic, copy.partition))?.offset
    if (end === undefined) return []
    const place = placeOf(copy.map, { ordinal: copy.map.ordinalAt(end), target: Offset(end) })
    return [{ ...copy, place, targetStart: copy.map.beginning.translated ? Offset(0n) : copy.start }]
  })
}
