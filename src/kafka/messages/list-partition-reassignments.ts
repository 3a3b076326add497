import {
  array,
  int16,
  int32,
  nullableArray,
  nullableString,
  optional,
  string,
  struct,
} from '../../wire/index.ts'
import { api } from '../api.ts'

/**
 * Partitions whose replicas are being moved; only the controller answers. Needs Describe on the cluster.
 * Source: KIP-455 (brokers from 2.4 on).
 */
export const ListPartitionReassignments = api({
  name: 'ListPartitionReassignments',
  key: 46,
  versions: [0, 0],
  flexibleFrom: 0,
  request: struct({
    timeoutMs: int32,
    topics: optional(nullableArray(struct({ topic: string, partitions: array(int32) })), null),
  }),
  response: struct({
    throttleTimeMs: int32,
    errorCode: int16,
    errorMessage: nullableString,
    topics: array(
      struct({
        topic: string,
        partitions: array(
          struct({
            partition: int32,
            replicas: array(int32),
            adding: array(int32),
            removing: array(int32),
          }),
        ),
      }),
    ),
  }),
})
