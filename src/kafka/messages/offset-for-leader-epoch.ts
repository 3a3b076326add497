import { array, int16, int32, int64, optional, string, struct } from '../../wire/index.ts'
import { api } from '../api.ts'

/**
 * Where a leader epoch ends in the leader's log: for the current epoch the log end offset itself, which may be past the
 * high watermark. From v3 (Kafka 2.3) on, so that the leader is fenced by current_leader_epoch and answers ordinary clients.
 */
export const OffsetForLeaderEpoch = api({
  name: 'OffsetForLeaderEpoch',
  key: 23,
  versions: [3, 4],
  flexibleFrom: 4,
  request: struct({
    replicaId: optional(int32, -1),
    topics: array(
      struct({
        topic: string,
        partitions: array(
          struct({ partition: int32, currentLeaderEpoch: optional(int32, -1), leaderEpoch: int32 }),
        ),
      }),
    ),
  }),
  response: struct({
    throttleTimeMs: int32,
    topics: array(
      struct({
        topic: string,
        partitions: array(
          struct({ errorCode: int16, partition: int32, leaderEpoch: int32, endOffset: int64 }),
        ),
      }),
    ),
  }),
})
