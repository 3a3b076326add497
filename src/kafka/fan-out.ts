import {
  type Ask,
  byLeader,
  byTopic,
  flatten,
  type Leaders,
  type Limits,
  type Tolerance,
  valuesOf,
} from './by-leader.ts'
import { ERROR } from './errors.ts'
import { DeleteRecords, ISOLATION, ListOffsets, OffsetForLeaderEpoch } from './messages/index.ts'

const REQUEST_MS = 30_000

/** `timestamp`: ms since 1970, or EARLIEST or LATEST. */
export type OffsetAsk = Ask & { timestamp: bigint }
/** Offset -1 (and timestamp -1): no record is as late as the time that was asked. */
export type ListedOffset = { offset: bigint; timestamp: bigint; leaderEpoch: number }

export const listOffsets = async (
  cluster: Leaders,
  asks: readonly OffsetAsk[],
  options: Limits & Tolerance & { isolation?: 'read_committed' | 'read_uncommitted' | undefined },
): Promise<Map<string, ListedOffset>> => {
  const { timeoutMs = REQUEST_MS, signal, isolation } = options
  const isolationLevel = isolation === 'read_committed' ? ISOLATION.readCommitted : ISOLATION.readUncommitted
  const outcomes = await byLeader(cluster, asks, options, {
    what: 'offsets',
    needs: 'Describe',
    send: async (to, share) => {
      const request = { isolationLevel, topics: byTopic(share) }
      const { topics } = await to.send(ListOffsets, request, { timeoutMs, signal })
      return flatten(topics).map(({ topic, partition, errorCode, offset, timestamp, leaderEpoch }) => {
        return { topic, partition, errorCode, value: { offset, timestamp, leaderEpoch } }
      })
    },
  })
  return valuesOf(outcomes, options)
}

/** With `currentLeaderEpoch` the leader must be of that very epoch, and 6, 74 and 75 are outcomes, not tried again. */
export type EpochAsk = Ask & { leaderEpoch: number; currentLeaderEpoch?: number | undefined }
export type EpochEnd =
  /** The largest epoch of the log that is not above the one asked, and its end (the log end, if it is the current one). */
  | { kind: 'end'; endOffset: bigint; leaderEpoch: number }
  /** The leader's log knows of no such epoch; says nothing about offsets. */
  | { kind: 'unknown' }
  | { kind: 'error'; errorCode: number; error: Error }

const FENCED: readonly number[] = [
  ERROR.NOT_LEADER_OR_FOLLOWER,
  ERROR.FENCED_LEADER_EPOCH,
  ERROR.UNKNOWN_LEADER_EPOCH,
]

export const epochEnds = async (
  cluster: Leaders,
  asks: readonly EpochAsk[],
  options: Limits,
): Promise<Map<string, EpochEnd>> => {
  const { timeoutMs = REQUEST_MS, signal } = options
  const outcomes = await byLeader(cluster, asks, options, {
    what: 'end of a leader epoch',
    needs: 'Describe',
    send: async (to, share) => {
      const { topics } = await to.send(
        OffsetForLeaderEpoch,
        { topics: byTopic(share) },
        { timeoutMs, signal },
      )
      return flatten(topics).map(({ topic, partition, errorCode, endOffset, leaderEpoch }) => {
        return { topic, partition, errorCode, value: { endOffset, leaderEpoch } }
      })
    },
    final: ({ currentLeaderEpoch = -1 }, code) => currentLeaderEpoch >= 0 && FENCED.includes(code),
  })
  return new Map(
    [...outcomes].map(([key, outcome]): [string, EpochEnd] => {
      if (outcome.kind === 'error') return [key, outcome]
      const { endOffset, leaderEpoch } = outcome.value
      return [key, endOffset < 0n ? { kind: 'unknown' } : { kind: 'end', endOffset, leaderEpoch }]
    }),
  )
}

/** Records before `offset` go. */
export type DeleteRecordsAsk = Ask & { offset: bigint }

export const deleteRecords = async (
  cluster: Leaders,
  asks: readonly DeleteRecordsAsk[],
  options: Limits & Tolerance,
): Promise<Map<string, bigint>> => {
  const { timeoutMs = REQUEST_MS, signal } = options
  const outcomes = await byLeader(cluster, asks, options, {
    what: 'deletion of records',
    needs: 'Delete',
    send: async (to, share) => {
      const request = { topics: byTopic(share), timeoutMs }
      // the broker itself waits for its followers up to timeoutMs, so its answer is given a little more
      const { topics } = await to.send(DeleteRecords, request, { timeoutMs: timeoutMs + 5_000, signal })
      return flatten(topics).map(({ topic, partition, errorCode, lowWatermark }) => {
        return { topic, partition, errorCode, value: lowWatermark }
      })
    },
  })
  return valuesOf(outcomes, options)
}
