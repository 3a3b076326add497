import { NO_TOPIC_ID } from './messages/index.ts'

export type PartitionMetadata = {
  partition: number
  /** -1 while there is none. */
  leader: number
  /** -1 from brokers that don't tell (older than 2.1). */
  leaderEpoch: number
  replicas: number[]
  isr: number[]
  /** Error code; 0 if all is well. */
  error: number
}
export type TopicMetadata = {
  name: string
  /** NO_TOPIC_ID from brokers that have none (older than 2.8). */
  topicId: string
  internal: boolean
  /** Error code: UNKNOWN_TOPIC_OR_PARTITION for one that does not exist. */
  error: number
  partitions: PartitionMetadata[]
}
export type Leader = { nodeId: number; leaderEpoch: number }

type TopicRoutes = { topicId: string; leaders: Map<number, Leader> }

/** Name of a partition in maps and messages, as Kafka's own TopicPartition prints it. */
export const partitionKey = (topic: string, partition: number): string => `${topic}-${partition}`
/** The other way: a topic's name may hold dashes, a partition's number does not. */
export const partitionOf = (key: string): { topic: string; partition: number } => {
  const dash = key.lastIndexOf('-')
  return { topic: key.slice(0, dash), partition: Number(key.slice(dash + 1)) }
}

/**
 * Who leads what, as far as is known. A broker that lags behind may answer with an old leader: an epoch lower than seen is
 * not taken, unless the topic is another one by its id (KIP-320, KIP-516).
 */
export class Routes {
  #topics = new Map<string, TopicRoutes>()

  learn(topic: TopicMetadata): void {
    if (topic.error !== 0) {
      this.#topics.delete(topic.name)
      return
    }
    const known = this.#topics.get(topic.name)
    const same = known !== undefined && topic.topicId !== NO_TOPIC_ID && known.topicId === topic.topicId
    const leaders = same ? known.leaders : new Map<number, Leader>()
    for (const { partition, leader, leaderEpoch } of topic.partitions) {
      if ((leaders.get(partition)?.leaderEpoch ?? -1) > leaderEpoch) continue
      if (leader >= 0) leaders.set(partition, { nodeId: leader, leaderEpoch })
      else leaders.delete(partition)
    }
    this.#topics.set(topic.name, { topicId: topic.topicId, leaders })
  }

  leaderOf(topic: string, partition: number): Leader | undefined {
    return this.#topics.get(topic)?.leaders.get(partition)
  }
}
