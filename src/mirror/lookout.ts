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
 * Looks at both clusters as a whole: topics that are others now stop, and the source's topics that are to be mirrored are
 * given to those who follow them.
 */
export class Lookout {
  readonly #o: LookoutOptions
  constructor(options: LookoutOptions) {
    this.#o = options
  }

  async look(): Promise<TopicMetadata[]> {
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
    return theirs.filter(({ name, error }) => error === 0 && chosen(name))
  }
}
