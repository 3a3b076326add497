import { array, int16, int32, int64, nullableString, string, struct } from '../../wire/index.ts'
import { api } from '../api.ts'

/**
 * Producers that a partition's leader remembers, with the first offset of the transaction that each has open there.
 * Needs Read on the topic. Source: KIP-664 (brokers from 2.8 on).
 */
export const DescribeProducers = api({
  name: 'DescribeProducers',
  key: 61,
  versions: [0, 0],
  flexibleFrom: 0,
  request: struct({ topics: array(struct({ topic: string, partitions: array(int32) })) }),
  response: struct({
    throttleTimeMs: int32,
    topics: array(
      struct({
        topic: string,
        partitions: array(
          struct({
            partition: int32,
            errorCode: int16,
            errorMessage: nullableString,
            producers: array(
              struct({
                producerId: int64,
                producerEpoch: int32,
                lastSequence: int32,
                /** ms since 1970 of its last record; -1 if not known. */
                lastTimestamp: int64,
                coordinatorEpoch: int32,
                /** -1: no transaction is open. */
                transactionStart: int64,
              }),
            ),
          }),
        ),
      }),
    ),
  }),
})
