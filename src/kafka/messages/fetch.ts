import {
  array,
  int8,
  int16,
  int32,
  int64,
  nullableArray,
  optional,
  pieces,
  since,
  string,
  struct,
  tagged,
  uuid,
} from '../../wire/index.ts'
import { api } from '../api.ts'

const askedPartitions = array(
  struct({
    partition: int32,
    currentLeaderEpoch: since(9, int32, -1),
    fetchOffset: int64,
    lastFetchedEpoch: since(12, int32, -1),
    logStartOffset: since(5, int64, -1n),
    partitionMaxBytes: int32,
  }),
)
const answeredPartitions = array(
  struct({
    partition: int32,
    errorCode: int16,
    highWatermark: int64,
    lastStableOffset: int64,
    logStartOffset: since(5, int64, -1n),
    /** The largest epoch of the leader's log that is not above lastFetchedEpoch, and its end. */
    divergingEpoch: tagged(0, struct({ epoch: int32, endOffset: int64 }), 12),
    currentLeader: tagged(1, struct({ leaderId: int32, leaderEpoch: int32 }), 12),
    abortedTransactions: nullableArray(struct({ producerId: int64, firstOffset: int64 })),
    preferredReadReplica: since(11, int32, -1),
    records: pieces,
  }),
)
const limits = {
  replicaId: optional(int32, -1),
  maxWaitMs: int32,
  minBytes: int32,
  maxBytes: int32,
  isolationLevel: int8,
  sessionId: since(7, int32, 0),
  sessionEpoch: since(7, int32, -1),
}
const outcome = { throttleTimeMs: int32, errorCode: since(7, int16, 0), sessionId: since(7, int32, 0) }

/**
 * Whole record batches from an offset on. The first batch may begin before the offset, the last may be cut off; `records`
 * is a view of the frame. v10 brings zstd, v11 racks, v12 the diverging epoch (KIP-595). Sessions (KIP-227) are not used.
 */
export const Fetch = api({
  name: 'Fetch',
  key: 1,
  versions: [4, 12],
  flexibleFrom: 12,
  request: struct({
    ...limits,
    topics: array(struct({ topic: string, partitions: askedPartitions })),
    forgottenTopics: since(7, array(struct({ topic: string, partitions: array(int32) })), []),
    rackId: since(11, string, ''),
  }),
  response: struct({
    ...outcome,
    topics: array(struct({ topic: string, partitions: answeredPartitions })),
  }),
})

/** The same, by topic id: one that was deleted and made again is never read by mistake (KIP-516, brokers from 3.1 on). */
export const FetchById = api({
  name: 'Fetch',
  key: 1,
  versions: [13, 13],
  flexibleFrom: 12,
  request: struct({
    ...limits,
    topics: array(struct({ topicId: uuid, partitions: askedPartitions })),
    forgottenTopics: optional(array(struct({ topicId: uuid, partitions: array(int32) })), []),
    rackId: optional(string, ''),
  }),
  response: struct({
    ...outcome,
    topics: array(struct({ topicId: uuid, partitions: answeredPartitions })),
  }),
})
