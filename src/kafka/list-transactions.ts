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

export type TransactionalId = { transactionalId: string; producerId: bigint; state: string }
type Listed = { nodeId: number; transactions: readonly TransactionalId[] }

/** What each coordinator knows. */
const listed = async (cluster: Cluster, options: AskOptions): Promise<Listed[]> => {
  await cluster.metadata([], options)
  const answers = [...cluster.brokers.keys()].map(async nodeId => {
    const request = { states: [], producerIds: [] }
    const { errorCode, transactions } = await cluster.broker(nodeId, ListTransactions, request, options)
    if (errorCode !== 0) throw brokerError(errorCode, `transactions of broker ${nodeId}`)
    return { nodeId, transactions }
  })
  return await Promise.all(answers)
}

/** Every transactional id that the coordinators know, with the state of its last transaction. Throws UNSUPPORTED before 3.0. */
export const listTransactionalIds = async (
  cluster: Cluster,
  options: AskOptions = {},
): Promise<TransactionalId[]> => (await listed(cluster, options)).flatMap(({ transactions }) => transactions)

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
  const answers = (await listed(cluster, options)).map(async ({ nodeId, transactions }) => {
    const open = transactions.filter(({ state }) => !ENDED.has(state))
    return open.length === 0 ? [] : await described(cluster, nodeId, open, options)
  })
  return (await Promise.all(answers)).flat()
}

/** What their coordinator tells of them; one that ended meanwhile, or has another coordinator now, is left as it was. */
const described = async (
  cluster: Cluster,
  nodeId: number,
  open: readonly TransactionalId[],
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
