import type { Cluster, TopicMetadata } from '../kafka/index.ts'
import type { During } from '../kit/index.ts'
import type { MirrorEvent } from './events.ts'
import { type Identities, stopStrangers } from './identities.ts'
import type { Lane } from './lane.ts'

const ASK = { timeoutMs: 5_000, withinMs: 20_000 }

export type LookoutOptions = During<MirrorEvent> & {
  source: Cluster
  target: Cluster
  lanes: readonly Lane[]
  sources: Identities
  targets: Identities
  /** Whether a topic of the source is to be mirrored. */
  chosen(topic: string): boolean
}

/**
 * Looks at both clusters as a whole: topics that are others now stop, and what appeared on the source since the start is
 * told once, as it is not copied until the next one.
 */
export class Lookout {
  readonly #o: LookoutOptions
  readonly #partitions: Map<string, number>
  constructor(options: LookoutOptions) {
    this.#o = options
    this.#partitions = new Map(
      [...Map.groupBy(options.lanes, lane => lane.topic)].map(([topic, lanes]) => [topic, lanes.length]),
    )
  }

  async look(): Promise<void> {
    const { source, target, sources, targets, lanes, chosen, signal } = this.#o
    const names = [...new Set(lanes.filter(lane => !lane.stopped).map(lane => lane.topic))]
    const theirs = await source.metadata('all', { ...ASK, signal })
    const ours = names.length > 0 ? await target.metadata(names, { ...ASK, signal }) : []
    const byName = (all: TopicMetadata[]) => new Map(all.map(meta => [meta.name, meta] as const))
    const [from, to] = [byName(theirs), byName(ours)]
    for (const [topic, share] of Map.groupBy(lanes, lane => lane.topic)) {
      stopStrangers(sources, share, topic, from.get(topic))
      if (to.has(topic)) stopStrangers(targets, share, topic, to.get(topic))
    }
    for (const { name, error, partitions } of theirs)
      if (error === 0 && chosen(name)) this.#compare(name, partitions.length)
  }

  #compare(topic: string, partitions: number): void {
    const known = this.#partitions.get(topic) ?? 0
    if (partitions <= known) return
    this.#partitions.set(topic, partitions)
    const text =
      known === 0
        ? `the topic is new on the source (${partitions} partitions); it is not copied until the mirror is started again`
        : `the source has ${partitions} partitions now, ${known} are mirrored; the added ones are NOT copied, their records would be missing after a cutover`
    this.#o.on?.({ kind: 'warning', where: topic, text })
  }
}
