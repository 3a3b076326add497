import { type ConfigPlan, type Entry, planConfigs, type Sync, type TopicConfig } from '../inventory/index.ts'
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
import { chooser, type During, isKmigError, Offset } from '../kit/index.ts'
import { ifDenied, mayNot, unseenTopics } from './denied.ts'
import type { HolesPlan, OffsetsPolicy } from './filling.ts'
import type { CutoverState, MirrorState, TopicState } from './state.ts'

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
  /** `adopt`: it is there, empty and of the right form. `grow`: the source has more partitions than the copy. */
  action: 'create' | 'adopt' | 'resume' | 'grow' | 'refuse'
  /** Why it is refused. */
  why: string | undefined
  /** It is refused since kmig's user may not do what it takes: the other topics can go on. */
  denied?: true
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
  /** How the offsets of what is not mirrored yet are kept. */
  offsets?: OffsetsPolicy | undefined
  /** Default topics and configs. */
  sync?: readonly Sync[] | undefined
  /** Plans these topics of the source and looks at no others. */
  only?: readonly string[] | undefined
  /** What the target's topics have by default, where it is known already. */
  defaults?: readonly TopicConfig[] | undefined
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
  const denied = new Map(unseen.map(({ name }) => [name, mayNot('source', name)]))
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
  return [...found, ...unseen].map(meta => {
    const { name, topicId, partitions } = meta
    const why = denied.get(name)
    const before = state?.topic(name)
    const sourceReplicationFactor = partitions[0]?.replicas.length ?? 1
    const replicationFactor = Math.min(sourceReplicationFactor, target.brokers.size)
    const there = theirs.get(name)
    const copied = (partition: number) => {
      const end = targetEnds.get(`${name}-${partition}`)?.offset
      return end === undefined ? undefined : Offset(end)
    }
    const verdict =
      why === undefined
        ? judge(meta, there?.error === 0 ? there : undefined, before, copied, {
            sync,
            cutover: state?.cutover,
          })
        : { ...refuse(why), denied: true as const }
    // of what is copied anew nothing counts that was remembered
    const known = isAnew(verdict.action) ? undefined : before
    return {
      topic: name,
      sourceId: topicId,
      targetId: there?.error === 0 ? there.topicId : undefined,
      ...verdict,
      replicationFactor,
      sourceReplicationFactor,
      configs: planConfigs({
        source: configs.get(name) ?? [],
        defaults,
        replicationFactor,
        copied: sync?.includes('configs'),
      }),
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
}

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

/** A topic that the mirror has not copied yet, or whose copy the operator has deleted. */
export const isAnew = (action: TopicPlan['action']): boolean => action === 'create' || action === 'adopt'

type Verdict = Pick<TopicPlan, 'action' | 'why'>
const refuse = (why: string): Verdict => ({ action: 'refuse', why })

/** Why a topic that the target lacks is not made there. */
export const NOT_MADE = 'it is not on the target, and --sync does not name topics'

const judge = (
  source: TopicMetadata,
  target: TopicMetadata | undefined,
  known: TopicState | undefined,
  copied: (partition: number) => Offset | undefined,
  { sync, cutover }: Pick<PlanOptions, 'sync'> & { cutover: CutoverState | undefined },
): Verdict => {
  if (!target) {
    if (known && cutover) return refuse('this mirror made it on the target, and it is gone there')
    return sync && !sync.includes('topics') ? refuse(NOT_MADE) : { action: 'create', why: undefined }
  }
  const made = known?.targetId === target.topicId
  if (known && !made && (cutover || target.partitions.some(({ partition }) => copied(partition) !== 0n)))
    return refuse('it was deleted and made again on the target by somebody else')
  if (known && made) {
    if (known.sourceId !== source.topicId)
      return refuse('it was deleted and made again on the source: the copy is of the topic before')
    return judgeGrowth(source, target, known, copied)
  }
  if (target.partitions.length !== source.partitions.length) {
    return refuse(
      `the target has a topic of this name with ${target.partitions.length} partitions, the source's has ${source.partitions.length}`,
    )
  }
  const strange = strangersIn(target.partitions, copied)
  return strange === undefined ? { action: 'adopt', why: undefined } : refuse(strange)
}

/** A topic that this mirror made and the source has given more partitions: the target's is made to have them first. */
const judgeGrowth = (
  source: TopicMetadata,
  target: TopicMetadata,
  { starts }: TopicState,
  copied: (partition: number) => Offset | undefined,
): Verdict => {
  const [theirs, ours, mirrored] = [source.partitions.length, target.partitions.length, starts.length]
  if (ours > theirs)
    return refuse(
      `the target has ${ours} partitions, the source ${theirs}: keyed records would go elsewhere after a cutover`,
    )
  if (theirs < mirrored) return refuse(`it has ${theirs} partitions on the source, ${mirrored} were mirrored`)
  if (theirs === mirrored) return { action: 'resume', why: undefined }
  const strange = strangersIn(target.partitions.slice(mirrored), copied)
  return strange === undefined ? { action: 'grow', why: undefined } : refuse(strange)
}

const strangersIn = (
  partitions: TopicMetadata['partitions'],
  copied: (partition: number) => Offset | undefined,
): string | undefined => {
  const written = partitions.find(({ partition }) => copied(partition) !== 0n)?.partition
  if (written === undefined) return undefined
  const end = copied(written)
  return end === undefined
    ? `partition ${written} of the target's topic has no leader, so whether it is empty can't be told`
    : `the target has a topic of this name with records that this mirror did not write (partition ${written} ends at ${end})`
}

/** Any topic's settings tell which ones the target knows; without a topic, its brokers' do. */
export const targetDefaults = async (target: Cluster, during: During): Promise<TopicConfig[]> => {
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
