import { type Cluster, EARLIEST, type EpochEnd, LATEST } from '../kafka/index.ts'
import { type During, inFlight, isKmigError, KmigError, messageOf, Offset, sleep } from '../kit/index.ts'
import type { MirrorEvent } from './events.ts'
import { type Identities, stopStrangers } from './identities.ts'
import type { Lane } from './lane.ts'
import { groundLost } from './lane-errors.ts'
import { readBack } from './read-back.ts'
import type { ProducerIds } from './state.ts'

export type SettleOptions = During<MirrorEvent> & {
  target: Cluster
  ids: ProducerIds
  /** Topics on the target, as they were when the mirror made them. */
  targets: Identities
}

const AGAIN_MS = 200
/** A broker that does not answer must not hold up those that do: what it leads waits for the next round. */
const LOOK_UP = { timeoutMs: 5_000, withinMs: 20_000 }
const ASK = { timeoutMs: 5_000, withinMs: 2_000, refused: () => {} }
const SCANS_AT_ONCE = 4

/**
 * Ends the doubt of lanes: asks the leader for its epoch and log end, waits until the high watermark is there, reads
 * back what was not checked yet, and only then lets the lane go on at the end. Lanes that can't be settled yet (no
 * leader, high watermark behind) are left in doubt for the next round. Source: MIRROR.md 5.4.
 */
export const settle = async (lanes: readonly Lane[], o: SettleOptions): Promise<void> => {
  const { target, targets, signal } = o
  const topics = [...new Set(lanes.map(lane => lane.topic))]
  for (const found of await target.metadata(topics, { ...LOOK_UP, signal }))
    stopStrangers(targets, lanes, found.name, found)
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
    { ...ASK, signal },
  )
  const offsets = (timestamp: bigint) =>
    target.listOffsets(
      asked.map(({ lane: { topic, partition } }) => ({ topic, partition, timestamp })),
      { ...ASK, signal },
    )
  const [anchors, marks, starts] = await Promise.all([
    target.epochEnds(
      asked.map(({ lane: { topic, partition, anchor } }) => ({
        topic,
        partition,
        leaderEpoch: anchor.epoch,
      })),
      { ...ASK, signal },
    ),
    offsets(LATEST),
    offsets(EARLIEST),
  ])
  const scans = asked.flatMap(({ lane, epoch }) => {
    const end = ends.get(lane.where)
    const mark = marks.get(lane.where)
    const held = anchors.get(lane.where)
    const first = starts.get(lane.where)?.offset
    if (end?.kind !== 'end' || end.endOffset !== mark?.offset) return []
    if (!held || held.kind === 'error' || first === undefined) return []
    const to = Offset(end.endOffset)
    const safe = safeOf(lane, held)
    const ground = lane.ground?.target ?? safe
    if (to < ground || safe < ground) {
      lane.stop(groundLost(lane, { from: to < safe ? to : safe, to: ground }))
      return []
    }
    if (to < lane.place.target) truncated(lane, to, o)
    return [{ lane, epoch, from: safe < to ? safe : to, to, first }]
  })
  const checks = inFlight(
    scans,
    SCANS_AT_ONCE,
    async ({ lane, epoch, from, to, first }, signal) => {
      try {
        const start =
          from === lane.anchor.offset ? lane.anchor : { offset: from, ordinal: lane.map.ordinalAt(from) }
        const found = await readBack({ target, lane, ids: o.ids, from: start, to, first, signal })
        if (found instanceof KmigError) lane.stop(found)
        else lane.settled(found, epoch)
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

/**
 * Up to where the log is known to hold what was checked. An epoch that the leader does not know says nothing; what others
 * wrote can't be checked again.
 */
const safeOf = ({ anchor, ground }: Lane, held: EpochEnd): Offset => {
  if (held.kind === 'end') return held.endOffset < anchor.offset ? Offset(held.endOffset) : anchor.offset
  return anchor.epoch < 0 ? anchor.offset : (ground?.target ?? Offset(0n))
}

/** Padding is deleted before records follow, and again when a broker's crash has brought it back. Source: MIRROR.md 6. */
export const trim = async (lanes: readonly Lane[], { target, on, signal }: SettleOptions): Promise<void> => {
  const asks = lanes.map(({ topic, partition }) => ({ topic, partition, timestamp: EARLIEST }))
  const before = await target.listOffsets(asks, { ...ASK, signal })
  const padded = lanes.filter(lane => {
    const at = before.get(lane.where)
    return at !== undefined && at.offset < lane.targetStart
  })
  if (padded.length > 0) {
    await target.deleteRecords(
      padded.map(({ topic, partition, targetStart }) => ({ topic, partition, offset: targetStart })),
      { ...ASK, signal },
    )
  }
  const after = padded.length > 0 ? await target.listOffsets(asks, { ...ASK, signal }) : before
  for (const lane of lanes) {
    const at = after.get(lane.where)
    if (at === undefined || at.offset < lane.targetStart) continue
    if (at.offset > lane.targetStart)
      on?.({
        kind: 'warning',
        where: lane.where,
        text: `the target starts at ${at.offset}, the copy at ${lane.targetStart}: records were deleted on the target`,
      })
    lane.trimmed()
  }
  if (lanes.some(lane => lane.phase.at === 'trimming')) await sleep(AGAIN_MS, signal)
}

const truncated = (lane: Lane, end: Offset, { on }: SettleOptions): void => {
  const lost = new KmigError(
    'TARGET_TRUNCATED',
    `${lane.where}: the target ends at ${end} but had acknowledged up to ${lane.place.target}; offsets ${end} to ${lane.place.target - 1n} are copied again`,
  )
  on?.({ kind: 'warning', where: lane.where, text: lost.message })
}
