import {
  brokerError,
  type Cluster,
  createTopics,
  ERROR,
  encodeBatch,
  Fetch,
  headers,
  isRetriable,
  type NewRecord,
  Produce,
  partitionKey,
  recordsOf,
} from '../kafka/index.ts'
import { bug, type During, KmigError, Offset } from '../kit/index.ts'

/** Name of the topic on the target cluster that holds a mirror's state. */
export const stateTopicOf = (mirror: string): string => `__kmig.${mirror}`

const TIMEOUT_MS = 30_000
const NOTHING = Buffer.alloc(0)
const PART_BYTES = 4 << 20
/** Small segments: only closed ones are compacted, and every start reads the whole topic. */
const STATE_CONFIGS = {
  'cleanup.policy': 'compact',
  'compression.type': 'producer',
  'segment.bytes': '16777216',
  'min.cleanable.dirty.ratio': '0.1',
}
/** More would make a batch that a broker with default limits refuses. */
const PUT_RECORDS = 2_000

/**
 * What a mirror must remember, as last value per key in one compacted topic on the target: it lasts as long as the copy
 * does, and losing kmig's disk loses none of it. Values are JSON. One writer at a time: the owner of the mirror.
 */
export class StateTopic {
  readonly topic: string
  readonly #cluster: Cluster
  readonly #values: Map<string, unknown>

  private constructor(cluster: Cluster, topic: string, values: Map<string, unknown>) {
    this.#cluster = cluster
    this.topic = topic
    this.#values = values
  }

  /** What is there, without making anything; undefined if the mirror has no state yet. */
  static async read(cluster: Cluster, mirror: string, during: During): Promise<StateTopic | undefined> {
    const topic = stateTopicOf(mirror)
    const [found] = await cluster.metadata([topic], during)
    if (!found || found.error === ERROR.UNKNOWN_TOPIC_OR_PARTITION) return undefined
    return new StateTopic(cluster, topic, await readAll(cluster, topic, during))
  }

  /** Makes the topic if need be, and reads it to its end. */
  static async open(cluster: Cluster, mirror: string, during: During): Promise<StateTopic> {
    const topic = stateTopicOf(mirror)
    const found = await StateTopic.read(cluster, mirror, during)
    if (found) return found
    const replicationFactor = Math.min(3, cluster.brokers.size)
    await createTopics(
      cluster,
      [
        {
          name: topic,
          partitions: 1,
          replicationFactor,
          configs: STATE_CONFIGS,
        },
      ],
      during,
    )
    return new StateTopic(cluster, topic, await readAll(cluster, topic, during))
  }

  /** Reads what others have written since. */
  async refresh(during: During): Promise<void> {
    const values = await readAll(this.#cluster, this.topic, during)
    this.#values.clear()
    for (const [key, value] of values) this.#values.set(key, value)
  }

  get(key: string): unknown {
    return this.#values.get(key)
  }

  /** Keys that begin with `prefix`, without it, and their values. */
  *under(prefix: string): Generator<[string, unknown], void> {
    for (const [key, value] of this.#values)
      if (key.startsWith(prefix)) yield [key.slice(prefix.length), value]
  }

  /** Resolves once all replicas in sync have them. A value of null removes its key. */
  async put(entries: Iterable<readonly [string, unknown]>, during: During): Promise<void> {
    const all = [...entries]
    for (let from = 0; from < all.length; from += PUT_RECORDS)
      await this.#put(all.slice(from, from + PUT_RECORDS), during)
  }

  async #put(entries: readonly (readonly [string, unknown])[], { signal }: During): Promise<void> {
    const records: NewRecord[] = entries.map(([key, value]) => ({
      key: Buffer.from(key),
      value: value === null ? null : Buffer.from(JSON.stringify(value)),
    }))
    const batch = encodeBatch(records)
    // Sent again when its outcome is unknown: the last value of a key wins, so a repeat changes nothing.
    await this.#cluster.retrying({ signal }, async attempt => {
      const connection = await leaderConnection(this.#cluster, this.topic, attempt > 0, { signal })
      const topics = [{ topic: this.topic, partitions: [{ partition: 0, records: batch }] }]
      const answer = await connection.send(
        Produce,
        { acks: -1, timeoutMs: TIMEOUT_MS, topics },
        { timeoutMs: TIMEOUT_MS + 5_000, signal },
      )
      const part = answer.topics[0]?.partitions[0]
      if (!part) throw bug(`the answer for ${this.topic} has no partition`)
      if (part.errorCode !== 0)
        throw brokerError(
          part.errorCode,
          `writing state to ${this.topic}`,
          part.errorMessage,
          `Write on topic ${this.topic}`,
        )
    })
    for (const [key, value] of entries) {
      if (value === null) this.#values.delete(key)
      else this.#values.set(key, value)
    }
  }
}

const leaderConnection = async (cluster: Cluster, topic: string, refresh: boolean, during: During) => {
  if (refresh || !cluster.leaderOf(topic, 0)) await cluster.metadata([topic], during)
  const leader = cluster.leaderOf(topic, 0)
  if (!leader) throw new KmigError('UNREACHABLE', `${topic} has no leader`)
  return await cluster.connection(leader.nodeId, 'state', during.signal)
}

const readAll = async (
  cluster: Cluster,
  topic: string,
  { signal }: During,
): Promise<Map<string, unknown>> => {
  const values = new Map<string, unknown>()
  const ask = (timestamp: bigint) => cluster.listOffsets([{ topic, partition: 0, timestamp }], { signal })
  let at = (await ask(-2n)).get(partitionKey(topic, 0))?.offset ?? 0n
  const end = (await ask(-1n)).get(partitionKey(topic, 0))?.offset ?? 0n
  while (at < end) {
    const part = await cluster.retrying({ signal }, async attempt => {
      const connection = await leaderConnection(cluster, topic, attempt > 0, { signal })
      const topics = [
        { topic, partitions: [{ partition: 0, fetchOffset: Offset(at), partitionMaxBytes: PART_BYTES }] },
      ]
      const answer = await connection.send(
        Fetch,
        { maxWaitMs: 500, minBytes: 1, maxBytes: PART_BYTES, isolationLevel: 0, topics },
        { timeoutMs: TIMEOUT_MS, signal },
      )
      const found = answer.topics[0]?.partitions[0]
      if (!found || isRetriable(found.errorCode))
        throw brokerError(found?.errorCode ?? ERROR.LEADER_NOT_AVAILABLE, `reading ${topic}`)
      return found
    })
    if (part.errorCode !== 0)
      throw brokerError(part.errorCode, `reading ${topic} offset ${at}`, null, `Read on topic ${topic}`)
    for (const { at: where, header } of headers(part.records ?? NOTHING)) {
      for (const { offset, key, value } of recordsOf(part.records ?? NOTHING, where)) {
        if (offset >= at && key) take(values, topic, offset, key, value)
      }
      if (header.lastOffset >= at) at = header.lastOffset + 1n
    }
  }
  return values
}

const take = (
  values: Map<string, unknown>,
  topic: string,
  offset: bigint,
  key: Buffer,
  value: Buffer | null,
): void => {
  if (value === null) {
    values.delete(key.toString())
    return
  }
  try {
    values.set(key.toString(), JSON.parse(value.toString()))
  } catch (cause) {
    throw new KmigError(
      'STATE_DAMAGED',
      `${topic} offset ${offset}: the value of ${key} is not what kmig wrote`,
      {
        cause,
        try: [
          `see who writes to ${topic}; only this mirror may`,
          `then delete topic ${topic} on the target: the next start finds copies with identical offsets again by what they hold`,
        ],
      },
    )
  }
}
