import { type BatchHeader, type Cluster, headers } from '../kafka/index.ts'
import { type KmigError, Offset } from '../kit/index.ts'
import { fetchAt } from './fetch-at.ts'
import type { Lane } from './lane.ts'
import { strangeWrite } from './lane-errors.ts'
import type { Settled } from './lane-shape.ts'
import type { ProducerIds } from './state.ts'
import { Trail } from './trail.ts'

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
  for (let at = o.from; at < to; ) {
    const how = { purpose: 'read-back', what: 'reading back', signal }
    const part = await fetchAt(target, { topic, partition, at, ...how })
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
