import { inFlight, isKmigError } from '../kit/index.ts'
import { byTopic, flatten } from './by-leader.ts'
import type { AskOptions, Cluster } from './cluster.ts'
import { brokerError, ERROR, isRetriable } from './errors.ts'
import { DescribeGroups, ListGroups, OffsetCommit, OffsetFetch } from './messages/index.ts'

/** Groups at work at a time; their requests share connections. */
const DEPTH = 16

export type Group = {
  groupId: string
  /** 'consumer', 'connect', ..., or empty if nobody ever joined. */
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

export type GroupMember = { memberId: string; clientId: string; clientHost: string }
export type GroupDescription = {
  groupId: string
  state: string
  protocolType: string
  members: GroupMember[]
}

/** State and members of groups of the classic protocol; one that does not exist is in state 'Dead'. */
export const describeGroups = async (
  cluster: Cluster,
  groupIds: readonly string[],
  options: AskOptions = {},
): Promise<GroupDescription[]> => {
  const ask = async (groupId: string): Promise<GroupDescription> => {
    const answer = await cluster.coordinator(
      groupId,
      DescribeGroups,
      { groups: [groupId] },
      { ...options, errorOf: ({ groups }) => groups[0]?.errorCode ?? 0 },
    )
    const [group] = answer.groups
    if (group?.errorCode !== 0) throw brokerError(group?.errorCode ?? -1, `group '${groupId}'`)
    const members = group.members.map(({ memberId, clientId, clientHost }) => ({
      memberId,
      clientId,
      clientHost,
    }))
    return { groupId, state: group.state, protocolType: group.protocolType, members }
  }
  return await collect(groupIds, ask, options)
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

/** What groups have committed, keyed by group; a group that does not exist has no rows. */
export const groupOffsets = async (
  cluster: Cluster,
  groupIds: readonly string[],
  { refused, ...options }: GroupOffsetsOptions = {},
): Promise<Map<string, CommittedOffset[]>> => {
  const ask = async (groupId: string): Promise<[string, CommittedOffset[]]> => {
    const answer = await cluster.coordinator(
      groupId,
      OffsetFetch,
      { groupId, topics: null, groups: [{ groupId, topics: null }] },
      { ...options, errorOf: a => a.groups[0]?.errorCode ?? a.errorCode },
    )
    const { errorCode, topics } = answer.groups[0] ?? answer
    const rows = flatten(topics)
    const code = errorCode || (rows.find(row => row.errorCode !== 0)?.errorCode ?? 0)
    if (code !== 0) throw brokerError(code, `offsets of group '${groupId}'`)
    return [groupId, rows.filter(row => row.offset >= 0n).map(withoutError)]
  }
  const tolerant = (groupId: string) =>
    ask(groupId).catch(e => {
      if (!refused || !isKmigError(e, 'BROKER', 'AUTHORIZATION')) throw e
      refused(groupId, e)
      return undefined
    })
  return new Map((await collect(groupIds, tolerant, options)).filter(each => each !== undefined))
}
const withoutError = ({ topic, partition, offset, leaderEpoch, metadata }: CommittedOffset) => {
  return { topic, partition, offset, leaderEpoch, metadata }
}

const collect = async <T>(
  groupIds: readonly string[],
  ask: (groupId: string) => Promise<T>,
  { signal = new AbortController().signal }: AskOptions,
): Promise<T[]> => {
  const found: T[] = []
  for await (const each of inFlight(groupIds, DEPTH, ask, signal)) found.push(each)
  return found
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
