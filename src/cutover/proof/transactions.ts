import { type OpenTransactionState, partitionKey } from '../../kafka/index.ts'
import { formatDuration } from '../../kit/index.ts'

const OFFSETS_TOPIC = '__consumer_offsets'

/**
 * Those that may still append to one of these partitions, or commit offsets; of one whose partitions are not told nobody
 * knows. Others are of topics that don't move.
 */
export const concerning = (
  open: readonly OpenTransactionState[],
  wheres: { has(where: string): boolean },
): OpenTransactionState[] =>
  open.filter(
    ({ partitions }) =>
      partitions === undefined ||
      partitions.length === 0 ||
      partitions.some(
        ({ topic, partition }) => topic === OFFSETS_TOPIC || wheres.has(partitionKey(topic, partition)),
      ),
  )

export const transactionText = (
  { transactionalId, producerId, state, startMs, timeoutMs, partitions }: OpenTransactionState,
  wallMs: number,
): string => {
  const since = startMs === undefined ? '' : ` for ${formatDuration(Math.max(0, wallMs - startMs))}`
  const ends = timeoutMs === undefined ? '' : `, its timeout is ${formatDuration(timeoutMs)}`
  const where = (partitions ?? []).map(({ topic, partition }) => partitionKey(topic, partition)).slice(0, 5)
  return `transaction of '${transactionalId}' (producer ${producerId}) is ${state}${since} on ${where.join(', ') || 'no partition yet'}${ends}`
}
