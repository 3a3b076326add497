import { array, bool, int16, int32, int64, string, struct } from '../../wire/index.ts'
import { api } from '../api.ts'

/**
 * Appends control records to partitions, as a transaction coordinator does; sent to each leader. Every entry appends one
 * marker to each of its partitions, in the order of the entries; entries of one producer id share one error per
 * partition. Not idempotent. Needs ClusterAction, or Alter, on the cluster. Source: KafkaApis.handleWriteTxnMarkersRequest.
 */
export const WriteTxnMarkers = api({
  name: 'WriteTxnMarkers',
  key: 27,
  versions: [1, 1],
  flexibleFrom: 1,
  request: struct({
    markers: array(
      struct({
        producerId: int64,
        producerEpoch: int16,
        /** false: abort. */
        committed: bool,
        topics: array(struct({ topic: string, partitions: array(int32) })),
        coordinatorEpoch: int32,
      }),
    ),
  }),
  response: struct({
    markers: array(
      struct({
        producerId: int64,
        topics: array(
          struct({ topic: string, partitions: array(struct({ partition: int32, errorCode: int16 })) }),
        ),
      }),
    ),
  }),
})
