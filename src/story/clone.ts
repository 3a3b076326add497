import { type ConfigPlan, planConfigs, type TopicConfig } from '../inventory/index.ts'
import {
  type Cluster,
  commitOffsets,
  createTopics,
  deleteTopics,
  describeTopicConfigs,
  EARLIEST,
  groupOffsets,
  LATEST,
  listGroups,
  partitionKey,
  type TopicMetadata,
} from '../kafka/index.ts'
import { chooser, type During, KmigError } from '../kit/index.ts'
import { topicChooser } from '../mirror/index.ts'
import { takeSample } from './sample.ts'
import { writeSample } from './sample-write.ts'

/** A partition of the real cluster, and the range of offsets whose records a rehearsal takes. */
export type Sampled = { topic: string; partition: number; from: bigint; end: bigint }

export type RealTopics = {
  topics: {
    name: string
    partitions: number
    replicationFactor: number
    configs: readonly TopicConfig[]
  }[]
  samples: Sampled[]
  groups: { group: string; positions: { topic: string; partition: number; offset: bigint }[] }[]
}

export type CloneOptions = During & {
  topics?: readonly string[] | undefined
  exclude?: readonly string[] | undefined
  groups?: readonly string[] | undefined
  /** Records of each partition, the newest. */
  sample: number
}

/** A rehearsal's single broker can serve so many; more would measure this machine, not the move. */
const MOST_PARTITIONS = 4_000

/** What is to be cloned of the real cluster. Reads only. Throws PREFLIGHT when there is nothing, or too much. */
export const lookAtTopics = async (real: Cluster, options: CloneOptions): Promise<RealTopics> => {
  const { signal, sample } = options
  const chosen = topicChooser(options)
  const found = (await real.metadata('all', { signal })).filter(
    ({ name, error }) => error === 0 && chosen(name),
  )
  const count = found.reduce((sum, { partitions }) => sum + partitions.length, 0)
  if (count === 0 || count > MOST_PARTITIONS) {
    throw new KmigError(
      'PREFLIGHT',
      `${count} partitions are chosen; a rehearsal takes 1 to ${MOST_PARTITIONS}`,
      { try: ['choose topics: --topics, --exclude'] },
    )
  }
  const names = found.map(({ name }) => name)
  const [configs, starts, ends] = await Promise.all([
    describeTopicConfigs(real, names, { signal }),
    real.listOffsets(placesOf(found, EARLIEST), { signal }),
    real.listOffsets(placesOf(found, LATEST), { signal }),
  ])
  const samples = placesOf(found, LATEST).map(({ topic, partition }): Sampled => {
    const key = partitionKey(topic, partition)
    const [start, end] = [starts.get(key)?.offset ?? 0n, ends.get(key)?.offset ?? 0n]
    const from = end - BigInt(sample)
    return { topic, partition, from: from > start ? from : start, end }
  })
  return {
    topics: found.map(({ name, partitions }) => ({
      name,
      partitions: partitions.length,
      replicationFactor: partitions[0]?.replicas.length ?? 1,
      configs: configs.get(name) ?? [],
    })),
    samples,
    groups: await groupsOf(real, new Set(names), options),
  }
}

const placesOf = (topics: readonly TopicMetadata[], timestamp: bigint) =>
  topics.flatMap(({ name, partitions }) =>
    partitions.map(({ partition }) => ({ topic: name, partition, timestamp })),
  )

const groupsOf = async (
  real: Cluster,
  topics: ReadonlySet<string>,
  { groups, signal }: CloneOptions,
): Promise<RealTopics['groups']> => {
  const chosen = chooser(groups)
  const ids = (await listGroups(real, { signal }))
    .filter(({ groupId, protocolType }) => chosen(groupId) && ['consumer', ''].includes(protocolType))
    .map(({ groupId }) => groupId)
  const committed = await groupOffsets(real, ids, { signal })
  return ids.flatMap(group => {
    const positions = (committed.get(group) ?? []).filter(({ topic }) => topics.has(topic))
    return positions.length > 0 ? [{ group, positions }] : []
  })
}

export type Cloned = {
  /** `writable`: an ordinary writer of small batches may write there, and nothing of it goes. */
  topics: { name: string; partitions: number; writable: boolean }[]
  partitions: number
  /** Records of the real cluster that lie on the clone, by `topic-partition`. */
  ends: Map<string, bigint>
  records: number
  bytes: number
  groups: number
  /** Partitions of which fewer records than asked could be taken, and why. */
  short: string[]
  /** Settings that the clone can't have, or must not. */
  refused: { topic: string; name: string; value: string; why: string }[]
}

/** For as long as a rehearsal lasts, nothing of the sample may expire or be compacted, however old it is. */
const KEPT: Readonly<Record<string, string>> = { 'retention.ms': '-1', 'retention.bytes': '-1' }
/** A batch of a rehearsal's writer is smaller. */
const ROOM = 16 << 10
const KEPT_COMPACTED = { 'min.compaction.lag.ms': '86400000' }
/** They name brokers of the real cluster, or refuse records for their age. */
const LEFT_OUT = /throttled\.replicas$|^message\.timestamp\.(?:before|after|difference)\.max\.ms$/

/** Settings of a topic as a rehearsal makes it, and whether an ordinary writer may write there. */
export const keptConfigs = (
  own: Readonly<Record<string, string>>,
): {
  configs: Record<string, string>
  writable: boolean
  leftOut: { name: string; value: string; why: string }[]
} => {
  const compacted = (own['cleanup.policy'] ?? '').includes('compact')
  const [out, rest] = [true, false].map(left =>
    Object.entries(own).filter(([setting]) => LEFT_OUT.test(setting) === left),
  )
  return {
    configs: { ...Object.fromEntries(rest ?? []), ...KEPT, ...(compacted ? KEPT_COMPACTED : {}) },
    writable: !compacted && Number(own['max.message.bytes'] ?? ROOM) >= ROOM,
    leftOut: (out ?? []).map(([name, value]) => ({
      ...{ name, value, why: 'it names brokers, or refuses records for their age' },
    })),
  }
}

/** Makes the topics on the stage's old cluster, with their settings, records and groups. */
export const cloneOnto = async (
  stage: Cluster,
  real: Cluster,
  { topics, samples, groups }: RealTopics,
  { signal }: During,
): Promise<Cloned> => {
  const defaults = await defaultsOf(stage, { signal })
  const plans = topics.map(topic => ({
    ...topic,
    plan: planConfigs({ source: topic.configs, defaults, replicationFactor: 1 }),
  }))
  const made = plans.map(({ name, partitions, plan }) => {
    const { configs, writable } = keptConfigs(plan.final)
    return { name, partitions, writable, configs }
  })
  await createTopics(
    stage,
    made.map(topic => ({ ...topic, replicationFactor: 1 })),
    { signal },
  )
  const written = await writeSample(stage, takeSample(real, samples, { signal }), { signal })
  await placeGroups(stage, groups, { samples, ends: written.ends, signal })
  return {
    topics: made.map(({ name, partitions, writable }) => ({ name, partitions, writable })),
    partitions: samples.length,
    ...written,
    groups: groups.length,
    refused: plans.flatMap(({ name, plan }) => refusedOf(name, plan)),
  }
}

const refusedOf = (topic: string, { final, refused }: ConfigPlan): Cloned['refused'] => [
  ...refused.map(each => ({ topic, ...each })),
  ...keptConfigs(final).leftOut.map(each => ({ topic, ...each })),
]

/** What the stage knows of settings, and their defaults: asked of a topic that is made for it. */
const defaultsOf = async (stage: Cluster, { signal }: During): Promise<TopicConfig[]> => {
  const name = 'kmig-rehearsal-defaults'
  await createTopics(stage, [{ name, partitions: 1, replicationFactor: 1 }], { signal })
  const found = (await describeTopicConfigs(stage, [name], { signal })).get(name) ?? []
  await deleteTopics(stage, [name], { signal })
  return found
}

/** A group stands as far from the end of the clone as it stands from the end of the real log. */
const placeGroups = async (
  stage: Cluster,
  groups: RealTopics['groups'],
  { samples, ends, signal }: During & { samples: readonly Sampled[]; ends: ReadonlyMap<string, bigint> },
): Promise<void> => {
  const real = new Map(samples.map(each => [partitionKey(each.topic, each.partition), each.end]))
  for (const { group, positions } of groups) {
    const rows = positions.map(({ topic, partition, offset }) => {
      const key = partitionKey(topic, partition)
      const at = (ends.get(key) ?? 0n) - ((real.get(key) ?? offset) - offset)
      return { topic, partition, offset: at > 0n ? at : 0n, metadata: '' }
    })
    await commitOffsets(stage, group, rows, { signal })
  }
}
