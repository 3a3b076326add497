import { type Cluster, EARLIEST, LATEST } from '../kafka/index.ts'
import { type During, KmigError, Offset } from '../kit/index.ts'
import type { MirrorEvent } from './events.ts'
import { type AcceptedGaps, accepts, type LostGap } from './gaps.ts'
import type { Lane } from './lane.ts'
import { copyAnew } from './lane-errors.ts'

const ASK = { timeoutMs: 5_000, withinMs: 2_000 }

export type RangeOptions = During<MirrorEvent> & {
  acceptedGaps: AcceptedGaps
  /** Keeps what was lost and accepted, before the lane goes on without it. */
  persistGap(lane: Lane, gap: LostGap, signal: AbortSignal): Promise<void>
}

/**
 * The source refused offsets as out of range: its log has moved past them, or ends before them. Where only padding was
 * written yet the copy simply begins later; else records are gone, and the lane stops with their range, unless the
 * operator has accepted that: then they are a hole. (The broker's refusal itself tells neither end of the log.)
 */
export const judgeRange = async (lanes: readonly Lane[], source: Cluster, o: RangeOptions): Promise<void> => {
  const { signal } = o
  const ask = (timestamp: bigint) =>
    source.listOffsets(
      lanes.map(({ topic, partition }) => ({ topic, partition, timestamp })),
      { ...ASK, signal, refused: () => {} },
    )
  const [starts, ends] = [await ask(EARLIEST), await ask(LATEST)]
  for (const lane of lanes) {
    const start = starts.get(lane.where)?.offset
    const end = ends.get(lane.where)?.offset
    if (lane.phase.at !== 'out-of-range') continue
    if (start === undefined || end === undefined) {
      lane.inRange() // whoever leads it now says so itself
      continue
    }
    lane.sourceEpochs.forget() // the leader may not know the epoch any more, and refuse the offset for that
    if (start > lane.wanted && lane.holdsOnlyPadding) lane.startMoves(Offset(start))
    else if (start > lane.wanted && accepts(o.acceptedGaps, lane.where, start))
      await passGap(lane, { from: lane.wanted, to: Offset(start) }, o)
    else if (start > lane.wanted) lane.stop(lost(lane, start))
    else if (end < lane.wanted) lane.stop(truncatedAtSource(lane, end))
    else lane.inRange()
  }
}

/** The source's log was cut back behind what was copied, by an unclean election: both sides are another from there. */
export const truncatedAtSource = (lane: Lane, from: bigint): KmigError => {
  const { where, topic, wanted } = lane
  return new KmigError(
    'SOURCE_TRUNCATED',
    `${where}: the source lost offsets ${from} to ${wanted - 1n} after they were copied (an unclean election there); the target holds them, and what the source has in their place is not copied`,
    {
      try: [
        'decide which of the two is right: the target has what consumers may have read before the election',
        `to keep the source's: ${copyAnew(lane)}`,
        ...(lane.back ? [] : [`to keep the target's: --exclude ${topic}`]),
      ],
    },
  )
}

/** What was lost is kept, and then a hole like any other: filled where offsets are identical, passed elsewhere. */
const passGap = async (lane: Lane, gap: LostGap, { persistGap, on, signal }: RangeOptions): Promise<void> => {
  await persistGap(lane, gap, signal)
  if (lane.phase.at !== 'out-of-range') return
  lane.gaps.push(gap)
  lane.inRange()
  const { from, to } = gap
  lane.offer([{ kind: 'hole', from, to, why: 'lost' }], { next: to, ordinal: lane.wantedOrdinal })
  const text = `${rangeText(gap)} were deleted on the source before they were copied; accepted, and kept as a gap`
  on?.({ kind: 'warning', where: lane.where, text })
}

const rangeText = ({ from, to }: { from: bigint; to: bigint }): string => `offsets ${from} to ${to - 1n}`

const lost = (lane: Lane, start: bigint): KmigError => {
  const { where, wanted } = lane
  const what = `${rangeText({ from: wanted, to: start })} were deleted on the source before they were copied`
  return new KmigError('SOURCE_LOST', `${where}: ${what}`, {
    try: [
      'check retention.ms and retention.bytes of the topic on the source against the lag of the mirror',
      `to go on without them: --accept-gap ${where}:${start}`,
      copyAnew(lane),
    ],
  })
}
