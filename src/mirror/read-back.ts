import {
  ATTRIBUTE,
  type BatchHeader,
  type Cluster,
  Fetch,
  headers,
  kafkaError,
  sequenceOf,
} from '../kafka/index.ts'
import { KmigError, Offset } from '../kit/index.ts'
import type { Lane } from './lane.ts'

const PART_BYTES = 4 << 20
const TIMEOUT_MS = 30_000
const NOTHING = Buffer.alloc(0)

export type ReadBack = {
  target: Cluster
  lane: Lane
  /** Ids of the mirror's data producers. */
  producers: ReadonlySet<bigint>
  from: Offset
  to: Offset
  /** The target's log start: padding that was deleted is not read back, and was written before any record. */
  first: bigint
  signal: AbortSignal
}

/**
 * Reads every batch header of a target partition in [from, to): data only from our producer, each sequence the one that
 * belongs to its offset. The last header alone would look perfect after a stray repeat had shifted everything.
 * Returns the first violation. Source: MIRROR.md 5.4.
 */
export const readBack = async ({
  target,
  lane,
  producers,
  from,
  to,
  first,
  signal,
}: ReadBack): Promise<KmigError | undefined> => {
  let at = first > from ? Offset(first) : from
  while (at < to) {
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
            partitions: [{ partition: lane.partition, fetchOffset: at, partitionMaxBytes: PART_BYTES }],
          },
        ],
      },
      { timeoutMs: TIMEOUT_MS, signal },
    )
    const part = answer.topics[0]?.partitions[0]
    if (part?.errorCode !== 0) {
      throw new KmigError(
        'UNREACHABLE',
        `reading ${lane.where} offset ${at} back: ${kafkaError(part?.errorCode ?? -1).name}`,
      )
    }
    for (const { header } of headers(part.records ?? NOTHING)) {
      if (header.lastOffset < at) continue
      if (header.baseOffset > at)
        return foreign(lane, `nothing stands at offsets ${at} to ${header.baseOffset - 1n}`)
      const wrong = violation(lane, header, producers)
      if (wrong) return wrong
      at = Offset(header.lastOffset + 1n)
    }
  }
  return undefined
}

const violation = (
  lane: Lane,
  header: BatchHeader,
  producers: ReadonlySet<bigint>,
): KmigError | undefined => {
  const { baseOffset, lastOffset, producerId, baseSequence, attributes } = header
  if (attributes & ATTRIBUTE.control || !producers.has(producerId)) {
    return foreign(
      lane,
      `offsets ${baseOffset} to ${lastOffset} come from ${producerId < 0n ? 'a producer without id' : `producer ${producerId}`}`,
    )
  }
  const expected = sequenceOf(baseOffset)
  if (baseSequence === expected) return undefined
  return foreign(
    lane,
    `the batch at offset ${baseOffset} has sequence ${baseSequence}, it was made for ${expected}: a stray repeat`,
  )
}

const foreign = (lane: Lane, what: string): KmigError =>
  new KmigError(
    'FOREIGN_WRITE',
    `${lane.where} on the target: ${what}; this mirror did not write that there`,
    {
      try: [
        'find the writer and stop it',
        `delete topic ${lane.topic} on the target and start the mirror again: it is copied anew`,
      ],
    },
  )
