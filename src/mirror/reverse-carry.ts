import {
  brokerError,
  type Cluster,
  Fetch,
  headers,
  ISOLATION,
  type Piece,
  Produce,
  partitionOf,
  type ResponseOf,
  recode,
  sequenceOf,
} from '../kafka/index.ts'
import { bug, type During, KmigError, Offset } from '../kit/index.ts'
import { logEndsOf } from './log-ends.ts'
import { newProducerId } from './prepare.ts'
import { headersIn } from './read-back.ts'
import type { Stranded } from './reverse-shape.ts'
import type { ReverseState } from './reverse-state.ts'
import { findStrays, without } from './reverse-strays.ts'
import { type ProducerIds, producerIdsOf } from './state.ts'

/** More is no straggler. */
const MOST_BYTES = 64 << 20
const PART_BYTES = 4 << 20
const TIMEOUT_MS = 30_000
const RECODE = { passFrom: { plain: 12 << 10, packed: 4 << 10 }, mergeTo: 256 << 10 }
const NOTHING = Buffer.alloc(0)

export type CarryOptions = During & {
  /** The new cluster. */
  source: Cluster
  /** The old one. */
  target: Cluster
  state: ReverseState
}

/**
 * Copies what is stranded on the old cluster to the end of the new one, once: who writes it and after which offset is
 * remembered first, so that a crash is followed by what lacks only. The way back leaves these records out, and what it
 * writes stands around them. Nobody may write to the old cluster any more. Throws PREFLIGHT where that is too much.
 */
export const carryStranded = async (o: CarryOptions): Promise<void> => {
  const { target, state, signal } = o
  const identity = state.mirror.identity
  const ids: ProducerIds = identity ? producerIdsOf(identity) : { data: new Set(), control: new Set() }
  for (const [where, known] of Map.groupBy(state.stranded, each => each.where)) {
    const from = state.cut.get(where)?.old
    if (from === undefined) continue
    const begun = known.filter(({ carry }) => carry)
    const found = await findStrays({ target, where, ids, from, signal })
    const more = without(found, begun).map(range => ({ ...range, where, carried: false }))
    const all: Stranded[] = [...begun, ...more].sort((a, b) => (a.from < b.from ? -1 : 1))
    for (const range of all) {
      if (range.carried) continue
      await carry(range, all, o)
    }
  }
}

const carry = async (range: Stranded, all: readonly Stranded[], o: CarryOptions): Promise<void> => {
  const { source, state, signal } = o
  const { where } = range
  const keep = () => state.setStranded(where, all, { signal })
  const pieces = await strandedPieces(range, o, async () => {
    if (range.carry) return range.carry
    const from = (await logEndsOf(source, [where], { signal })).get(where)?.leo ?? Offset(0n)
    const { producerId, producerEpoch: epoch } = await newProducerId(source, { signal })
    range.carry = { producerId, epoch, from }
    await keep()
    return range.carry
  })
  const { carry: by } = range
  if (!by) throw bug(`${where}: nobody carries`)
  await source.retrying({ signal }, async () => {
    let there = (await landed(range, o)).records
    for (const piece of pieces) {
      if (piece.ordinal + BigInt(piece.count) <= there) continue
      if (piece.ordinal < there) throw bug(`${where}: ${there} records were carried, within a batch`)
      await put(source, where, piece, { signal })
      there = piece.ordinal + BigInt(piece.count)
    }
  })
  range.carry = { ...by, to: (await landed(range, o)).end }
  range.carried = true
  await keep()
}

/** What the new cluster has of a range, and where that ends. */
const landed = async (
  { where, carry: by }: Stranded,
  { source, signal }: CarryOptions,
): Promise<{ records: bigint; end: Offset }> => {
  if (!by) throw bug(`${where}: nobody carries`)
  const to = (await logEndsOf(source, [where], { signal })).get(where)?.leo ?? by.from
  let [records, end] = [0n, by.from]
  for await (const header of headersIn({
    target: source,
    ...partitionOf(where),
    from: by.from,
    to,
    signal,
  })) {
    if (header.producerId !== by.producerId) continue
    records += BigInt(header.count)
    end = Offset(header.lastOffset + 1n)
  }
  return { records, end }
}

type Part = ResponseOf<typeof Fetch>['topics'][number]['partitions'][number]

/** Batches for the new cluster of what is committed in a range; the same ones each time. */
const strandedPieces = async (
  { where, from, to }: Stranded,
  { target, signal }: CarryOptions,
  whose: () => Promise<{ producerId: bigint; epoch: number }>,
): Promise<Piece[]> => {
  const sets: Buffer[] = []
  const aborted: NonNullable<Part['abortedTransactions']>[number][] = []
  let bytes = 0
  for (let at = from; at < to; ) {
    const part = await fetchAt(target, where, at, { signal })
    if (part.lastStableOffset >= 0n && part.lastStableOffset < to) {
      const what = `${where}: a transaction is open on the old cluster at offset ${part.lastStableOffset}, among what is stranded`
      throw new KmigError('PREFLIGHT', what, { try: ['wait until it is ended, or abort it'] })
    }
    aborted.push(...(part.abortedTransactions ?? []))
    const set = part.records ?? NOTHING
    let end = at
    for (const { at: place, header } of headers(set)) {
      if (header.baseOffset >= to) break
      if (header.lastOffset < at) continue
      sets.push(set.subarray(place, place + header.size))
      bytes += header.size
      end = Offset(header.lastOffset + 1n)
    }
    if (bytes > MOST_BYTES) {
      const what = `${where}: more than ${MOST_BYTES} bytes are stranded on the old cluster, offsets ${from} to ${to - 1n}`
      throw new KmigError('PREFLIGHT', what, { try: ['copy the topic anew: see docs/way-back.md'] })
    }
    at = end
  }
  const { producerId, epoch } = await whose()
  const stamp = (ordinal: bigint) => ({
    producerId,
    producerEpoch: epoch,
    baseSequence: sequenceOf(ordinal),
  })
  const how = { ...RECODE, where, from, ordinal: 0n, stamp, holes: 'squeeze' as const, aborted }
  const { items, stop } = recode(Buffer.concat(sets), how)
  if (stop) throw stop
  return items.filter(item => item.kind === 'piece')
}

const fetchAt = async (target: Cluster, where: string, at: Offset, { signal }: During): Promise<Part> =>
  await target.retrying({ signal }, async attempt => {
    const { topic, partition } = partitionOf(where)
    const connection = await leaderOf(target, where, attempt, { signal })
    const partitions = [{ partition, fetchOffset: at, partitionMaxBytes: PART_BYTES }]
    const request = {
      ...{ maxWaitMs: 500, minBytes: 1, maxBytes: PART_BYTES, isolationLevel: ISOLATION.readCommitted },
      topics: [{ topic, partitions }],
    }
    const answer = await connection.send(Fetch, request, { timeoutMs: TIMEOUT_MS, signal })
    const part = answer.topics[0]?.partitions[0]
    if (part?.errorCode !== 0) throw brokerError(part?.errorCode ?? -1, `reading ${where} offset ${at}`)
    return part
  })

const put = async (source: Cluster, where: string, { bytes }: Piece, { signal }: During): Promise<void> => {
  const { topic, partition } = partitionOf(where)
  const connection = await leaderOf(source, where, 1, { signal })
  const topics = [{ topic, partitions: [{ partition, records: bytes }] }]
  const request = { acks: -1, timeoutMs: TIMEOUT_MS, topics }
  const answer = await connection.send(Produce, request, { timeoutMs: TIMEOUT_MS + 5_000, signal })
  const part = answer.topics[0]?.partitions[0]
  if (part?.errorCode !== 0) {
    const needs = `Write on topic ${topic}`
    throw brokerError(
      part?.errorCode ?? -1,
      `carrying records of ${where}`,
      part?.errorMessage ?? null,
      needs,
    )
  }
}

const leaderOf = async (cluster: Cluster, where: string, attempt: number, { signal }: During) => {
  const { topic, partition } = partitionOf(where)
  if (attempt > 0 || !cluster.leaderOf(topic, partition)) await cluster.metadata([topic], { signal })
  const leader = cluster.leaderOf(topic, partition)
  if (!leader) throw new KmigError('UNREACHABLE', `${where} has no leader`)
  return await cluster.connection(leader.nodeId, 'carry', signal)
}
