import { array, bool, int16, int32, int64, nullableArray, since, string, struct } from '../../wire/index.ts'
import { api } from '../api.ts'

/**
 * A broker's own log directories: what each partition takes there and, from v4 (3.3) on, how large the volume is. Only the
 * broker itself answers. Needs Describe on the cluster; without it v3 tells so, and before that the list is empty.
 * Source: KIP-113, KIP-827.
 */
export const DescribeLogDirs = api({
  name: 'DescribeLogDirs',
  key: 35,
  versions: [1, 4],
  flexibleFrom: 2,
  request: struct({ topics: nullableArray(struct({ topic: string, partitions: array(int32) })) }),
  response: struct({
    throttleTimeMs: int32,
    errorCode: since(3, int16, 0),
    directories: array(
      struct({
        errorCode: int16,
        path: string,
        topics: array(
          struct({
            topic: string,
            partitions: array(
              struct({
                partition: int32,
                bytes: int64,
                /** How far this replica is behind. */
                offsetLag: int64,
                /** It is being moved here from another directory of the broker. */
                future: bool,
              }),
            ),
          }),
        ),
        /** Of the volume; -1 if not told. */
        totalBytes: since(4, int64, -1n),
        usableBytes: since(4, int64, -1n),
      }),
    ),
  }),
})
