import { learnLimit, planConfigs, type SettingLimits, type TopicConfig } from '../inventory/index.ts'
import { type Cluster, describeTopicConfigs, type TopicMetadata } from '../kafka/index.ts'
import {
  type During,
  type ErrorCode,
  inFlight,
  isKmigError,
  type KmigError,
  messageOf,
} from '../kit/index.ts'
import type { MirrorEvent } from './events.ts'
import { alignConfigs } from './follow-configs.ts'
import { passes } from './passes.ts'
import {
  isCompacted,
  type MirrorPlan,
  type PlanOptions,
  planTopics,
  type TopicPlan,
  targetDefaults,
} from './plan.ts'
import { prepareTopics, refuse } from './prepare.ts'
import type { MirrorState, TopicState } from './state.ts'
import { isAnew } from './verdict.ts'

export type FollowOptions = During<MirrorEvent> &
  Pick<PlanOptions, 'topics' | 'exclude' | 'offsets' | 'sync'> & {
    source: Cluster
    target: Cluster
    /** What is mirrored so far; grows. */
    plan: MirrorPlan
    state: MirrorState
    paddingLimit?: bigint | undefined
    /** Values that the target was seen to refuse; grows. */
    limits: SettingLimits
    /** Topics that were refused at the start. */
    shut: readonly TopicPlan[]
    /** A topic is on the target, or has more partitions there, and remembered: lanes may go on it. */
    add(topic: string, state: TopicState): Promise<void>
  }

/** A topic that can't be mirrored, with what kind of trouble it is, why, and what to do. */
export type Refused = { topic: string; code: ErrorCode; why: string; try: readonly string[] }
const refusedOf = ({ topic, code = 'PARTIAL', why = '', try: remedies = [] }: TopicPlan): Refused => {
  return { topic, code, why, try: remedies }
}
const refusedFor = (topic: string, { code, message, suggestions }: KmigError): Refused => {
  return { topic, code, why: message, try: suggestions }
}

const TOPICS_AT_ONCE = 8
/** A topic that was refused is looked at again after this. */
const AGAIN_MS = 10_000

/**
 * Follows what changes on the source while a mirror runs: new topics, added partitions (the target has them before they
 * are fetched, or keyed records would lie elsewhere than on the source), changed settings. A topic that can't be
 * followed is refused by name and the others go on. Source: MIRROR.md 8.
 */
export class Follower {
  readonly #o: FollowOptions
  readonly #refused = new Map<string, Refused & { at: number }>()
  #defaults: TopicConfig[] | undefined
  constructor(options: FollowOptions) {
    this.#o = options
    for (const plan of options.shut) this.#refuse(refusedOf(plan))
  }

  /** Topics that can't be mirrored, each with the reason and what to do. */
  get refused(): Refused[] {
    const { shut, state } = this.#o
    const still = shut.filter(({ topic, code }) => {
      return code === 'AUTHORIZATION' && !this.#refused.has(topic) && !state.topic(topic)
    })
    return [
      ...still.map(refusedOf), // those that kmig's user can't even see
      ...[...this.#refused.values()].map(({ at: _, ...refused }) => refused),
    ]
  }
  /** Plans of those that were refused at the start and still are: nobody copies them. */
  get shut(): TopicPlan[] {
    const now = new Set(this.refused.map(({ topic }) => topic))
    return this.#o.shut.filter(({ topic }) => now.has(topic))
  }

  /** Makes on the target what the source has more of than the copy; `chosen` are the source's topics to be mirrored. */
  async topics(chosen: readonly TopicMetadata[]): Promise<void> {
    const { source, target, plan, state, topics, exclude, offsets, sync, limits, signal } = this.#o
    const now = performance.now()
    const gone = new Set(this.#refused.keys())
    for (const { name } of chosen) gone.delete(name)
    for (const name of gone) this.#refused.delete(name)
    const more = chosen.filter(({ name, partitions }) => {
      const before = this.#refused.get(name)
      if (before) return now - before.at > AGAIN_MS
      return partitions.length > (state.topic(name)?.starts.length ?? 0)
    })
    if (more.length === 0) return
    this.#defaults ??= await targetDefaults(target, { signal })
    const how = {
      source,
      target,
      state,
      topics,
      exclude,
      offsets,
      sync,
      limits,
      signal,
      defaults: this.#defaults,
    }
    const planned = await this.#plan(
      how,
      more.map(({ name }) => name),
    )
    const each = (topic: TopicPlan) => this.#follow({ ...plan, topics: [topic] }, topic)
    for await (const _ of inFlight(planned, TOPICS_AT_ONCE, each, signal));
  }

  /** Where a plan of all fails, for one that is denied or just deleted, each is planned alone. */
  async #plan(how: Omit<PlanOptions, 'only'>, only: readonly string[]): Promise<TopicPlan[]> {
    try {
      return await planTopics({ ...how, only })
    } catch (e) {
      if (!isKmigError(e) || isKmigError(e, 'BUG') || passes(e)) throw e
      const [first] = only
      if (first !== undefined && only.length === 1) this.#refuse(refusedFor(first, e))
      if (only.length <= 1) return []
      const found: TopicPlan[] = []
      for (const name of only) found.push(...(await this.#plan(how, [name])))
      return found
    }
  }

  async #follow(part: MirrorPlan, planned: TopicPlan): Promise<void> {
    const { source, target, plan, state, paddingLimit, add, signal, on } = this.#o
    const { topic } = planned
    // its copy is gone while it is mirrored: its partitions stop by name, and it is copied anew at a start only
    if (isAnew(planned.action) && plan.topics.some(each => each.topic === topic)) return
    try {
      refuse(part, { afterCutover: true, paddingLimit })
      const made = await prepareTopics({ source, target, plan: part, state, signal, on })
      if (planned.action === 'adopt')
        on?.({ kind: 'partitions-added', topic, from: 0, to: planned.partitions.length })
      plan.topics = [...plan.topics.filter(each => each.topic !== topic), planned]
      this.#refused.delete(topic)
      const now = made.get(topic)
      if (now) await add(topic, now)
    } catch (e) {
      if (!isKmigError(e) || passes(e)) throw e
      this.#refuse(planned.action === 'refuse' ? refusedOf(planned) : refusedFor(topic, e))
    }
  }

  #refuse(refused: Refused): void {
    const told = this.#refused.get(refused.topic)?.why === refused.why
    this.#refused.set(refused.topic, { ...refused, at: performance.now() })
    if (!told) this.#o.on?.({ kind: 'topic-refused', ...refused })
  }

  /** Gives the copies of these topics the settings that the source has now. */
  async configs(names: readonly string[]): Promise<void> {
    const { source, target, plan, state, sync, limits, signal } = this.#o
    if (names.length === 0) return
    this.#defaults ??= await targetDefaults(target, { signal })
    const refused = (where: string, error: Error) => {
      if (isKmigError(error, 'TOPIC_MISSING')) return // deleted just now: the next look tells
      if (!isKmigError(error, 'AUTHORIZATION')) throw error
      this.#once({ kind: 'warning', where, text: messageOf(error) })
    }
    const now = await describeTopicConfigs(source, names, { signal, refused })
    const changed = new Map<string, TopicState>()
    for (const planned of plan.topics) {
      const { topic, replicationFactor } = planned
      const [found, known] = [now.get(topic), state.topic(topic)]
      if (!found || !known) continue
      const configs = planConfigs({
        source: found,
        defaults: this.#defaults,
        replicationFactor,
        copied: sync?.includes('configs'),
        limits,
      })
      // what it refuses is another value at the next look
      const learn = (error: KmigError) =>
        learnLimit(limits, { ...configs.final, ...configs.held }, error.message)
      const settings = await alignConfigs({ target, topic, known, configs, signal, on: this.#once, learn })
      const compacts = isCompacted(found)
      if (settings === known && compacts === known.compacts) continue
      changed.set(topic, { ...known, ...settings, compacts })
      planned.configs = configs
    }
    if (changed.size > 0) await state.setTopics(changed, { signal })
  }

  readonly #told = new Map<string, string>()
  /** The same warning of a topic is told once. */
  readonly #once = (event: MirrorEvent): void => {
    if (event.kind === 'warning') {
      if (this.#told.get(event.where) === event.text) return
      this.#told.set(event.where, event.text)
    }
    this.#o.on?.(event)
  }
}
