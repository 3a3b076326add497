import { ERROR, NO_TOPIC_ID, type TopicMetadata } from '../kafka/index.ts'
import { KmigError } from '../kit/index.ts'
import type { Lane } from './lane.ts'
import { copyAnew } from './lane-errors.ts'

/** A broker that has just started may know of no topic yet; only one that stays unknown this long is deleted. */
const GONE_MS = 10_000

type Found = Pick<TopicMetadata, 'error' | 'topicId'>
export type Identity = 'same' | 'unsure' | 'deleted' | 'another'

/** Whether topics are still those that they were, by topic id. Source: KIP-516. */
export class Identities {
  readonly #ids: ReadonlyMap<string, string>
  readonly #missing = new Map<string, number>()
  readonly side: 'source' | 'target'
  /** `ids` by topic; NO_TOPIC_ID from brokers that have none. */
  constructor(side: 'source' | 'target', ids: ReadonlyMap<string, string>) {
    this.side = side
    this.#ids = ids
  }

  /** What a look at the metadata says of a topic; undefined: it was not in the list of all topics. */
  judge(topic: string, found: Found | undefined): Identity {
    if (!found || found.error === ERROR.UNKNOWN_TOPIC_OR_PARTITION) {
      const now = performance.now()
      const since = this.#missing.get(topic) ?? now
      this.#missing.set(topic, since)
      return now - since < GONE_MS ? 'unsure' : 'deleted'
    }
    this.#missing.delete(topic)
    const known = this.#ids.get(topic) ?? NO_TOPIC_ID
    const same = [known, found.topicId].includes(NO_TOPIC_ID) || known === found.topicId
    return same || found.error !== ERROR.NONE ? 'same' : 'another'
  }
}

/** Stops the lanes of a topic that is not the one any more that was mirrored: its records must never be mixed. */
export const stopStrangers = (
  identities: Identities,
  lanes: readonly Lane[],
  topic: string,
  found: Found | undefined,
): void => {
  const verdict = identities.judge(topic, found)
  if (verdict === 'same' || verdict === 'unsure') return
  const how = verdict === 'deleted' ? 'deleted' : 'deleted and made again'
  const what = `topic ${topic} on the ${identities.side} was ${how} while it was mirrored`
  const next =
    identities.side === 'target'
      ? 'find out who did it; what is there now was not written by this mirror'
      : `keep the copy as it is, and leave the topic out: --exclude ${topic}`
  for (const lane of lanes) {
    if (lane.topic === topic)
      lane.stop(new KmigError('TOPIC_RECREATED', what, { try: [next, copyAnew(lane)] }))
  }
}
