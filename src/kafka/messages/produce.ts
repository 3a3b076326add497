import {
  array,
  int16,
  int32,
  int64,
  nullableString,
  optional,
  pieces,
  since,
  string,
  struct,
  tagged,
  uuid,
} from '../../wire/index.ts'
import { api } from '../api.ts'

const asked = array(struct({ partition: int32, records: pieces }))
const answered = array(
  struct({
    partition: int32,
    errorCode: int16,
    baseOffset: int64,
    logAppendTimeMs: int64,
    logStartOffset: since(5, int64, -1n),
    recordErrors: since(8, array(struct({ batchIndex: int32, message: nullableString })), []),
    errorMessage: since(8, nullableString, null),
    currentLeader: tagged(0, struct({ leaderId: int32, leaderEpoch: int32 }), 10),
  }),
)
const terms = { transactionalId: optional(nullableString, null), acks: int16, timeoutMs: int32 }

/**
 * Appends one record batch per partition; `records` may be pieces, which are sent uncopied. A partition that is named twice
 * in a request silently loses its first batch, so that must never be. v7 brings zstd. The base offset of an answer with an
 * error means nothing.
 */
export const Produce = api({
  name: 'Produce',
  key: 0,
  versions: [3, 11],
  flexibleFrom: 9,
  request: struct({ ...terms, topics: array(struct({ topic: string, partitions: asked })) }),
  response: struct({
    topics: array(struct({ topic: string, partitions: answered })),
    throttleTimeMs: int32,
  }),
})

/** The same, by topic id: one that was deleted and made again is never written by mistake (KIP-516, brokers from 4.1 on). */
export const ProduceById = api({
  name: 'Produce',
  key: 0,
  versions: [13, 13],
  flexibleFrom: 9,
  request: struct({ ...terms, topics: array(struct({ topicId: uuid, partitions: asked })) }),
  response: struct({
    topics: array(struct({ topicId: uuid, partitions: answered })),
    throttleTimeMs: int32,
  }),
})
