import {
  array,
  bool,
  int16,
  int32,
  nullableArray,
  nullableString,
  optional,
  string,
  struct,
} from '../../wire/index.ts'
import { api } from '../api.ts'

/** Raises the number of partitions to `count`; asked of the controller. */
export const CreatePartitions = api({
  name: 'CreatePartitions',
  key: 37,
  versions: [0, 3],
  flexibleFrom: 2,
  request: struct({
    topics: array(
      struct({
        name: string,
        count: int32,
        assignments: optional(nullableArray(struct({ brokerIds: array(int32) })), null),
      }),
    ),
    timeoutMs: int32,
    validateOnly: optional(bool, false),
  }),
  response: struct({
    throttleTimeMs: int32,
    topics: array(struct({ name: string, errorCode: int16, errorMessage: nullableString })),
  }),
})
