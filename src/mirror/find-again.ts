import { ATTRIBUTE, type Cluster, EARLIEST, headers, LATEST, partitionKey } from '../kafka/index.ts'
import { type During, inFlight, isKmigError, KmigError, Offset } from '../kit/index.ts'
import { OffsetMap, StateTopic } from '../offsets/index.ts'
import { type Chain, ChainScan } from './chain.ts'
import { type EpochStart, SourceEpochs } from './epochs.ts'
import type { MirrorEvent } from './events.ts'
import { fetchAt } from './fetch-at.ts'
import type { TopicPlan } from './plan.ts'
import { newProducerId } from './prepare.ts'
import { headersIn } from './read-back.ts'
import { unlikeSource } from './same-records.ts'
import { type Identity, MirrorState, type TopicState } from './state.ts'
import { refusedBy } from './verdict.ts'

const SCANS_AT_ONCE = 4
const PURPOSE = 'read-back'

type FindOptions = During<MirrorEvent> & { source: Cluster; target: Cluster }

/** How far back data is looked for: the last offsets may be of control records. */
const BACK = [1n, 1_000n, 100_000n]

/** Who wrote data near a partition's end; undefined if there is none. */
const lastWriter = async (
  target: Cluster,
  {
    topic,
    partition,
    start,
    end,
    signal,
  }: During & { topic: string; partition: number; start: bigint; end: bigint },
): Promise<bigint | undefined> => {
  for (const at of [...BACK.map(back => end - back).filter(offset => offset > start), start]) {
    const how = { at: Offset(at), purpose: PURPOSE, what: 'reading back', signal }
    const part = await fetchAt(target, { topic, partition, ...how })
    const found = [...headers(part.records ?? Buffer.alloc(0))].map(({ header }) => header)
    const data = found.findLast(({ attributes }) => !(attributes & ATTRIBUTE.control))
    if (data) return data.producerId
  }
  return undefined
}

/** Producers of other mirrors that keep their state on the target; undefined if that can't be told of one. */
const othersOf = async (target: Cluster, name: string, during: During): Promise<Set<bigint> | undefined> => {
  const ids = new Set<bigint>()
  for (const { name: topic } of await target.metadata('all', during)) {
    if (!topic.startsWith('__kmig.') || topic === `__kmig.${name}`) continue
    try {
      const state = await StateTopic.read(target, topic.slice('__kmig.'.length), during)
      const identity = state && new MirrorState(state).identity
      if (identity) ids.add(identity.producerId)
    } catch (e) {
      if (isKmigError(e, 'STATE_DAMAGED', 'AUTHORIZATION')) return undefined
      throw e
    }
  }
  return ids
}

/**
 * Topics that the target has with records, and the mirror knows nothing of: where all their last batches were written by
 * one producer, and no other mirror's, they may be this mirror's copies whose state is gone (`recover`). Whether they are
 * is found out at the start, by all that they hold. Source: RELIABILITY.md F29.
 */
export const suspectCopies = async (
  topics: readonly TopicPlan[],
  {
    target,
    name,
    state,
    signal,
  }: Omit<FindOptions, 'source'> & { name: string; state: MirrorState | undefined },
): Promise<void> => {
  const unknown = topics.filter(
    ({ topic, code, targetId }) => code === 'TARGET_NOT_EMPTY' && targetId && !state?.topic(topic),
  )
  if (unknown.length === 0 || state?.cutover) return
  const there = await target.metadata(
    unknown.map(({ topic }) => topic),
    { signal },
  )
  const counts = new Map(there.map(({ name: topic, partitions }) => [topic, partitions.length]))
  // no copy of ours has another number of partitions
  const strange = unknown.filter(({ topic, partitions }) => counts.get(topic) === partitions.length)
  const others = await othersOf(target, name, { signal })
  if (!others) return
  const asks = strange.flatMap(({ topic, partitions }) =>
    partitions.map(({ partition }) => ({ topic, partition, timestamp: EARLIEST })),
  )
  const starts = await target.listOffsets(asks, { signal })
  for (const plan of strange) {
    const full = plan.partitions.flatMap(({ partition, copied: end = 0n }) => {
      const start = starts.get(partitionKey(plan.topic, partition))?.offset ?? 0n
      return end > start ? [{ partition, start, end }] : []
    })
    const writers = new Set<bigint>()
    for (const { partition, start, end } of full) {
      const writer = await lastWriter(target, { topic: plan.topic, partition, start, end, signal })
      if (writer !== undefined) writers.add(writer)
    }
    const [writer] = writers
    const known = state?.identity?.producerId ?? writer
    // a log that was padded and holds no record yet is nobody's loss
    const ours =
      writer === undefined ? full.length === 0 : writer >= 0n && writer === known && !others.has(writer)
    if (writers.size > 1 || !ours) continue
    plan.action = 'recover'
    plan.why = `what this mirror knew of it is gone; it goes on if all that the target holds turns out to be its copy`
    delete plan.code
    delete plan.try
  }
}

type Whole = (Chain & { partition: number; sourceEpochs: readonly EpochStart[] })[]

/** Reads a topic of the target from end to end, and compares it with the source. Throws TARGET_NOT_EMPTY where that fits not. */
const readWhole = async (plan: TopicPlan, { source, target, signal }: FindOptions): Promise<Whole> => {
  const { topic, partitions, compacts = false } = plan
  const asks = (timestamp: bigint) => partitions.map(({ partition }) => ({ topic, partition, timestamp }))
  await source.metadata([topic], { signal })
  const [starts, ends] = [
    await target.listOffsets(asks(EARLIEST), { signal }),
    await target.listOffsets(asks(LATEST), { signal }),
  ]
  const chains: Whole = []
  const scan = async ({ partition, start, end }: TopicPlan['partitions'][number], during: AbortSignal) => {
    const where = partitionKey(topic, partition)
    const [from, to] = [starts, ends].map(all => Offset(all.get(where)?.offset ?? 0n))
    const chain = new ChainScan(from ?? Offset(0n))
    const wrong = (why: string) => notFound(topic, `partition ${partition}: ${why}`)
    const range = { from: chain.at, to: to ?? Offset(0n), signal: during }
    for await (const header of headersIn({ target, topic, partition, ...range })) {
      const odd = chain.follow(header)
      if (odd !== undefined) throw wrong(odd)
    }
    const { found } = chain
    if (found.padded > start)
      throw wrong(`it begins with padding up to ${found.padded}, the source at ${start}`)
    if (found.end > end && found.end > found.padded)
      throw wrong(`it ends at ${found.end}, the source at ${end}`)
    const epochs = new SourceEpochs()
    const how = { source, target, where, compacts, starts: start, epochs, signal: during }
    const odd = await unlikeSource(found, how)
    if (odd !== undefined) throw wrong(odd)
    return { ...found, partition, sourceEpochs: epochs.unkept()?.starts ?? [] }
  }
  for await (const chain of inFlight(partitions, SCANS_AT_ONCE, scan, signal)) chains.push(chain)
  return chains
}

const notFound = (topic: string, why: string): KmigError =>
  new KmigError(
    'TARGET_NOT_EMPTY',
    `what this mirror knew of it is gone from the target, and its copy can’t be told to be exact from what it holds: ${why}`,
    {
      try: [
        `delete topic ${topic} on the target: it is copied anew`,
        `or, to keep what is there as it is, leave it out: --exclude ${topic}`,
      ],
    },
  )

const startOf = ({ first, padded, end }: Chain, sourceStart: Offset): Offset => {
  if (first > 0n) return first
  if (padded > 0n) return end > padded ? padded : sourceStart
  return end > 0n ? Offset(0n) : sourceStart
}

/**
 * Finds copies again whose state is gone, from what the target holds: who wrote it, where it begins and where its holes
 * are, and keeps that as the state was. Those that are no exact copies are refused by name. Changes the plan of topics.
 */
export const findAgain = async (
  topics: readonly TopicPlan[],
  { state, ...o }: FindOptions & { state: MirrorState },
): Promise<void> => {
  const { source, target, signal, on } = o
  for (const plan of topics.filter(({ action }) => action === 'recover')) {
    const { topic } = plan
    try {
      const chains = await readWhole(plan, o)
      const writer = chains.find(({ producer }) => producer)?.producer
      const identity = writer && (await identityFor(chains, writer, { source, target, state, signal }))
      const strange = chains.find(({ producer }) => producer && producer.id !== identity?.producerId)
      if (strange)
        throw notFound(
          topic,
          `producer ${strange?.producer?.id} wrote it, not this mirror's, ${identity?.producerId}`,
        )
      if (identity) await state.setIdentity(identity, { signal })
      await keep(plan, chains, { state, signal })
      plan.action = 'resume'
      plan.why = undefined
      const ends = chains.reduce((sum, { end }) => sum + end, 0n)
      const text = `what was known of it was gone; its copy was read from end to end (${ends} offsets) and goes on where it ends`
      on?.({ kind: 'warning', where: topic, text })
    } catch (e) {
      if (!isKmigError(e, 'TARGET_NOT_EMPTY', 'CORRUPT_BATCH')) throw e
      Object.assign(plan, refusedBy(e))
    }
  }
}

/** The mirror as its own writing shows it: strays of control records of before are shut out by a higher epoch. */
const identityFor = async (
  chains: readonly Chain[],
  { id, epoch }: { id: bigint; epoch: number },
  { source, target, state, signal }: FindOptions & { state: MirrorState },
): Promise<Identity> => {
  const control = new Map(chains.flatMap(chain => [...chain.control]))
  const known = state.identity
  if (known) {
    const former = [...new Set([...known.formerControlIds, ...control.keys()])]
    return { ...known, formerControlIds: former.filter(each => each !== known.controlProducerId) }
  }
  const [last] = [...control.keys()].toSorted((a, b) => (a < b ? 1 : -1))
  return {
    schema: 1,
    sourceClusterId: source.clusterId,
    targetClusterId: target.clusterId,
    producerId: id,
    producerEpoch: epoch,
    formerDataIds: [],
    controlProducerId: last ?? (await newProducerId(target, { signal })).producerId,
    controlProducerEpoch: last === undefined ? 0 : Math.max(...[...control.values()]) + 1,
    formerControlIds: [...control.keys()].filter(each => each !== last),
  }
}

const keep = async (
  { topic, sourceId, targetId = '', partitions, compacts = false, configs: { final, held } }: TopicPlan,
  chains: Whole,
  { state, signal }: During & { state: MirrorState },
): Promise<void> => {
  const byPartition = new Map(chains.map(chain => [chain.partition, chain]))
  const starts = partitions.map(({ partition, start }) => {
    const chain = byPartition.get(partition)
    return chain ? startOf(chain, start) : start
  })
  const maps = chains.flatMap(({ partition, holes }) => {
    if (holes.length === 0) return []
    const map = new OffsetMap({ translated: false, start: starts[partition] ?? Offset(0n) })
    for (const hole of holes) map.gap(hole)
    return [{ where: partitionKey(topic, partition), map, why: '' }]
  })
  await state.forget(new Set([topic]), { signal })
  await state.setMaps(maps, { signal })
  const now: TopicState = { sourceId, targetId, starts, translated: [], compacts, final, held }
  await state.setFound(topic, now, chains, { signal })
}
