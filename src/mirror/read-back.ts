import { type BatchHeader, type Cluster, Fetch, headers, kafkaError, partitionKey } from '../kafka/index.ts'
import { KmigError, Offset } from '../kit/index.ts'
import type { Lane } from './lane.ts'
import { strangeWrite } from './lane-errors.ts'
import type { Settled } from './lane-shape.ts'
import type { ProducerIds } from './state.ts'
import { Trail } from './trail.ts'

const PART_BYTES = 4 << 20
const TIMEOUT_MS = 30_000
const NOTHING = Buffer.alloc(0)

export type ReadHeaders = {
  target: Cluster
  topic: string
  partition: number
  from: Offset
  to: Offset
  signal: AbortSignal
}

/** Every batch header of a target partition that has offsets in [from, to). Throws UNREACHABLE. */
export async function* headersIn(o: ReadHeaders): AsyncGenerator<BatchHeader, void> {
  const { target, topic, partition, to, signal } = o
  const where = partitionKey(topic, partition)
  for (let at = o.from; at < to; ) {
    const leader = target.leaderOf(topic, partition)
    if (!leader) throw new KmigError('UNREACHABLE', `${where} has no leader on the target`)
    const connection = await target.connection(leader.nodeId, 'read-back', signal)
    const partitions = [{ partition, fetchOffset: at, partitionMaxBytes: PART_BYTES }]
    const answer = await connection.send(
      Fetch,
      {
        maxWaitMs: 500,
        minBytes: 1,
        maxBytes: PART_BYTES,
        isolationLevel: 0,
        topics: [{ topic, partitions }],
      },
      { timeoutMs: TIMEOUT_MS, signal },
    )
    const part = answer.topics[0]?.partitions[0]
    if (part?.errorCode !== 0) {
      const { name } = kafkaError(part?.errorCode ?? -1)
      throw new KmigError('UNREACHABLE', `reading ${where} offset ${at} back: ${name}`)
    }
    for (const { header } of headers(part.records ?? NOTHING)) {
      if (header.lastOffset < at) continue
      yield header
      at = Offset(header.lastOffset + 1n)
    }
  }
}

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
  const { topic, partition } = lane
  for await (const header of headersIn({ target, topic, partition, from: begin, to, signal })) {
    const wrong = trail.follow(header)
    if (wrong !== undefined) return strangeWrite(lane, `${wrong}; this mirror did not write that there`)
  }
  return trail.found
}
