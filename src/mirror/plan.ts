import { type ConfigPlan, planConfigs, type TopicConfig } from '../inventory/index.ts'
import { type Cluster, describeTopicConfigs, ERROR, type TopicMetadata } from '../kafka/index.ts'
import { chooser, type During, Offset } from '../kit/index.ts'
import type { MirrorState, TopicState } from './state.ts'

export type PartitionPlan = {
  partition: number
  /** The source's log start and log end. */
  start: Offset
  end: Offset
  /** Where the copy stands; undefined if the topic is still to be made. */
  copied: Offset | undefined
  /** Offsets that empty records must fill before the first record, 0.6 byte each for a moment. */
  padding: bigint
}

export type TopicPlan = {
  topic: string
  sourceId: string
  /** Topic id on the target; undefined if the topic is still to be made. */
  targetId: string | undefined
  /** `adopt`: it is there, empty and of the right form. */
  action: 'create' | 'adopt' | 'resume' | 'refuse'
  /** Why it is refused. */
  why: string | undefined
  replicationFactor: number
  sourceReplicationFactor: number
  configs: ConfigPlan
  partitions: PartitionPlan[]
}

export type PlanOptions = During & {
  source: Cluster
  target: Cluster
  state: MirrorState | undefined
  topics?: readonly string[] | undefined
  exclude?: readonly string[] | undefined
}

/** Which topics of the source are mirrored: internal ones only where they are named. */
export const topicChooser = ({
  topics,
  exclude,
}: Pick<PlanOptions, 'topics' | 'exclude'>): ((name: string) => boolean) => {
  const chosen = chooser(topics, exclude)
  const mirrored = (name: string) =>
    topics?.length
      ? !name.startsWith('__kmig.') && name !== '__consumer_offsets' && name !== '__transaction_state'
      : !name.startsWith('__')
  return name => mirrored(name) && chosen(name)
}

/** Compares both sides and says what mirroring would do to each topic. Changes nothing. */
export const planTopics = async ({
  source,
  target,
  state,
  topics,
  exclude,
  signal,
}: PlanOptions): Promise<TopicPlan[]> => {
  const chosen = topicChooser({ topics, exclude })
  const found = (await source.metadata('all', { signal })).filter(
    ({ name, error }) => error === 0 && chosen(name),
  )
  const names = found.map(({ name }) => name)
  const theirs = new Map(
    names.length ? (await target.metadata(names, { signal })).map(meta => [meta.name, meta] as const) : [],
  )
  const existing = [...theirs.values()].filter(({ error }) => error !== ERROR.UNKNOWN_TOPIC_OR_PARTITION)
  const [starts, ends, targetEnds, configs, defaults] = await Promise.all([
    source.listOffsets(partitionsOf(found, -2n), { signal }),
    source.listOffsets(partitionsOf(found, -1n), { signal }),
    target.listOffsets(partitionsOf(existing, -1n), { signal }),
    describeTopicConfigs(source, names, { signal }),
    targetDefaults(target, { signal }),
  ])
  return found.map(meta => {
    const { name, topicId, partitions } = meta
    const known = state?.topic(name)
    const sourceReplicationFactor = partitions[0]?.replicas.length ?? 1
    const replicationFactor = Math.min(sourceReplicationFactor, target.brokers.size)
    const there = theirs.get(name)
    const copied = (partition: number) => {
      const end = targetEnds.get(`${name}-${partition}`)?.offset
      return end === undefined ? undefined : Offset(end)
    }
    return {
      topic: name,
      sourceId: topicId,
      targetId: there?.error === 0 ? there.topicId : undefined,
      ...judge(meta, there?.error === 0 ? there : undefined, known, copied),
      replicationFactor,
      sourceReplicationFactor,
      configs: planConfigs({ source: configs.get(name) ?? [], defaults, replicationFactor }),
      partitions: partitions.map(({ partition }) => {
        const at = `${name}-${partition}`
        const start = Offset(starts.get(at)?.offset ?? 0n)
        const done = copied(partition)
        const goal = known?.starts[partition] ?? start
        const padding = goal > (done ?? 0n) ? goal - (done ?? 0n) : 0n
        return { partition, start, end: Offset(ends.get(at)?.offset ?? 0n), copied: done, padding }
      }),
    }
  })
}

const partitionsOf = (topics: readonly TopicMetadata[], timestamp: bigint) =>
  topics.flatMap(({ name, partitions }) =>
    partitions.map(({ partition }) => ({ topic: name, partition, timestamp })),
  )

type Verdict = Pick<TopicPlan, 'action' | 'why'>
const refuse = (why: string): Verdict => ({ action: 'refuse', why })

const judge = (
  source: TopicMetadata,
  target: TopicMetadata | undefined,
  known: TopicState | undefined,
  copied: (partition: number) => Offset | undefined,
): Verdict => {
  if (!target) {
    return known
      ? refuse('this mirror made it on the target, and it is gone there')
      : { action: 'create', why: undefined }
  }
  if (known) {
    if (known.targetId !== target.topicId)
      return refuse('it was deleted and made again on the target by somebody else')
    if (known.sourceId !== source.topicId)
      return refuse('it was deleted and made again on the source: the copy is of the topic before')
    if (known.starts.length !== source.partitions.length) {
      return refuse(
        `it has ${source.partitions.length} partitions on the source, ${known.starts.length} when it was first mirrored; added partitions can't be followed yet`,
      )
    }
    return { action: 'resume', why: undefined }
  }
  if (target.partitions.length !== source.partitions.length) {
    return refuse(
      `the target has a topic of this name with ${target.partitions.length} partitions, the source's has ${source.partitions.length}`,
    )
  }
  const written = target.partitions.filter(({ partition }) => (copied(partition) ?? 0n) > 0n)
  if (written.length === 0) return { action: 'adopt', why: undefined }
  const first = written[0]?.partition ?? 0
  return refuse(
    `the target has a topic of this name with records that this mirror did not write (partition ${first} ends at ${copied(first)})`,
  )
}

/** Any topic's settings tell which ones the target knows; without a topic, its brokers' do. */
const targetDefaults = async (target: Cluster, during: During): Promise<TopicConfig[]> => {
  const any = (await target.metadata('all', during)).find(({ error }) => error === 0)
  if (!any) return KNOWN_EVERYWHERE
  const configs = (await describeTopicConfigs(target, [any.name], during)).get(any.name) ?? []
  return configs.map(config => (config.source === 'dynamic-topic' ? { ...config, value: null } : config))
}

/** Settings that every broker from 2.1 to 4.x has: what a target without a single topic is asked to take. */
const KNOWN_EVERYWHERE: TopicConfig[] = [
  'cleanup.policy',
  'compression.type',
  'delete.retention.ms',
  'file.delete.delay.ms',
  'flush.messages',
  'flush.ms',
  'index.interval.bytes',
  'max.compaction.lag.ms',
  'max.message.bytes',
  'message.timestamp.type',
  'min.cleanable.dirty.ratio',
  'min.compaction.lag.ms',
  'min.insync.replicas',
  'preallocate',
  'retention.bytes',
  'retention.ms',
  'segment.bytes',
  'segment.index.bytes',
  'segment.jitter.ms',
  'segment.ms',
  'unclean.leader.election.enable',
].map(name => ({ name, value: null, source: 'default' }))
