import { isKmigError } from '../kit/index.ts'
import { byCoordinator } from './by-coordinator.ts'
import { byTopic, flatten } from './by-leader.ts'
import { type AskOptions, type Cluster, REQUEST_MS } from './cluster.ts'
import { brokerError, ERROR, isRetriable } from './errors.ts'
import {
  ConsumerGroupDescribe,
  DescribeGroups,
  ListGroups,
  OffsetCommit,
  OffsetFetch,
} from './messages/index.ts'

export type Group = {
  groupId: string
  /** 'consumer', 'connect', 'share', ..., or empty if nobody ever joined. */
  protocolType: string
  /** 'Empty', 'Stable', 'PreparingRebalance', ...; empty from brokers before 2.6. */
  state: string
  /** 'classic', 'consumer', 'share', 'streams'; empty from brokers before 3.8. */
  type: string
}

/** All groups of a cluster, by name. Every broker must answer, for each lists only those that it coordinates. */
export const listGroups = async (cluster: Cluster, options: AskOptions = {}): Promise<Group[]> => {
  await cluster.metadata([], options)
  const found = new Map<string, Group>()
  const answers = [...cluster.brokers.keys()].map(async nodeId => {
    const { errorCode, groups } = await cluster.broker(nodeId, ListGroups, {}, options)
    if (errorCode !== 0) throw brokerError(errorCode, `groups of broker ${nodeId}`)
    return groups
  })
  for (const group of (await Promise.all(answers)).flat()) found.set(group.groupId, group)
  return [...found.values()].sort((a, b) => (a.groupId < b.groupId ? -1 : 1))
}

export type GroupMember = {
  memberId: string
  /** Its name that outlives its process; null if it has none. Kafka: group.instance.id. */
  instance: string | null
  clientId: string
  clientHost: string
}
export type GroupDescription = {
  groupId: string
  state: string
  protocolType: string
  members: GroupMember[]
}

const DESCRIBED_AT_ONCE = 100

/**
 * State and members of groups, of the classic and of the new consumer protocol; one that does not exist is in state
 * 'Dead'. Throws the first error that does not pass.
 */
export const describeGroups = async (
  cluster: Cluster,
  groupIds: readonly string[],
  options: AskOptions = {},
): Promise<GroupDescription[]> => {
  const what = 'description'
  const outcomes = await byCoordinator(cluster, groupIds, options, {
    what,
    size: DESCRIBED_AT_ONCE,
    send: async (to, groups) => {
      const limits = { timeoutMs: options.timeoutMs ?? REQUEST_MS, signal: options.signal }
      const classic = (await to.send(DescribeGroups, { groups }, limits)).groups
      // A broker says of a group of the new protocol that there is none of the classic one (KIP-848).
      const unknown = classic.filter(({ errorCode, state }) => errorCode === 0 && state === 'Dead')
      const ask = unknown.length > 0 && to.supports(ConsumerGroupDescribe) !== undefined
      const modern = ask
        ? await to.send(ConsumerGroupDescribe, { groups: unknown.map(({ groupId }) => groupId) }, limits)
        : { groups: [] }
      const newer = new Map(modern.groups.map(group => [group.groupId, group] as const))
      return classic.map(({ groupId, errorCode, state, protocolType, members }) => {
        const group = newer.get(groupId)
        const value =
          group?.errorCode === 0
            ? { groupId, state: group.state, protocolType: 'consumer', members: group.members.map(named) }
            : { groupId, state, protocolType, members: members.map(named) }
        return { groupId, errorCode, value }
      })
    },
  })
  return groupIds.map(groupId => {
    const outcome = outcomes.get(groupId)
    if (outcome?.kind !== 'ok') throw outcome?.error ?? brokerError(-1, `${what} of group '${groupId}'`)
    return outcome.value
  })
}
type Named = Omit<GroupMember, 'instance'> & { groupInstanceId?: string | null; instanceId?: string | null }
const named = ({ memberId, groupInstanceId, instanceId, clientId, clientHost }: Named): GroupMember => {
  return { memberId, instance: groupInstanceId ?? instanceId ?? null, clientId, clientHost }
}

/** A committed offset: the next record that the group will read. */
export type CommittedOffset = {
  topic: string
  partition: number
  offset: bigint
  /** -1 if not known. */
  leaderEpoch: number
  metadata: string | null
}
export type GroupOffsetsOptions = AskOptions & {
  /** Told of each group whose offsets can't be had; without it the first such error is thrown. */
  refused?: ((groupId: string, error: Error) => void) | undefined
}

/** Groups per request, from brokers that take several (3.0); their offsets come in one answer. */
const FETCHED_AT_ONCE = 500
const SEVERAL_GROUPS = 8

/** What groups have committed, keyed by group; a group that does not exist has no rows. */
export const groupOffsets = async (
  cluster: Cluster,
  groupIds: readonly string[],
  { refused, ...options }: GroupOffsetsOptions = {},
): Promise<Map<string, CommittedOffset[]>> => {
  const outcomes = await byCoordinator(cluster, groupIds, options, {
    what: 'offsets',
    size: FETCHED_AT_ONCE,
    send: async (to, groups) => {
      const limits = { timeoutMs: options.timeoutMs ?? REQUEST_MS, signal: options.signal }
      const ask = async (share: readonly string[]) => {
        const [groupId = ''] = share
        const several = share.map(each => ({ groupId: each, topics: null }))
        const answer = await to.send(OffsetFetch, { groupId, topics: null, groups: several }, limits)
        return answer.groups.length > 0 ? answer.groups : [{ ...answer, groupId }]
      }
      const together = (to.supports(OffsetFetch) ?? 0) >= SEVERAL_GROUPS
      const answers = await Promise.all(together ? [ask(groups)] : groups.map(group => ask([group])))
      return answers.flat().map(({ groupId, errorCode, topics }) => {
        const rows = flatten(topics)
        const code = errorCode || (rows.find(row => row.errorCode !== 0)?.errorCode ?? 0)
        return {
          groupId,
          errorCode: code,
          value: rows.filter(row => row.offset >= 0n).map(withoutError),
        }
      })
    },
  })
  const found = new Map<string, CommittedOffset[]>()
  for (const [groupId, outcome] of outcomes) {
    if (outcome.kind === 'ok') found.set(groupId, outcome.value)
    else if (refused && isKmigError(outcome.error, 'BROKER', 'AUTHORIZATION')) refused(groupId, outcome.error)
    else throw outcome.error
  }
  return found
}
const withoutError = ({ topic, partition, offset, leaderEpoch, metadata }: CommittedOffset) => {
  return { topic, partition, offset, leaderEpoch, metadata }
}

export type CommitResult = { topic: string; partition: number; errorCode: number }

/**
 * Commits offsets from outside of the group: taken only while it has no members (else UNKNOWN_MEMBER_ID). One result per
 * partition; the broker takes offsets beyond the log's ends as well, so the caller must know better.
 */
export const commitOffsets = async (
  cluster: Cluster,
  groupId: string,
  rows: readonly (Omit<CommittedOffset, 'leaderEpoch'> & { leaderEpoch?: number | undefined })[],
  options: AskOptions = {},
): Promise<CommitResult[]> => {
  if (rows.length === 0) return []
  const { topics } = await cluster.coordinator(
    groupId,
    OffsetCommit,
    { groupId, topics: byTopic(rows) },
    {
      ...options,
      errorOf: ({ topics }) => flatten(topics).find(({ errorCode }) => passes(errorCode))?.errorCode ?? 0,
    },
  )
  return flatten(topics)
}
const passes = (errorCode: number): boolean =>
  isRetriable(errorCode) && errorCode !== ERROR.UNKNOWN_TOPIC_OR_PARTITION
