import type { BatchLimit } from '../kafka/index.ts'
import { batchLimit, LIMIT } from './follow-configs.ts'
import { REQUEST_ROOM } from './settings.ts'
import type { Identity, MirrorState, TopicState } from './state.ts'

const BY_SOCKET = { setting: 'socket.request.max.bytes of the target’s brokers', beside: REQUEST_ROOM }

/** What is known of topics and producers beside the lanes: from the mirror's state, and kept up with it. */
export class Known {
  /** Topic ids, as they were when the mirror made the topics. */
  readonly topicIds = { source: new Map<string, string>(), target: new Map<string, string>() }
  /** Bytes of the largest batch that each topic of the target takes. */
  readonly batchLimits = new Map<string, BatchLimit>()
  /** Bytes that a request to the target may have: what its brokers' socket.request.max.bytes leaves for batches. */
  requestBytes = Number.POSITIVE_INFINITY
  /** Producer ids that this mirror has ever written with. */
  readonly ids = { data: new Set<bigint>(), control: new Set<bigint>() }
  #identity: Identity | undefined

  learn(state: MirrorState): void {
    const { identity } = state
    this.#identity = identity
    const { data = [], control = [] } = state.producerIds ?? {}
    for (const id of data) this.ids.data.add(id)
    for (const id of control) this.ids.control.add(id)
    for (const topic of state.topicNames) this.topic(topic, state.topic(topic))
  }

  topic(name: string, now: TopicState | undefined): void {
    if (!now) return
    this.topicIds.source.set(name, now.sourceId)
    this.topicIds.target.set(name, now.targetId)
    const bytes = batchLimit(now.held)
    const limit =
      bytes <= this.requestBytes
        ? { bytes, setting: `${LIMIT} of topic ${name} on the target`, beside: 0 }
        : { bytes: this.requestBytes, ...BY_SOCKET }
    this.batchLimits.set(name, limit)
  }

  /** Who writes control records now. */
  control(): { id: bigint; epoch: number } {
    const { controlProducerId: id = -1n, controlProducerEpoch: epoch = -1 } = this.#identity ?? {}
    return { id, epoch }
  }
}
