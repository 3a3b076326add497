import {
  array,
  between,
  int16,
  int32,
  int64,
  nullableString,
  optional,
  since,
  string,
  struct,
} from '../../wire/index.ts'
import { api } from '../api.ts'

/**
 * Commits offsets. Generation -1 with an empty member id is a commit from outside, which the coordinator takes only while
 * the group has no members.
 */
export const OffsetCommit = api({
  name: 'OffsetCommit',
  key: 8,
  versions: [2, 8],
  flexibleFrom: 8,
  request: struct({
    groupId: string,
    generationId: optional(int32, -1),
    memberId: optional(string, ''),
    groupInstanceId: since(7, nullableString, null),
    retentionTimeMs: between(2, 4, int64, -1n),
    topics: array(
      struct({
        topic: string,
        partitions: array(
          struct({
            partition: int32,
            offset: int64,
            leaderEpoch: since(6, int32, -1),
            metadata: optional(nullableString, ''),
          }),
        ),
      }),
    ),
  }),
  response: struct({
    throttleTimeMs: since(3, int32, 0),
    topics: array(
      struct({ topic: string, partitions: array(struct({ partition: int32, errorCode: int16 })) }),
    ),
  }),
})
