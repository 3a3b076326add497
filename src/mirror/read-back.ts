import { type Cluster, Fetch, headers, kafkaError } from '../kafka/index.ts'
import { KmigError, Offset } from '../kit/index.ts'
import type { Lane } from './lane.ts'
import { strangeWrite } from './lane-errors.ts'
import type { Settled } from './lane-shape.ts'
import type { ProducerIds } from './state.ts'
import { Trail } from './trail.ts'

const PART_BYTES = 4 << 20
const TIMEOUT_MS = 30_000
const NOTHING = Buffer.alloc(0)

export type ReadBack = {
  target: Cluster
  lane: Lane
  ids: ProducerIds
  from: { offset: Offset; ordinal: bigint }
  to: Offset
  /** The target's log start: padding that was deleted is not read back, and was written before any record. */
  first: bigint
  signal: AbortSignal
}

/**
 * Reads every batch header of a target partition in [from, to): data only from our producer, each sequence the one that
 * belongs to its ordinal, at the offset that the map says; control records only from ours, where the map has a hole. A
 * control record too many shifts all that follows: that is no violation, but gives a shift. The last header alone would
 * look perfect after a stray repeat had shifted everything. Source: MIRROR.md 5.4.
 */
export const readBack = async (o: ReadBack): Promise<Settled | KmigError> => {
  const { target, lane, from, to, first, signal } = o
  const begin = first > from.offset ? Offset(first) : from.offset
  const ordinal = begin === from.offset ? from.ordinal : lane.map.ordinalAt(begin)
  const trail = new Trail(lane, o.ids, { end: begin, ordinal })
  while (trail.at < to) {
    const leader = target.leaderOf(lane.topic, lane.partition)
    if (!leader) throw new KmigError('UNREACHABLE', `${lane.where} has no leader on the target`)
    const connection = await target.connection(leader.nodeId, 'read-back', signal)
    const answer = await connection.send(
      Fetch,
      {
        maxWaitMs: 500,
        minBytes: 1,
        maxBytes: PART_BYTES,
        isolationLevel: 0,
        topics: [
          {
            topic: lane.topic,
            partitions: [{ partition: lane.partition, fetchOffset: trail.at, partitionMaxBytes: PART_BYTES }],
          },
        ],
      },
      { timeoutMs: TIMEOUT_MS, signal },
    )
    const part = answer.topics[0]?.partitions[0]
    if (part?.errorCode !== 0) {
      throw new KmigError(
        'UNREACHABLE',
        `reading ${lane.where} offset ${trail.at} back: ${kafkaError(part?.errorCode ?? -1).name}`,
      )
    }
    for (const { header } of headers(part.records ?? NOTHING)) {
      if (header.lastOffset < trail.at) continue
      const wrong = trail.follow(header)
      if (wrong !== undefined) return strangeWrite(lane, `${wrong}; this mirror did not write that there`)
    }
  }
  return trail.found
}
