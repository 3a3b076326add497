import type { Cluster } from '../kafka/index.ts'
import type { Lane } from './lane.ts'

/** One try: what can't be told now is a doubt. */
const ASK = { timeoutMs: 10_000, withinMs: 0 }

export type VigilOptions = { target: Cluster; lanes: readonly Lane[]; signal: AbortSignal }

/**
 * Asks every leader whether it still leads in the epoch that was checked and still holds what was acknowledged; then
 * the anchor moves up to there, else the lane is in doubt. Produce carries no epoch, so without this a leader that
 * came and went would not be noticed. Source: MIRROR.md 5.4.
 */
export const vigil = async ({ target, lanes, signal }: VigilOptions): Promise<void> => {
  const watched = lanes
    .filter(lane => lane.open)
    .map(lane => ({ lane, place: lane.place, still: lane.flying === 0, epoch: lane.epoch }))
  if (watched.length === 0) return
  const ends = await target.epochEnds(
    watched.map(({ lane: { topic, partition }, epoch }) => ({
      topic,
      partition,
      leaderEpoch: epoch,
      currentLeaderEpoch: epoch,
    })),
    { ...ASK, signal },
  )
  for (const { lane, place, still, epoch } of watched) {
    if (!lane.open || lane.epoch !== epoch) continue
    const { target: acked, ordinal } = place
    const end = ends.get(lane.where)
    if (end?.kind !== 'end')
      lane.doubt('whether the leader of the target is still the same could not be told')
    else if (end.endOffset < acked)
      lane.doubt(`the target ends at ${end.endOffset}, it had acknowledged ${acked}`)
    else if (end.endOffset > acked && still && lane.flying === 0 && lane.place === place)
      lane.doubt(`the target ends at ${end.endOffset}, this mirror wrote up to ${acked}`)
    else lane.anchor = { offset: acked, ordinal, epoch }
  }
}
