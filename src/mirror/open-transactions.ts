import { type Cluster, DescribeProducers, ListTransactions } from '../kafka/index.ts'
import { type During, formatCount, formatDuration, isKmigError, type Offset, plural } from '../kit/index.ts'
import type { MirrorEvent } from './events.ts'
import type { Lane } from './lane.ts'

/** A last stable offset that stands still for so long is told, and again each time it has stood for six times as long. */
const STALLED_MS = 10_000
const AGAIN = 6
const TIMEOUT_MS = 5_000

type Stall = { stable: Offset; since: number; tellAt: number }
export type OpenTransaction = {
  producerId: bigint
  epoch: number
  start: bigint
  /** ms since 1970 of its last record. */
  last: number
  /** Undefined from brokers that don't list transactions (before 3.0). */
  transactionalId: string | undefined
}

export type TransactionWatchOptions = During<MirrorEvent> & { source: Cluster; lanes: readonly Lane[] }

/**
 * Watches for transactions that stay open on the source: nothing behind them is committed, so nothing is copied, and it
 * would look as if the mirror hung. Source: MIRROR.md 3.
 */
export class TransactionWatch {
  readonly #o: TransactionWatchOptions
  readonly #stalls = new Map<Lane, Stall>()
  constructor(options: TransactionWatchOptions) {
    this.#o = options
  }

  async look(): Promise<void> {
    const now = performance.now()
    for (const lane of this.#o.lanes) {
      const { stopped, sourceEnd, sourceStable: stable } = lane
      if (stopped || sourceEnd === undefined || stable === undefined || sourceEnd <= stable) {
        this.#stalls.delete(lane)
        continue
      }
      const known = this.#stalls.get(lane)
      if (known?.stable !== stable) {
        this.#stalls.set(lane, { stable, since: now, tellAt: now + STALLED_MS })
        continue
      }
      if (now < known.tellAt) continue
      known.tellAt = now + (now - known.since) * AGAIN
      this.#tell(lane, { stable, end: sourceEnd, ms: now - known.since }, await this.#opened(lane))
    }
  }

  #tell(
    { where }: Lane,
    { stable, end, ms }: { stable: bigint; end: bigint; ms: number },
    open: readonly OpenTransaction[] | undefined,
  ): void {
    const held = `an open transaction holds ${plural(end - stable, 'record')} back: what is committed ends at offset ${stable} since ${formatDuration(ms)}, the source at ${end}`
    const who = (open ?? []).map(ownerText).join('; ')
    const text = who === '' ? `${held}; the source does not tell whose it is` : `${held}; ${who}`
    this.#o.on?.({ kind: 'warning', where, text })
  }

  /** Whose transaction it is: undefined from brokers that can't tell, or that don't let us see it. */
  async #opened({ topic, partition }: Lane): Promise<OpenTransaction[] | undefined> {
    const { source, signal } = this.#o
    try {
      return await openTransactions(source, { topic, partition, signal })
    } catch (e) {
      if (!isKmigError(e) || signal.aborted) throw e
      return undefined
    }
  }
}

const ownerText = ({ producerId, epoch, start, last, transactionalId }: OpenTransaction): string => {
  const who = transactionalId === undefined ? '' : ` (transactional.id '${transactionalId}')`
  const quiet = last > 0 ? `, last wrote ${formatDuration(Math.max(0, Date.now() - last))} ago` : ''
  return `producer ${producerId} epoch ${epoch}${who} began it at offset ${formatCount(start)}${quiet}: end that application, or kafka-transactions.sh abort`
}

/** Transactions that are open on a partition, the oldest first; undefined if the brokers can't tell (before 2.8). */
export const openTransactions = async (
  source: Cluster,
  { topic, partition, signal }: During & { topic: string; partition: number },
): Promise<OpenTransaction[] | undefined> => {
  const limits = { timeoutMs: TIMEOUT_MS, signal }
  const leader = source.leaderOf(topic, partition)
  if (!leader) return undefined
  const connection = await source.connection(leader.nodeId, 'control', signal)
  if (connection.supports(DescribeProducers) === undefined) return undefined
  const asked = { topics: [{ topic, partitions: [partition] }] }
  const answer = await connection.send(DescribeProducers, asked, limits)
  const open = (answer.topics[0]?.partitions[0]?.producers ?? [])
    .filter(({ transactionStart }) => transactionStart >= 0n)
    .sort((a, b) => (a.transactionStart < b.transactionStart ? -1 : 1))
  const names = new Map<bigint, string>()
  for (const nodeId of open.length > 0 ? source.brokers.keys() : []) {
    const coordinator = await source.connection(nodeId, 'control', signal)
    if (coordinator.supports(ListTransactions) === undefined) break
    const filter = { states: [], producerIds: open.map(({ producerId }) => producerId) }
    for (const each of (await coordinator.send(ListTransactions, filter, limits)).transactions)
      names.set(each.producerId, each.transactionalId)
  }
  return open.map(({ producerId, producerEpoch, transactionStart, lastTimestamp }) => ({
    producerId,
    epoch: producerEpoch,
    start: transactionStart,
    last: Number(lastTimestamp),
    transactionalId: names.get(producerId),
  }))
}
