import { type Cluster, ERROR, isRetriable, kafkaError, WriteTxnMarkers } from '../kafka/index.ts'
import { KmigError } from '../kit/index.ts'
import type { Lane } from './lane.ts'
import { newProducerId } from './prepare.ts'

const TIMEOUT_MS = 30_000

export type ShutOutOptions = {
  target: Cluster
  /** Keeps what was sent, and by whom. */
  persistSent(lanes: readonly Lane[], signal: AbortSignal): Promise<void>
  /** Whether this process owns its lanes, at this very moment: nothing is sent otherwise. */
  owns(): boolean
  signal: AbortSignal
}

/**
 * Shuts the producer of lanes out whose source has become another since they were sent what may still land: a control
 * record of it with a higher epoch makes the broker refuse all that comes later. A fresh producer, remembered before, goes
 * on once what had landed by then is read back. Source: MIRROR.md 5.6.
 */
export const shutOut = async (lanes: readonly Lane[], o: ShutOutOptions): Promise<void> => {
  const { target, persistSent, owns, signal } = o
  for (const { sent } of lanes) {
    if (sent.shutting) continue
    const { producerId: id, producerEpoch: epoch } = await newProducerId(target, { signal })
    sent.turn({ id, epoch })
  }
  await persistSent(lanes, signal)
  for (const lane of lanes) {
    const { topic, partition, where, sent } = lane
    const leader = target.leaderOf(topic, partition)
    const old = sent.former.at(-1)
    if (!leader || !old || !owns() || lane.phase.at !== 'shutting') continue
    const connection = await target.connection(leader.nodeId, 'fill', signal)
    const marker = {
      producerId: old.id,
      producerEpoch: old.epoch + 1,
      committed: true,
      topics: [{ topic, partitions: [partition] }],
      coordinatorEpoch: 0,
    }
    const answer = await connection.send(
      WriteTxnMarkers,
      { markers: [marker] },
      { timeoutMs: TIMEOUT_MS, signal },
    )
    const errorCode = answer.markers[0]?.topics[0]?.partitions[0]?.errorCode ?? ERROR.REQUEST_TIMED_OUT
    const { name } = kafkaError(errorCode)
    // the broker knows a higher epoch already: an earlier try had done it
    if (errorCode === ERROR.NONE || name === 'INVALID_PRODUCER_EPOCH') lane.wasShutOut()
    else if (!isRetriable(errorCode)) lane.stop(notShutOut(where, name))
    else throw new KmigError('UNREACHABLE', `${where}: what was sent before can't be shut out yet: ${name}`)
  }
  await persistSent(
    lanes.filter(({ sent }) => !sent.shutting),
    signal,
  )
}

const notShutOut = (where: string, why: string): KmigError =>
  new KmigError(
    why === 'CLUSTER_AUTHORIZATION_FAILED' ? 'AUTHORIZATION' : 'BROKER',
    `${where}: compaction took records out of the source between two reads, and what was sent of the first can't be shut out: ${why}`,
    { try: ['allow ClusterAction, or Alter, on the target cluster, and start the mirror again'] },
  )
