import {
  type ConfigPlan,
  type Entry,
  noLimits,
  planConfigs,
  type SettingLimits,
  type Sync,
  type TopicConfig,
} from '../inventory/index.ts'
import {
  type Cluster,
  describeTopicConfigs,
  EARLIEST,
  ERROR,
  isRetriable,
  kafkaErrorOf,
  LATEST,
  type TopicMetadata,
} from '../kafka/index.ts'
import { chooser, type During, type ErrorCode, isKmigError, type KmigError, Offset } from '../kit/index.ts'
import { stateTopicOf } from '../offsets/index.ts'
import { ifDenied, mayNot, unseenTopics } from './denied.ts'
import { type HolesPlan, holesPlan, type OffsetsPolicy } from './filling.ts'
import { suspectCopies } from './find-again.ts'
import type { CutoverState, MirrorState, TopicState } from './state.ts'
import { tryOut } from './try-out.ts'
import { isAnew, judge, refusedBy } from './verdict.ts'

/** What a mirror would do, or does. */
export type MirrorPlan = {
  name: string
  source: { name: string; clusterId: string }
  target: { name: string; clusterId: string }
  stateTopic: string
  /** What becomes of offsets that hold nothing to copy. */
  holes: HolesPlan
  topics: TopicPlan[]
  /** What settings of the target mean for the copy. */
  warnings: string[]
  /** Set when a cutover has ended this mirror. */
  cutover: CutoverState | undefined
  /** Everything that the source has, with what would become of it; where it was asked for. */
  inventory?: readonly Entry[] | undefined
}

/** A plan before anything was looked at. */
export const nothingPlanned = (
  ends: Pick<MirrorPlan, 'name' | 'source' | 'target'>,
  { offsets, fillingLimitMs }: { offsets?: OffsetsPolicy | undefined; fillingLimitMs?: number | undefined },
): MirrorPlan => ({
  ...ends,
  stateTopic: stateTopicOf(ends.name),
  holes: holesPlan(offsets, fillingLimitMs),
  topics: [],
  warnings: [],
  cutover: undefined,
})

export type PartitionPlan = {
  partition: number
  /** The source's log start and log end. */
  start: Offset
  end: Offset
  /** Where the copy stands; undefined if that can't be told, or the partition is still to be made. */
  copied: Offset | undefined
  /** Offsets that empty records must fill before the first record, 0.6 byte each for a moment. */
  padding: bigint
  /** How its offsets stand; `translated`: at other offsets on the target, exactly mapped. */
  mode: 'identical' | 'translated'
  /** Why it is translated. */
  modeWhy?: string
  /** It has no leader on the source now: it is followed once it has one again, from where its log begins then. */
  waiting?: true
}

export type TopicPlan = {
  topic: string
  sourceId: string
  /** Topic id on the target; undefined if the topic is still to be made. */
  targetId: string | undefined
  /**
   * `adopt`: it is there, empty and of the right form. `grow`: the source has more partitions than the copy. `recover`: what
   * was known of it is gone, and is to be found again from the copy itself.
   */
  action: 'create' | 'adopt' | 'resume' | 'grow' | 'recover' | 'refuse'
  /** Why it is refused, or to be found again: the other topics can go on. */
  why: string | undefined
  /** What kind of refusal it is, and what to do about it. */
  code?: ErrorCode
  try?: readonly string[]
  replicationFactor: number
  sourceReplicationFactor: number
  configs: ConfigPlan
  /** Whether the source's is compacted. */
  compacts?: boolean
  partitions: PartitionPlan[]
}

export type PlanOptions = During & {
  source: Cluster
  target: Cluster
  state: MirrorState | undefined
  topics?: readonly string[] | undefined
  exclude?: readonly string[] | undefined
  /** How the offsets of what is not mirrored yet are kept. */
  offsets?: OffsetsPolicy | undefined
  /** Default topics and configs. */
  sync?: readonly Sync[] | undefined
  /** Plans these topics of the source and looks at no others. */
  only?: readonly string[] | undefined
  /** What the target's topics have by default, where it is known already. */
  defaults?: readonly TopicConfig[] | undefined
  /** Values that the target was seen to refuse; grows. */
  limits?: SettingLimits | undefined
  /** The mirror whose copies are known again though its state is gone; default none. */
  recover?: string | undefined
}

/** How long a partition without a leader holds up a plan: it is planned as waiting then. */
const LEADER_MS = 2_000

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
  only,
  offsets,
  sync,
  limits = noLimits(),
  recover,
  signal,
  ...given
}: PlanOptions): Promise<TopicPlan[]> => {
  const chosen = topicChooser({ topics, exclude })
  const found = (await source.metadata(only ?? 'all', { signal })).filter(
    ({ name, error }) => error === 0 && chosen(name),
  )
  const names = found.map(({ name }) => name)
  const asked = only ? [] : (topics ?? []).filter(chosen)
  const unseen = await unseenTopics(source, asked, names, { signal })
  const denied = new Map<string, KmigError>(unseen.map(({ name }) => [name, mayNot('source', name)]))
  const theirs = new Map(
    names.length ? (await target.metadata(names, { signal })).map(meta => [meta.name, meta] as const) : [],
  )
  const existing = [...theirs.values()].filter(({ error }) => error !== ERROR.UNKNOWN_TOPIC_OR_PARTITION)
  const ask = { signal, withinMs: LEADER_MS, refused: ifLeaderless }
  const [starts, ends, targetEnds, configs, defaults] = await Promise.all([
    source.listOffsets(partitionsOf(found, EARLIEST), ask),
    source.listOffsets(partitionsOf(found, LATEST), ask),
    target.listOffsets(partitionsOf(existing, LATEST), ask),
    describeTopicConfigs(source, names, { signal, refused: ifDenied(denied) }),
    given.defaults ?? targetDefaults(target, { signal }),
  ])
  for (const { name, error } of theirs.values()) {
    if (error === ERROR.TOPIC_AUTHORIZATION_FAILED) denied.set(name, mayNot('target', name))
  }
  const factorOf = ({ partitions }: TopicMetadata) =>
    Math.min(partitions[0]?.replicas.length ?? 1, target.brokers.size)
  const factors = new Map([...found, ...unseen].map(meta => [meta.name, factorOf(meta)]))
  const configsOf = (topic: string) =>
    planConfigs({
      source: configs.get(topic) ?? [],
      defaults,
      replicationFactor: factors.get(topic) ?? 1,
      copied: sync?.includes('configs'),
      limits,
    })
  const planned = [...found, ...unseen].map((meta): TopicPlan => {
    const { name, topicId, partitions } = meta
    const error = denied.get(name)
    const before = state?.topic(name)
    const sourceReplicationFactor = partitions[0]?.replicas.length ?? 1
    const there = theirs.get(name)
    const copied = (partition: number) => {
      const end = targetEnds.get(`${name}-${partition}`)?.offset
      return end === undefined ? undefined : Offset(end)
    }
    const verdict =
      error === undefined
        ? judge(meta, there?.error === 0 ? there : undefined, before, copied, {
            sync,
            cutover: state?.cutover,
          })
        : refusedBy(error)
    // of what is copied anew nothing counts that was remembered
    const known = isAnew(verdict.action) ? undefined : before
    return {
      topic: name,
      sourceId: topicId,
      targetId: there?.error === 0 ? there.topicId : undefined,
      ...verdict,
      replicationFactor: factors.get(name) ?? 1,
      sourceReplicationFactor,
      configs: configsOf(name),
      compacts: isCompacted(configs.get(name)),
      partitions: partitions.map(({ partition }) => {
        const at = `${name}-${partition}`
        const first = starts.get(at)?.offset
        const start = Offset(first ?? 0n)
        const done = copied(partition)
        const goal = known?.starts[partition] ?? start
        const mode = modeOf(at, { state, known, partition, offsets })
        const pads = goal > (done ?? 0n) && !(mode.mode === 'translated' && !mode.later)
        const padding = pads ? goal - (done ?? 0n) : 0n
        const end = Offset(ends.get(at)?.offset ?? 0n)
        const how = { mode: mode.mode, ...(mode.why !== undefined && { modeWhy: mode.why }) }
        return {
          partition,
          start,
          end,
          copied: done,
          padding,
          ...how,
          ...(first === undefined && { waiting: true }),
        }
      }),
    }
  })
  if (recover !== undefined) await suspectCopies(planned, { target, name: recover, state, signal })
  await tryOut(planned, { target, limits, configsOf, signal })
  return planned
}

export const isCompacted = (configs: readonly TopicConfig[] = []): boolean =>
  configs.some(({ name, value }) => name === 'cleanup.policy' && value?.includes('compact'))

/** How a partition's offsets stand, or will from its first record on. `later`: it began identical. */
const modeOf = (
  where: string,
  {
    state,
    known,
    partition,
    offsets,
  }: Pick<PlanOptions, 'state' | 'offsets'> & { known: TopicState | undefined; partition: number },
): { mode: PartitionPlan['mode']; why?: string | undefined; later?: boolean } => {
  const isKnown = known?.starts[partition] !== undefined
  const why = '--offsets translated'
  if (isKnown && known.translated.includes(partition)) return { mode: 'translated', why }
  if (!isKnown) return offsets === 'translated' ? { mode: 'translated', why } : { mode: 'identical' }
  const shifted = state?.shiftsOf(where)
  return shifted ? { mode: 'translated', why: shifted.why, later: true } : { mode: 'identical' }
}

/** A partition that nobody leads waits; whatever else keeps its offsets back is the operator's to know. */
const ifLeaderless = (_: string, error: Error): void => {
  const row = kafkaErrorOf(error)
  if (!(row ? isRetriable(row.code) : isKmigError(error, 'UNREACHABLE', 'DISCONNECTED', 'TIMEOUT')))
    throw error
}

const partitionsOf = (topics: readonly TopicMetadata[], timestamp: bigint) =>
  topics.flatMap(({ name, partitions }) =>
    partitions.map(({ partition }) => ({ topic: name, partition, timestamp })),
  )

const ASKED = 5

/** Any topic's settings tell which ones the target knows; without a topic, its brokers' do. */
export const targetDefaults = async (target: Cluster, during: During): Promise<TopicConfig[]> => {
  const some = (await target.metadata('all', during)).filter(({ error }) => error === 0).slice(0, ASKED)
  const names = some.map(({ name }) => name)
  const refused = ifDenied(new Map()) // one that kmig's user may not look at tells nothing
  const [configs] = names.length
    ? (await describeTopicConfigs(target, names, { ...during, refused })).values()
    : []
  if (!configs) return KNOWN_EVERYWHERE
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
