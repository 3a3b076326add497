import { byLeader, byTopic, flatten, type Tolerance, valuesOf } from './by-leader.ts'
import { type AskOptions, type Cluster, REQUEST_MS } from './cluster.ts'
import { DescribeProducers } from './messages/index.ts'

/** A producer with an id (idempotent or transactional), as a partition's leader remembers it. */
export type ProducerState = {
  producerId: bigint
  epoch: number
  /** -1: it has written nothing in this epoch. */
  lastSequence: number
  /** ms since 1970 of its last record; -1 if not known. */
  lastMs: number
  /** Where the transaction begins that it has open there; undefined: none. */
  transactionStart: bigint | undefined
}

/**
 * The producers that the leaders of partitions remember, keyed by `partitionKey`. Throws UNSUPPORTED before 2.8,
 * AUTHORIZATION without Read on a topic, unless `refused` is told.
 */
export const describeProducers = async (
  cluster: Cluster,
  asks: readonly { topic: string; partition: number }[],
  options: AskOptions & Tolerance = {},
): Promise<Map<string, ProducerState[]>> => {
  const { timeoutMs = REQUEST_MS, signal } = options
  const outcomes = await byLeader(cluster, asks, options, {
    what: 'producers',
    needs: 'Read',
    send: async (to, share) => {
      const topics = byTopic(share).map(({ topic, partitions }) => {
        return { topic, partitions: partitions.map(({ partition }) => partition) }
      })
      const answer = await to.send(DescribeProducers, { topics }, { timeoutMs, signal })
      return flatten(answer.topics).map(({ topic, partition, errorCode, producers }) => {
        const value = producers.map(
          ({ producerId, producerEpoch: epoch, lastSequence, lastTimestamp, transactionStart }) => ({
            producerId,
            epoch,
            lastSequence,
            lastMs: Number(lastTimestamp),
            transactionStart: transactionStart < 0n ? undefined : transactionStart,
          }),
        )
        return { topic, partition, errorCode, value }
      })
    },
  })
  return valuesOf(outcomes, options)
}
