import { type Cluster, EARLIEST, LATEST } from '../kafka/index.ts'
import { type During, KmigError, Offset } from '../kit/index.ts'
import type { Lane } from './lane.ts'

const ASK = { timeoutMs: 5_000, withinMs: 2_000 }

/**
 * The source refused offsets as out of range: its log has moved past them, or ends before them. Where only padding was
 * written yet the copy simply begins later; else records are gone, and the lane stops with their range. (The broker's
 * refusal itself tells neither end of the log.)
 */
export const judgeRange = async (
  lanes: readonly Lane[],
  source: Cluster,
  { signal }: During,
): Promise<void> => {
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
    else if (start > lane.wanted)
      lane.stop(
        lost(
          lane,
          `offsets ${lane.wanted} to ${start - 1n} were deleted on the source before they were copied`,
        ),
      )
    else if (end < lane.wanted) lane.stop(truncatedAtSource(lane, end))
    else lane.inRange()
  }
}

/** The source's log was cut back behind what was copied, by an unclean election: both sides are another from there. */
export const truncatedAtSource = ({ where, topic, wanted }: Lane, from: bigint): KmigError =>
  new KmigError(
    'SOURCE_TRUNCATED',
    `${where}: the source lost offsets ${from} to ${wanted - 1n} after they were copied (an unclean election there); the target holds them, and what the source has in their place is not copied`,
    {
      try: [
        'decide which of the two is right: the target has what consumers may have read before the election',
        `to keep the source's: delete topic ${topic} on the target and start the mirror again; to keep the target's: --exclude ${topic}`,
      ],
    },
  )

const lost = ({ where, topic }: Lane, what: string): KmigError =>
  new KmigError('SOURCE_LOST', `${where}: ${what}`, {
    try: [
      'check retention.ms and retention.bytes of the topic on the source against the lag of the mirror',
      `to copy what is left, delete topic ${topic} on the target and start the mirror again`,
    ],
  })
