import { array, int16, int32, int64, string, struct } from '../../wire/index.ts'
import { api } from '../api.ts'

/**
 * Transactions by their ids, asked of their coordinator: state, age, and the partitions that have no marker of their end
 * yet. Needs Describe on the transactional id. Source: KIP-664 (brokers from 3.0 on).
 */
export const DescribeTransactions = api({
  name: 'DescribeTransactions',
  key: 65,
  versions: [0, 0],
  flexibleFrom: 0,
  request: struct({ transactionalIds: array(string) }),
  response: struct({
    throttleTimeMs: int32,
    transactions: array(
      struct({
        errorCode: int16,
        transactionalId: string,
        /** 'Empty', 'Ongoing', 'PrepareCommit', 'PrepareAbort', 'CompleteCommit', 'CompleteAbort', 'PrepareEpochFence'. */
        state: string,
        timeoutMs: int32,
        /** ms since 1970; -1 if none is open. */
        startTimeMs: int64,
        producerId: int64,
        producerEpoch: int16,
        topics: array(struct({ topic: string, partitions: array(int32) })),
      }),
    ),
  }),
})
