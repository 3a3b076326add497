import { type Cluster, Fetch, ISOLATION, kafkaError, type ResponseOf } from '../kafka/index.ts'
import { type During, KmigError, type Offset } from '../kit/index.ts'

const PART_BYTES = 4 << 20
const TIMEOUT_MS = 30_000

export type FetchAt = During & {
  topic: string
  partition: number
  at: Offset
  committed?: boolean | undefined
  /** Whom it waits behind on the connection: requests of one purpose. */
  purpose: string
  /** 'reading back', for errors. */
  what: string
}

/** What stands in a partition from an offset on, up to 4 MB. Throws UNREACHABLE where that can't be told now. */
export const fetchAt = async (
  cluster: Cluster,
  { topic, partition, at, committed, purpose, what, signal }: FetchAt,
): Promise<ResponseOf<typeof Fetch>['topics'][number]['partitions'][number]> => {
  const where = `${topic}-${partition}`
  const leader = cluster.leaderOf(topic, partition)
  if (!leader) throw new KmigError('UNREACHABLE', `${where} has no leader, so ${what} it fails`)
  const connection = await cluster.connection(leader.nodeId, purpose, signal)
  const answer = await connection.send(
    Fetch,
    {
      maxWaitMs: 500,
      minBytes: 1,
      maxBytes: PART_BYTES,
      isolationLevel: committed ? ISOLATION.readCommitted : ISOLATION.readUncommitted,
      topics: [{ topic, partitions: [{ partition, fetchOffset: at, partitionMaxBytes: PART_BYTES }] }],
    },
    { timeoutMs: TIMEOUT_MS, signal },
  )
  const part = answer.topics[0]?.partitions[0]
  if (part?.errorCode !== 0)
    throw new KmigError(
      'UNREACHABLE',
      `${what} ${where} offset ${at}: ${kafkaError(part?.errorCode ?? -1).name}`,
    )
  return part
}
