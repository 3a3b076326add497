import { array, int16, int32, int64, string, struct } from '../../wire/index.ts'
import { api } from '../api.ts'

/** Times are those of the clock of the active controller; its own row tells the moment of the answer. */
const replica = struct({
  replicaId: int32,
  logEnd: int64,
  lastFetchMs: int64,
  lastCaughtUpMs: int64,
})

/**
 * The quorum of controllers of a cluster without ZooKeeper; brokers pass the question on. Needs Describe on the cluster.
 * Source: KIP-595; times from KIP-836 on (brokers from 3.3).
 */
export const DescribeQuorum = api({
  name: 'DescribeQuorum',
  key: 55,
  versions: [1, 1],
  flexibleFrom: 0,
  request: struct({
    topics: array(struct({ topic: string, partitions: array(struct({ partition: int32 })) })),
  }),
  response: struct({
    errorCode: int16,
    topics: array(
      struct({
        topic: string,
        partitions: array(
          struct({
            partition: int32,
            errorCode: int16,
            leader: int32,
            leaderEpoch: int32,
            highWatermark: int64,
            voters: array(replica),
            observers: array(replica),
          }),
        ),
      }),
    ),
  }),
})
