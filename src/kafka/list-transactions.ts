import type { AskOptions, Cluster } from './cluster.ts'
import { brokerError } from './errors.ts'
import { DescribeTransactions, ListTransactions } from './messages/index.ts'

/** A transaction that has not ended: 'Ongoing', or 'Prepare...' while its markers are being written. */
export type OpenTransactionState = {
  transactionalId: string
  producerId: bigint
  state: string
  /** ms since 1970; undefined if not told. */
  startMs: number | undefined
  timeoutMs: number | undefined
  /** Partitions that were enlisted and have no marker yet; undefined if not told. */
  partitions: { topic: string; partition: number }[] | undefined
}

/** States in which nothing can be appended any more without a new beginning. Source: TransactionState. */
const ENDED: ReadonlySet<string> = new Set(['Empty', 'CompleteCommit', 'CompleteAbort', 'Dead'])

/**
 * Transactions of a cluster that have not ended, those that have written nothing yet included. Brokers leave out ids that
 * the user may not Describe, without a word. Throws UNSUPPORTED before 3.0.
 */
export const listOpenTransactions = async (
  cluster: Cluster,
  options: AskOptions = {},
): Promise<OpenTransactionState[]> => {
  await cluster.metadata([], options)
  const answers = [...cluster.brokers.keys()].map(async nodeId => {
    const listed = await cluster.broker(nodeId, ListTransactions, { states: [], producerIds: [] }, options)
    if (listed.errorCode !== 0) throw brokerError(listed.errorCode, `transactions of broker ${nodeId}`)
    const open = listed.transactions.filter(({ state }) => !ENDED.has(state))
    return open.length === 0 ? [] : await described(cluster, nodeId, open, options)
  })
  return (await Promise.all(answers)).flat()
}

/** What their coordinator tells of them; one that ended meanwhile, or has another coordinator now, is left as it was. */
const described = async (
  cluster: Cluster,
  nodeId: number,
  open: readonly { transactionalId: string; producerId: bigint; state: string }[],
  options: AskOptions,
): Promise<OpenTransactionState[]> => {
  const request = { transactionalIds: open.map(({ transactionalId }) => transactionalId) }
  const { transactions } = await cluster.broker(nodeId, DescribeTransactions, request, options)
  const known = new Map(transactions.map(each => [each.transactionalId, each]))
  return open.flatMap(({ transactionalId, producerId, state }): OpenTransactionState[] => {
    const found = known.get(transactionalId)
    if (found?.errorCode !== 0) {
      const untold = { startMs: undefined, timeoutMs: undefined, partitions: undefined }
      return [{ transactionalId, producerId, state, ...untold }]
    }
    if (ENDED.has(found.state)) return []
    const { startTimeMs, timeoutMs, topics } = found
    const partitions = topics.flatMap(({ topic, partitions }) =>
      partitions.map(partition => ({ topic, partition })),
    )
    const startMs = startTimeMs < 0n ? undefined : Number(startTimeMs)
    return [
      {
        ...{ transactionalId, timeoutMs, partitions, startMs },
        producerId: found.producerId,
        state: found.state,
      },
    ]
  })
}
