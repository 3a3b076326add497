import type { Cluster } from '../kafka/index.ts'
import { type During, inFlight, isKmigError, KmigError, messageOf, Offset, sleep } from '../kit/index.ts'
import type { MirrorEvent } from './events.ts'
import type { Lane } from './lane.ts'
import { readBack } from './read-back.ts'

export type SettleOptions = During<MirrorEvent> & {
  target: Cluster
  producers: ReadonlySet<bigint>
  /** Topic ids on the target, as they were when the mirror made the topics. */
  topicIds: ReadonlyMap<string, string>
}

const AGAIN_MS = 200
const SCANS_AT_ONCE = 4

/**
 * Ends the doubt of lanes: asks the leader for its epoch and log end, waits until the high watermark is there, reads
 * back what was not checked yet, and only then lets the lane go on at the end. Lanes that can't be settled yet (no
 * leader, high watermark behind) are left in doubt for the next round. Source: MIRROR.md 5.4.
 */
export const settle = async (lanes: readonly Lane[], o: SettleOptions): Promise<void> => {
  const { target, topicIds } = o
  for (const meta of await target.metadata([...new Set(lanes.map(lane => lane.topic))], o)) {
    const known = topicIds.get(meta.name)
    const gone = meta.error === 3
    if (!gone && (!known || meta.topicId === known)) continue
    if (gone && !known) continue
    for (const lane of lanes.filter(({ topic }) => topic === meta.name)) lane.stop(recreated(lane, gone))
  }
  const asked = lanes.flatMap(lane => {
    const leader = lane.stopped ? undefined : target.leaderOf(lane.topic, lane.partition)
    // an epoch lower than one seen is a broker's stale view
    return leader && leader.leaderEpoch >= lane.epoch ? [{ lane, epoch: leader.leaderEpoch }] : []
  })
  const ends = await target.epochEnds(
    asked.map(({ lane: { topic, partition }, epoch }) => ({
      topic,
      partition,
      leaderEpoch: epoch,
      currentLeaderEpoch: epoch,
    })),
    o,
  )
  const anchors = await target.epochEnds(
    asked.map(({ lane: { topic, partition, anchor } }) => ({ topic, partition, leaderEpoch: anchor.epoch })),
    o,
  )
  const marks = await target.listOffsets(
    asked.map(({ lane: { topic, partition } }) => ({ topic, partition, timestamp: -1n })),
    o,
  )
  const scans = asked.flatMap(({ lane, epoch }) => {
    const end = ends.get(lane.where)
    const mark = marks.get(lane.where)
    if (end?.kind !== 'end' || end.endOffset !== mark?.offset) return []
    const held = anchors.get(lane.where)
    const to = Offset(end.endOffset)
    if (to < lane.anchor.offset) truncated(lane, to, o)
    const safe =
      held?.kind === 'end' && held.endOffset >= 0n && held.endOffset < lane.anchor.offset
        ? held.endOffset
        : lane.anchor.offset
    return [{ lane, epoch, from: Offset(safe < to ? safe : to), to }]
  })
  const checks = inFlight(
    scans,
    SCANS_AT_ONCE,
    async ({ lane, epoch, from, to }, signal) => {
      try {
        const wrong = await readBack({ target, lane, producers: o.producers, from, to, signal })
        if (wrong) lane.stop(wrong)
        else lane.settled(to, epoch)
      } catch (e) {
        if (!isKmigError(e, 'DISCONNECTED', 'TIMEOUT', 'UNREACHABLE')) throw e
        o.on?.({ kind: 'warning', where: lane.where, text: `read-back is tried again: ${messageOf(e)}` })
      }
    },
    o.signal,
  )
  for await (const _ of checks);
  if (lanes.some(lane => lane.phase.at === 'doubt')) await sleep(AGAIN_MS, o.signal)
}

/** Padding is deleted before records follow, and again when a broker's crash has brought it back. Source: MIRROR.md 6. */
export const trim = async (lanes: readonly Lane[], { target, on, ...o }: SettleOptions): Promise<void> => {
  const asks = lanes.map(({ topic, partition }) => ({ topic, partition, timestamp: -2n }))
  const before = await target.listOffsets(asks, o)
  const padded = lanes.filter(lane => {
    const at = before.get(lane.where)
    return at !== undefined && at.offset < lane.start
  })
  if (padded.length > 0) {
    await target.deleteRecords(
      padded.map(({ topic, partition, start }) => ({ topic, partition, offset: start })),
      { ...o, timeoutMs: 10_000 },
    )
  }
  const after = padded.length > 0 ? await target.listOffsets(asks, o) : before
  for (const lane of lanes) {
    const at = after.get(lane.where)
    if (at === undefined || at.offset < lane.start) continue
    if (at.offset > lane.start)
      on?.({
        kind: 'warning',
        where: lane.where,
        text: `the target starts at ${at.offset}, the copy at ${lane.start}: records were deleted on the target`,
      })
    lane.trimmed()
  }
  if (lanes.some(lane => lane.phase.at === 'trimming')) await sleep(AGAIN_MS, o.signal)
}

const truncated = (lane: Lane, end: Offset, { on }: SettleOptions): void => {
  const lost = new KmigError(
    'TARGET_TRUNCATED',
    `${lane.where}: the target ends at ${end} but had acknowledged up to ${lane.anchor.offset}; offsets ${end} to ${lane.anchor.offset - 1n} are copied again`,
  )
  on?.({ kind: 'warning', where: lane.where, text: lost.message })
}

const recreated = (lane: Lane, gone: boolean): KmigError =>
  new KmigError(
    'TOPIC_RECREATED',
    `topic ${lane.topic} on the target was ${gone ? 'deleted' : 'deleted and made again'} while it was mirrored`,
    {
      try: ['find out who did it; start the mirror again to copy the topic anew'],
    },
  )
