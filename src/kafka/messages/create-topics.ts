import {
  array,
  bool,
  int8,
  int16,
  int32,
  nullableArray,
  nullableString,
  optional,
  since,
  string,
  struct,
  tagged,
  uuid,
} from '../../wire/index.ts'
import { api } from '../api.ts'
import { NO_TOPIC_ID } from './metadata.ts'

/** Creates topics; asked of the controller (any broker under KRaft). Topic ids are answered from v7 on (2.8). */
export const CreateTopics = api({
  name: 'CreateTopics',
  key: 19,
  versions: [2, 7],
  flexibleFrom: 5,
  request: struct({
    topics: array(
      struct({
        name: string,
        partitions: int32,
        replicationFactor: int16,
        assignments: optional(array(struct({ partition: int32, brokerIds: array(int32) })), []),
        configs: optional(array(struct({ name: string, value: nullableString })), []),
      }),
    ),
    timeoutMs: int32,
    validateOnly: optional(bool, false),
  }),
  response: struct({
    throttleTimeMs: int32,
    topics: array(
      struct({
        name: string,
        topicId: since(7, uuid, NO_TOPIC_ID),
        errorCode: int16,
        errorMessage: nullableString,
        topicConfigErrorCode: tagged(0, int16, 5),
        partitions: since(5, int32, -1),
        replicationFactor: since(5, int16, -1),
        configs: since(
          5,
          nullableArray(
            struct({
              name: string,
              value: nullableString,
              readOnly: bool,
              source: int8,
              isSensitive: bool,
            }),
          ),
          null,
        ),
      }),
    ),
  }),
})
