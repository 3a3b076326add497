import {
  brokerError,
  type Cluster,
  type ClusterAddress,
  createTopics,
  deleteTopics,
  ERROR,
  Heartbeat,
  listAcls,
  rightsOf,
} from '../kafka/index.ts'
import { type During, isKmigError, sleep } from '../kit/index.ts'
import { deleteGroups, type MadeOn } from './made.ts'

/**
 * On topics. Create shows by itself; Read, Write and Delete bring Describe, AlterConfigs brings DescribeConfigs.
 * Source: org.apache.kafka.metadata.authorizer.StandardAuthorizerData.
 */
const NEEDED = {
  'alter-configs': 'AlterConfigs',
  read: 'Read',
  write: 'Write',
  delete: 'Delete',
} as const

/** What is made on a cluster; `probe` is the topic among them that only asks for rights. */
export type Asked = { side: MadeOn; cluster: Cluster; access: ClusterAddress; probe: string; factor: number }

/**
 * Whether kmig's user may delete what it is about to make, and read by its groups. Makes nothing: topics and groups
 * that are not there are asked to be deleted, and brokers look at rights first (a broker with KRaft that shows its user
 * the topic does not, see `refuseDenied`). Throws AUTHORIZATION with the right that lacks.
 */
export const refuseUnasked = async (asked: readonly Asked[], { signal }: During): Promise<void> => {
  for (const { side, cluster, access } of asked) {
    // of either prefix: a shadow, and what is the mirror's own
    const topics = [side.topics.at(0) ?? '', side.topics.at(-2) ?? '']
    const groups = [side.groups.at(0) ?? '', side.groups.at(-1) ?? '']
    for (const topic of topics)
      await deleteTopics(cluster, [topic], { signal }).catch(e => {
        if (!isKmigError(e, 'TOPIC_MISSING')) throw e
      })
    for (const groupId of groups) {
      const [node = 0] = cluster.brokers.keys()
      const ask = { groupId, generationId: 0, memberId: 'nobody', groupInstanceId: null }
      const { errorCode } = await cluster.broker(node, Heartbeat, ask, { signal })
      if (errorCode === ERROR.GROUP_AUTHORIZATION_FAILED)
        throw brokerError(errorCode, `group '${groupId}' of '${side.name}'`, null, `Read on group ${groupId}`)
    }
    await deleteGroups(groups, access, { signal })
  }
}

/** Makes one topic on each cluster, and asks what its user may do with it. Throws AUTHORIZATION, BROKER. */
export const refuseDenied = async (asked: readonly Asked[], { signal }: During): Promise<void> => {
  for (const { side, cluster, probe, factor } of asked) {
    await createTopics(cluster, [{ name: probe, partitions: 1, replicationFactor: factor }], { signal })
    const rights = await told(cluster, probe, signal)
    const lacking = rights && Object.entries(NEEDED).find(([operation]) => !rights.has(operation))
    if (lacking)
      throw brokerError(
        ERROR.TOPIC_AUTHORIZATION_FAILED,
        `topic '${probe}' of '${side.name}'`,
        null,
        `${lacking[1]} on topic ${probe}`,
      )
    await deleteTopics(cluster, [probe], { signal })
  }
}

/** Whether the old cluster has ACLs that the new one lacks, as far as kmig's user may see them. */
export const aclsDiffer = async (old: Cluster, next: Cluster, { signal }: During): Promise<boolean> => {
  const seen = async (cluster: Cluster) => {
    try {
      return (await listAcls(cluster, { signal }))?.map(acl => JSON.stringify(acl))
    } catch (e) {
      if (isKmigError(e, 'AUTHORIZATION', 'UNSUPPORTED')) return undefined
      throw e
    }
  }
  const [here, there] = [await seen(old), await seen(next)]
  const known = new Set(there)
  return there !== undefined && here?.some(acl => !known.has(acl)) === true
}

/** The broker that is asked may learn of a new topic later than another. */
const TOLD_MS = 10_000

const told = async (cluster: Cluster, topic: string, signal: AbortSignal) => {
  const end = performance.now() + TOLD_MS
  for (;;) {
    const { topics } = await rightsOf(cluster, [topic], { signal })
    if (topics.has(topic)) return topics.get(topic)
    if (performance.now() > end) return new Set<string>()
    await sleep(100, signal)
  }
}
