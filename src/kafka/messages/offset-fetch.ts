import {
  array,
  between,
  bool,
  int16,
  int32,
  int64,
  nullableArray,
  nullableString,
  since,
  string,
  struct,
  until,
} from '../../wire/index.ts'
import { api } from '../api.ts'

const asked = nullableArray(struct({ topic: string, partitions: array(int32) }))
const committed = array(
  struct({
    topic: string,
    partitions: array(
      struct({
        partition: int32,
        offset: int64,
        leaderEpoch: since(5, int32, -1),
        metadata: nullableString,
        errorCode: int16,
      }),
    ),
  }),
)

/** Committed offsets of a group, or from v8 on of several. `topics: null` asks for all; offset -1 means none. */
export const OffsetFetch = api({
  name: 'OffsetFetch',
  key: 9,
  versions: [2, 8],
  flexibleFrom: 6,
  request: struct({
    groupId: until(7, string, ''),
    topics: until(7, asked, null),
    groups: since(8, array(struct({ groupId: string, topics: asked })), []),
    /** Waits (error 88) while a transaction holds an offset back. */
    requireStable: since(7, bool, false),
  }),
  response: struct({
    throttleTimeMs: since(3, int32, 0),
    topics: until(7, committed, []),
    errorCode: between(2, 7, int16, 0),
    groups: since(8, array(struct({ groupId: string, topics: committed, errorCode: int16 })), []),
  }),
})
