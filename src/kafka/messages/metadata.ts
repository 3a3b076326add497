import {
  array,
  between,
  bool,
  int16,
  int32,
  nullableArray,
  nullableString,
  optional,
  since,
  string,
  struct,
  uuid,
} from '../../wire/index.ts'
import { api } from '../api.ts'

/** The id of a topic on brokers that have none (older than 2.8). */
export const NO_TOPIC_ID = 'AAAAAAAAAAAAAAAAAAAAAA'
const NO_OPERATIONS = -2_147_483_648

/** Brokers, controller, topics with their partitions' leaders. `topics: null` asks for all, `[]` for brokers only. */
export const Metadata = api({
  name: 'Metadata',
  key: 3,
  versions: [4, 12],
  flexibleFrom: 9,
  request: struct({
    topics: nullableArray(struct({ topicId: since(10, uuid, NO_TOPIC_ID), name: string })),
    allowAutoTopicCreation: optional(bool, false), // a look must never create what it looks for
    includeClusterAuthorizedOperations: between(8, 10, bool, false),
    includeTopicAuthorizedOperations: since(8, bool, false),
  }),
  response: struct({
    throttleTimeMs: int32,
    brokers: array(struct({ nodeId: int32, host: string, port: int32, rack: nullableString })),
    clusterId: nullableString,
    controllerId: int32,
    topics: array(
      struct({
        errorCode: int16,
        name: nullableString,
        topicId: since(10, uuid, NO_TOPIC_ID),
        isInternal: bool,
        partitions: array(
          struct({
            errorCode: int16,
            partition: int32,
            leader: int32,
            leaderEpoch: since(7, int32, -1),
            replicas: array(int32),
            isr: array(int32),
            offlineReplicas: since(5, array(int32), []),
          }),
        ),
        authorizedOperations: since(8, int32, NO_OPERATIONS),
      }),
    ),
    authorizedOperations: between(8, 10, int32, NO_OPERATIONS),
  }),
})
