import { array, int8, int16, int32, int64, optional, since, string, struct } from '../../wire/index.ts'
import { api } from '../api.ts'

/** Special timestamps of ListOffsets. Under read_committed LATEST is the last stable offset, else the high watermark. */
export const EARLIEST = -2n
export const LATEST = -1n
export const ISOLATION = { readUncommitted: 0, readCommitted: 1 } as const

/** First offset whose timestamp is at or after the one given. */
export const ListOffsets = api({
  name: 'ListOffsets',
  key: 2,
  versions: [2, 7],
  flexibleFrom: 6,
  request: struct({
    replicaId: optional(int32, -1),
    isolationLevel: int8,
    topics: array(
      struct({
        topic: string,
        partitions: array(
          struct({ partition: int32, currentLeaderEpoch: since(4, int32, -1), timestamp: int64 }),
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
          struct({
            partition: int32,
            errorCode: int16,
            timestamp: int64,
            offset: int64,
            leaderEpoch: since(4, int32, -1),
          }),
        ),
      }),
    ),
  }),
})
