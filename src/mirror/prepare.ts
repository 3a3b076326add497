import {
  alterTopicConfigs,
  brokerError,
  type Cluster,
  type ConfigEntry,
  createPartitions,
  createTopics,
  describeTopicConfigs,
  InitProducerId,
  NO_TOPIC_ID,
} from '../kafka/index.ts'
import { type During, inFlight, isKmigError, KmigError, sleep } from '../kit/index.ts'
import { StateTopic } from '../offsets/index.ts'
import type { MirrorEvent } from './events.ts'
import { alignConfigs, keepLimit, LIMIT } from './follow-configs.ts'
import { passes } from './passes.ts'
import type { MirrorPlan, TopicPlan } from './plan.ts'
import { type Identity, MirrorState, type TopicState } from './state.ts'
import { newTopicOf } from './try-out.ts'
import { isAnew } from './verdict.ts'

/** Offsets of padding that take about ten minutes. */
const PADDING_LIMIT = 5_000_000_000n
const PADDING_PER_SECOND = 8_000_000n

export type RefuseOptions = {
  afterCutover: boolean
  paddingLimit?: bigint | undefined
  /** Topics that are refused don't keep the others back. */
  partial?: boolean | undefined
}

/** Throws what forbids to act on a plan: TOPIC_MISSING, CUT_OVER, NEEDS_CONSENT, or why topics are refused. Writes nothing. */
export const refuse = (
  plan: MirrorPlan,
  { afterCutover, paddingLimit = PADDING_LIMIT, partial }: RefuseOptions,
): void => {
  const { name, topics, cutover, source, target } = plan
  const [refused, open] = [
    topics.filter(({ action }) => action === 'refuse'),
    topics.filter(({ action }) => action !== 'refuse'),
  ]
  const padding = open.flatMap(({ partitions }) => partitions).reduce((sum, each) => sum + each.padding, 0n)
  if (topics.length === 0) {
    throw new KmigError('TOPIC_MISSING', `no topic of '${source.name}' is chosen`, {
      try: ['see --topics and --exclude'],
    })
  }
  if (cutover && !afterCutover) {
    const what = `mirror ${name} was ended by cutover ${cutover.run} at ${cutover.at}: the clients are on '${target.name}'`
    throw new KmigError('CUT_OVER', what, {
      try: ['kmig cutover rollback, if they have not written there yet'],
    })
  }
  if (refused.length > 0 && !(partial && open.length > 0)) throw refusal(refused)
  if (padding > paddingLimit) {
    const what = `identical offsets need ${padding} offsets of padding, about ${padding / PADDING_PER_SECOND} s; the limit is ${paddingLimit}`
    throw new KmigError('NEEDS_CONSENT', what, { try: [`--padding-limit ${padding}`] })
  }
}

/** Enough to see what to do. */
const REMEDIES = 6
/** Why none of these topics can be mirrored, as one error. */
export const refusal = (topics: readonly TopicPlan[]): KmigError => {
  const [first] = topics.filter(({ code }) => code !== 'AUTHORIZATION').concat(topics)
  const what = topics.map(({ topic, why }) => `topic ${topic}: ${why}`).join('; ')
  const remedies = [...new Set(topics.flatMap(each => each.try ?? []))].slice(0, REMEDIES)
  return new KmigError(first?.code ?? 'TARGET_NOT_EMPTY', what, { try: remedies })
}

export type PrepareOptions = During<MirrorEvent> & {
  source: Cluster
  target: Cluster
  plan: Pick<MirrorPlan, 'name' | 'source' | 'topics'>
  state: MirrorState
  /** Told of a topic that the target refuses; without it the first such error is thrown. */
  refused?: ((topic: string, error: KmigError) => void) | undefined
}

/** Epochs are 16 bits. */
const LAST_EPOCH = 32_000

export const newProducerId = async (target: Cluster, { signal }: During) => {
  const answer = await target.any(
    InitProducerId,
    { transactionalId: null, transactionTimeoutMs: 0 },
    { signal, errorOf: each => each.errorCode },
  )
  const needs = 'IdempotentWrite on the cluster, or Write on a topic'
  if (answer.errorCode !== 0) throw brokerError(answer.errorCode, 'a producer id of the target', null, needs)
  return answer
}

/**
 * Whenever partitions are shared out anew, those that wrote before are shut out: the epoch of control records is raised
 * before anybody gets a share, so that all who read the state after that have the same one.
 */
export const raiseControlEpoch = async (
  target: Cluster,
  state: MirrorState,
  during: During,
): Promise<void> => {
  const known = state.identity
  if (!known) return
  const { controlProducerId, controlProducerEpoch: epoch, formerControlIds } = known
  const raised =
    epoch < LAST_EPOCH
      ? { controlProducerEpoch: epoch + 1 }
      : {
          controlProducerId: (await newProducerId(target, during)).producerId,
          controlProducerEpoch: 0,
          formerControlIds: [...formerControlIds, controlProducerId],
        }
  await state.setIdentity({ ...known, ...raised }, during)
}

/** The producer ids of this mirror: remembered, or new and remembered before anything is written with them. */
export const identityOf = async ({
  source,
  target,
  plan,
  state,
  signal,
}: PrepareOptions): Promise<Identity> => {
  const known = state.identity
  if (known && known.sourceClusterId !== source.clusterId) {
    const what = `mirror ${plan.name} copies cluster ${known.sourceClusterId}, '${plan.source.name}' is ${source.clusterId}`
    throw new KmigError('PREFLIGHT', what, { try: ['give this mirror another --name'] })
  }
  if (known) return known
  const identity = await newIdentity({ source, target }, { signal })
  await state.setIdentity(identity, { signal })
  return identity
}

/** Who writes to the target from now on: producer ids that nobody has used. */
export const newIdentity = async (
  { source, target }: { source: Cluster; target: Cluster },
  during: During,
): Promise<Identity> => {
  const [data, control] = [await newProducerId(target, during), await newProducerId(target, during)]
  return {
    schema: 1,
    sourceClusterId: source.clusterId,
    targetClusterId: target.clusterId,
    producerId: data.producerId,
    producerEpoch: data.producerEpoch,
    controlProducerId: control.producerId,
    controlProducerEpoch: 0,
    formerControlIds: [],
    formerDataIds: [],
  }
}

/** Settings at work at a time. */
const ALTERS_AT_ONCE = 16

/**
 * Gives topics that are there already the settings that mirroring needs, where they have others. Returns the limits of a
 * batch that they had: a larger one stays.
 */
export const holdConfigs = async (
  target: Cluster,
  topics: readonly TopicPlan[],
  { signal, refused }: During & Pick<PrepareOptions, 'refused'>,
): Promise<Map<string, string>> => {
  const limits = new Map<string, string>()
  const names = topics.map(({ topic }) => topic)
  const found =
    names.length > 0
      ? await describeTopicConfigs(target, names, { signal, refused: refused && telling(refused) })
      : new Map<string, ConfigEntry[]>()
  const other = topics.filter(({ topic, configs }) => {
    if (!found.has(topic)) return false
    const now = new Map(
      (found.get(topic) ?? [])
        .filter(({ source }) => source === 'dynamic-topic')
        .map(({ name, value }) => [name, value]),
    )
    const limit = now.get(LIMIT)
    if (limit) limits.set(topic, limit)
    return Object.entries(keepLimit(configs, limit).held).some(([name, value]) => now.get(name) !== value)
  })
  const hold = async ({ topic, configs }: TopicPlan) => {
    try {
      const { held } = keepLimit(configs, limits.get(topic))
      await alterTopicConfigs(target, topic, { set: held }, { signal })
    } catch (e) {
      if (!refused || !isKmigError(e)) throw e
      telling(refused)(topic, e)
    }
  }
  for await (const _ of inFlight(other, ALTERS_AT_ONCE, hold, signal));
  return limits
}

/** What lasts is the topic's own trouble; what may pass is tried again as a whole. */
const telling =
  (refused: NonNullable<PrepareOptions['refused']>) =>
  (topic: string, error: Error): void => {
    if (!isKmigError(error, 'AUTHORIZATION', 'BROKER', 'TOPIC_MISSING') || passes(error)) throw error
    refused(topic, error)
  }

/** Makes the topics that are missing, holds the settings of all, and remembers them before a record is written. */
export const prepareTopics = async ({
  target,
  plan,
  state,
  signal,
  on,
  ...o
}: PrepareOptions): Promise<Map<string, TopicState>> => {
  const errors = new Map<string, KmigError>()
  const refused =
    o.refused &&
    ((topic: string, error: KmigError) => {
      errors.set(topic, error)
      o.refused?.(topic, error)
    })
  const missing = plan.topics.filter(({ action }) => action === 'create')
  const made = await createTopics(target, missing.map(newTopicOf), { signal, refused })
  for (const { topic, partitions, replicationFactor } of missing) {
    if (errors.has(topic)) continue
    on?.({ kind: 'topic-created', topic, partitions: partitions.length, replicationFactor })
  }
  const growing = plan.topics.filter(({ action }) => action === 'grow')
  await createPartitions(
    target,
    growing
      .filter(({ partitions }) => partitions.some(({ copied }) => copied === undefined))
      .map(({ topic, partitions }) => ({ name: topic, partitions: partitions.length })),
    { signal, refused },
  )
  for (const { topic, partitions } of growing) {
    if (errors.has(topic)) continue
    const from = state.topic(topic)?.starts.length ?? 0
    on?.({ kind: 'partitions-added', topic, from, to: partitions.length })
  }
  const limits = await holdConfigs(
    target,
    plan.topics.filter(({ topic, action }) => action !== 'create' && !errors.has(topic)),
    { signal, refused },
  )
  const topics = plan.topics.filter(({ topic }) => !errors.has(topic))
  const ids = new Map(made.map(({ name, topicId }) => [name, topicId] as const))
  const states = new Map<string, TopicState>()
  for (const { topic, sourceId, targetId, action, partitions, compacts = false, configs } of topics) {
    const known = action === 'resume' || action === 'grow' ? state.topic(topic) : undefined
    const starts = partitions.map(({ partition, start }) => known?.starts[partition] ?? start)
    const { final, held } = known
      ? await alignConfigs({ target, topic, known: keepLimit(known, limits.get(topic)), configs, signal, on })
      : keepLimit(configs, limits.get(topic))
    const translated = partitions
      .filter(({ partition, mode }) =>
        known?.starts[partition] === undefined ? mode === 'translated' : known.translated.includes(partition),
      )
      .map(({ partition }) => partition)
    const id = targetId ?? ids.get(topic) ?? NO_TOPIC_ID
    states.set(topic, { sourceId, targetId: id, starts, translated, compacts, final, held })
  }
  const anew = plan.topics.filter(({ action }) => isAnew(action))
  for (const { topic } of anew)
    if (state.topic(topic) && !errors.has(topic))
      on?.({
        kind: 'warning',
        where: topic,
        text: 'its copy is gone from the target: it is copied anew, from its log start on the source',
      })
  await state.forget(new Set(anew.map(({ topic }) => topic)), { signal })
  await state.setTopics(states, { signal })
  await state.setRefused(errors.keys(), { signal })
  return states
}

const PREPARED_AGAIN_MS = 500

/**
 * The state, once it holds what is needed to copy these partitions, or that their topics are refused: whoever leads the
 * mirror makes it.
 */
export const awaitPrepared = async ({
  target,
  name,
  parts,
  signal,
}: During & {
  target: Cluster
  name: string
  parts: readonly { topic: string; partition: number }[]
}): Promise<MirrorState> => {
  for (;;) {
    const topic = await StateTopic.read(target, name, { signal })
    const state = topic && new MirrorState(topic)
    const complete = parts.every(
      ({ topic, partition }) =>
        state?.topic(topic)?.starts[partition] !== undefined || state?.isRefused(topic),
    )
    if (state?.identity && complete) return state
    await sleep(PREPARED_AGAIN_MS, signal)
  }
}
