import { array, int16, int32, int64, string, struct } from '../../wire/index.ts'
import { api } from '../api.ts'

/** Moves the log start of partitions up; sent to each leader. Offset -1 means the high watermark. */
export const DeleteRecords = api({
  name: 'DeleteRecords',
  key: 21,
  versions: [0, 2],
  flexibleFrom: 2,
  request: struct({
    topics: array(struct({ topic: string, partitions: array(struct({ partition: int32, offset: int64 })) })),
    timeoutMs: int32,
  }),
  response: struct({
    throttleTimeMs: int32,
    topics: array(
      struct({
        topic: string,
        partitions: array(struct({ partition: int32, lowWatermark: int64, errorCode: int16 })),
      }),
    ),
  }),
})
