import { join } from 'node:path'
import { releaseOf } from '../inventory/index.ts'
import { alterTopicConfigs, Cluster, createTopics, FramePool, InitProducerId } from '../kafka/index.ts'
import { type During, isKmigError, KmigError, LockFile, messageOf, Offset, sleep } from '../kit/index.ts'
import { type GroupReport, StateTopic, stateTopicOf, syncGroups } from '../offsets/index.ts'
import { Engine } from './engine.ts'
import { Lane } from './lane.ts'
import type { MirrorOptions } from './options.ts'
import { planTopics, type TopicPlan } from './plan.ts'
import { meter } from './progress.ts'
import { copyMs, type MirrorReport, partitionReport } from './report.ts'
import { type CutoverState, type Identity, MirrorState, type TopicState } from './state.ts'

/** What a mirror would do, or does. */
export type MirrorPlan = {
  name: string
  source: { name: string; clusterId: string }
  target: { name: string; clusterId: string }
  stateTopic: string
  topics: TopicPlan[]
  /** Set when a cutover has ended this mirror. */
  cutover: CutoverState | undefined
}

/** Offsets of padding that take about ten minutes. */
const PADDING_LIMIT = 5_000_000_000n
const PROGRESS_MS = 250

/**
 * A mirror of one cluster onto another. `open` looks and plans and changes nothing; `start` takes the lock, makes the
 * topics and sets the lanes going; disposing it stops cleanly. Source: MIRROR.md.
 */
export class Mirror implements AsyncDisposable {
  readonly source: Cluster
  readonly target: Cluster
  readonly name: string
  readonly #options: MirrorOptions
  readonly #pool: FramePool
  readonly #started = performance.now()
  readonly #resources = new AsyncDisposableStack()
  #plan: MirrorPlan
  #state: MirrorState | undefined
  #engine: Engine | undefined
  #lanes: Lane[] = []
  #groups: GroupReport = { rows: [], refused: [] }

  private constructor(options: MirrorOptions, source: Cluster, target: Cluster, pool: FramePool) {
    this.#pool = pool
    this.#options = options
    this.source = source
    this.target = target
    this.name = options.name ?? source.clusterId
    this.#plan = {
      ...this.#ends,
      name: this.name,
      stateTopic: stateTopicOf(this.name),
      topics: [],
      cutover: undefined,
    }
  }

  /** Throws UNREACHABLE, PREFLIGHT (both are one cluster), STATE_DAMAGED. */
  static async open(options: MirrorOptions): Promise<Mirror> {
    await using opened = new AsyncDisposableStack()
    const { from, to, signal } = options
    const pool = new FramePool()
    const source = opened.use(await Cluster.open({ bootstrap: from.bootstrap, signal, pool }))
    const target = opened.use(await Cluster.open({ bootstrap: to.bootstrap, signal }))
    if (source.clusterId === target.clusterId) {
      throw new KmigError(
        'PREFLIGHT',
        `'${from.name}' and '${to.name}' are the same cluster, ${source.clusterId}`,
        {
          try: ['name two different clusters with --from and --to'],
        },
      )
    }
    const mirror = new Mirror(options, source, target, pool)
    const topic = await StateTopic.read(target, mirror.name, { signal })
    mirror.#state = topic && new MirrorState(topic)
    await mirror.#replan()
    mirror.#resources.use(opened.move())
    return mirror
  }

  get #ends(): Pick<MirrorPlan, 'source' | 'target'> {
    const { from, to } = this.#options
    return {
      source: { name: from.name, clusterId: this.source.clusterId },
      target: { name: to.name, clusterId: this.target.clusterId },
    }
  }
  get #during(): During {
    return { signal: this.#options.signal }
  }

  get plan(): MirrorPlan {
    return this.#plan
  }
  get lanes(): readonly Lane[] {
    return this.#lanes
  }
  get lockFile(): string {
    return join(this.#options.stateDir, 'locks', `${this.target.clusterId}.${this.name}.lock`)
  }

  async #replan(): Promise<void> {
    const { topics, exclude, signal } = this.#options
    const { source, target } = this
    const planned = await planTopics({ source, target, state: this.#state, topics, exclude, signal })
    this.#plan = { ...this.#plan, topics: planned, cutover: this.#state?.cutover }
  }

  /** Throws what forbids to start: LOCKED, CUT_OVER, TARGET_NOT_EMPTY, NEEDS_CONSENT. Nothing was written then. */
  async start({ afterCutover = false }: { afterCutover?: boolean } = {}): Promise<void> {
    this.#resources.use(await LockFile.take(this.lockFile, `mirror ${this.name}`))
    const known = await StateTopic.read(this.target, this.name, this.#during)
    this.#state = known && new MirrorState(known)
    await this.#replan()
    this.#refuse(afterCutover)
    this.#state ??= new MirrorState(await StateTopic.open(this.target, this.name, this.#during))
    const identity = await this.#identity(this.#state)
    const topics = await this.#prepare(this.#state)
    this.#lanes = this.#plan.topics.flatMap(({ topic, partitions }) =>
      partitions.map(({ partition }) => this.#lane(topic, partition, topics.get(topic), identity)),
    )
    const stop = new AbortController()
    this.#resources.defer(() => stop.abort())
    this.#engine = this.#resources.use(
      new Engine({
        pool: this.#pool,
        source: this.source,
        target: this.target,
        lanes: this.#lanes,
        producers: new Set([identity.producerId]),
        topicIds: new Map([...topics].map(([name, { targetId }]) => [name, targetId])),
        persist: lanes => this.#keepAnchors(lanes),
        persistStarts: lanes => this.#keepStarts(lanes),
        on: this.#options.on,
      }),
    )
    this.#engine.start()
    const { on } = this.#options
    if (on) this.#resources.use(meter(this.#lanes, { on, everyMs: PROGRESS_MS }))
  }

  #refuse(afterCutover: boolean): void {
    const { topics, cutover } = this.#plan
    const refused = topics.filter(({ action }) => action === 'refuse')
    if (topics.length === 0) {
      throw new KmigError('TOPIC_MISSING', `no topic of '${this.#options.from.name}' is chosen`, {
        try: ['see --topics and --exclude'],
      })
    }
    if (cutover && !afterCutover) {
      throw new KmigError(
        'CUT_OVER',
        `mirror ${this.name} was ended by cutover ${cutover.run} at ${cutover.at}: the clients are on '${this.#options.to.name}'`,
        {
          try: ['kmig cutover rollback, if they have not written there yet'],
        },
      )
    }
    if (refused.length > 0) {
      throw new KmigError(
        'TARGET_NOT_EMPTY',
        refused.map(({ topic, why }) => `topic ${topic}: ${why}`).join('; '),
        {
          try: [
            `leave them out: ${refused.map(({ topic }) => `--exclude ${topic}`).join(' ')}`,
            'or delete them on the target, if nobody needs what they hold',
          ],
        },
      )
    }
    const padding = topics
      .flatMap(({ partitions }) => partitions)
      .reduce((sum, each) => sum + each.padding, 0n)
    const limit = this.#options.paddingLimit ?? PADDING_LIMIT
    if (padding > limit) {
      throw new KmigError(
        'NEEDS_CONSENT',
        `identical offsets need ${padding} offsets of padding, about ${padding / 8_000_000n} s; the limit is ${limit}`,
        {
          try: [`--padding-limit ${padding}`],
        },
      )
    }
  }

  async #identity(state: MirrorState): Promise<Identity> {
    const { source, target } = this
    const known = state.identity
    if (known && known.sourceClusterId !== source.clusterId) {
      throw new KmigError(
        'PREFLIGHT',
        `mirror ${this.name} copies cluster ${known.sourceClusterId}, '${this.#options.from.name}' is ${source.clusterId}`,
        {
          try: ['give this mirror another --name'],
        },
      )
    }
    if (known) return known
    const newId = async () =>
      await target.any(
        InitProducerId,
        { transactionalId: null, transactionTimeoutMs: 0 },
        { ...this.#during, errorOf: answer => answer.errorCode },
      )
    const [data, control] = [await newId(), await newId()]
    const identity: Identity = {
      schema: 1,
      sourceClusterId: source.clusterId,
      targetClusterId: target.clusterId,
      producerId: data.producerId,
      producerEpoch: data.producerEpoch,
      controlProducerId: control.producerId,
    }
    await state.setIdentity(identity, this.#during)
    return identity
  }

  /** Makes the topics that are missing, holds the settings of all, and remembers them before anything is written. */
  async #prepare(state: MirrorState): Promise<Map<string, TopicState>> {
    const { topics } = this.#plan
    const missing = topics.filter(({ action }) => action === 'create')
    await createTopics(
      this.target,
      missing.map(({ topic, partitions, replicationFactor, configs }) => ({
        name: topic,
        partitions: partitions.length,
        replicationFactor,
        configs: { ...configs.final, ...configs.held },
      })),
      this.#during,
    )
    for (const { topic, partitions, replicationFactor } of missing) {
      this.#options.on?.({ kind: 'topic-created', topic, partitions: partitions.length, replicationFactor })
    }
    for (const { topic, action, configs } of topics) {
      if (action !== 'create')
        await alterTopicConfigs(this.target, topic, { set: configs.held, delete: [] }, this.#during)
    }
    const ids = new Map(
      (
        await this.target.metadata(
          topics.map(({ topic }) => topic),
          this.#during,
        )
      ).map(meta => [meta.name, meta.topicId]),
    )
    const states = new Map<string, TopicState>()
    for (const { topic, sourceId, action, partitions, configs } of topics) {
      const known = action === 'resume' ? state.topic(topic) : undefined
      const starts = known?.starts ?? partitions.map(({ start }) => start)
      states.set(topic, {
        sourceId,
        targetId: ids.get(topic) ?? '',
        starts,
        final: configs.final,
        held: configs.held,
      })
    }
    await state.setTopics(states, this.#during)
    return states
  }

  #lane(
    topic: string,
    partition: number,
    state: TopicState | undefined,
    { producerId, producerEpoch }: Identity,
  ): Lane {
    const start = state?.starts[partition] ?? Offset(0n)
    const anchor = this.#state?.anchor(`${topic}-${partition}`) ?? { offset: Offset(0n), epoch: -1 }
    return new Lane({ topic, partition, start, anchor, producer: { id: producerId, epoch: producerEpoch } })
  }

  async #keepAnchors(lanes: readonly Lane[]): Promise<void> {
    await this.#state?.setAnchors(lanes, { signal: AbortSignal.timeout(10_000) })
  }

  async #keepStarts(lanes: readonly Lane[]): Promise<void> {
    const changed = new Map<string, TopicState>()
    for (const { topic, partition, phase } of lanes) {
      const state = changed.get(topic) ?? this.#state?.topic(topic)
      if (!state || phase.at !== 'moving') continue
      changed.set(topic, { ...state, starts: state.starts.with(partition, phase.to) })
    }
    await this.#state?.setTopics(changed, this.#during)
  }

  /** Ends of the source's partitions now, by `topic-partition`. */
  async sourceEnds(): Promise<Map<string, bigint>> {
    const asks = this.#lanes.map(({ topic, partition }) => ({ topic, partition, timestamp: -1n }))
    const ends = await this.source.listOffsets(asks, { ...this.#during, isolation: 'read_committed' })
    return new Map([...ends].map(([where, { offset }]) => [where, offset]))
  }

  /** Resolves when the copy holds what the source held at the end of the bulk; stopped partitions are not waited for. */
  async caughtUp(): Promise<void> {
    for (let round = 0; round < 2; round++) await this.reached(await this.sourceEnds())
    const records = this.#lanes.reduce((sum, lane) => sum + lane.counts.records, 0n)
    this.#options.on?.({ kind: 'caught-up', records, ms: Math.round(performance.now() - this.#started) })
  }

  /** Resolves when every partition that goes on is on the target up to these ends. */
  async reached(ends: ReadonlyMap<string, bigint>): Promise<void> {
    await this.#engine?.reached(ends, this.#options.signal)
  }

  /** Copies group offsets as far as the records are copied. */
  async syncGroups(): Promise<GroupReport> {
    const bounds = new Map(
      this.#lanes
        .filter(lane => lane.sure || lane.stopped)
        .map(lane => [lane.where, { start: lane.start, end: lane.acked }]),
    )
    this.#groups = await syncGroups({
      source: this.source,
      target: this.target,
      groups: this.#options.groups,
      boundsOf: (topic, partition) => bounds.get(`${topic}-${partition}`),
      signal: this.#options.signal,
    })
    const count = (...kinds: string[]) =>
      this.#groups.rows.filter(({ outcome }) => kinds.includes(outcome.kind)).length
    this.#options.on?.({
      kind: 'groups',
      copied: count('committed'),
      unchanged: count('unchanged', 'kept'),
      refused: count('refused', 'waiting') + this.#groups.refused.length,
    })
    return this.#groups
  }

  /** Follows the source until the signal is aborted, or no partition goes on. Group offsets follow every `groupsEveryMs`. */
  async follow(groupsEveryMs = 5_000): Promise<void> {
    const { signal } = this.#options
    const timer = new AbortController()
    const groups = this.#everyOften(groupsEveryMs, AbortSignal.any([signal, timer.signal]))
    try {
      await this.#engine?.allStopped(signal)
    } finally {
      timer.abort()
      await groups
    }
  }

  async #everyOften(ms: number, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await sleep(ms, signal)
        await this.syncGroups()
      } catch (e) {
        if (signal.aborted) return
        if (!isKmigError(e)) throw e
        this.#options.on?.({ kind: 'warning', where: 'groups', text: messageOf(e) })
      }
    }
  }

  /** Gives the topics the settings that the source has: the end of mirroring. */
  async releaseTopics(): Promise<void> {
    for (const { topic, configs } of this.#plan.topics)
      await alterTopicConfigs(this.target, topic, releaseOf(configs), this.#during)
  }
  /** Takes the settings back to what mirroring needs. */
  async holdTopics(): Promise<void> {
    for (const { topic, configs } of this.#plan.topics)
      await alterTopicConfigs(this.target, topic, { set: configs.held, delete: [] }, this.#during)
  }
  /** Remembers on the target that the clients have moved there (or back, with null). */
  async setCutover(value: CutoverState | null): Promise<void> {
    this.#state ??= new MirrorState(await StateTopic.open(this.target, this.name, this.#during))
    await this.#state.setCutover(value, this.#during)
  }

  /** Stops the lanes and waits for what is under way; connections stay open. */
  async stopLanes(): Promise<void> {
    await this.#engine?.[Symbol.asyncDispose]()
  }

  report(): MirrorReport {
    const partitions = this.#lanes.map(partitionReport)
    return {
      name: this.name,
      ...this.#ends,
      ms: Math.round(performance.now() - this.#started),
      copyMs: copyMs(this.#lanes),
      records: partitions.reduce((sum, each) => sum + each.records, 0n),
      bytes: partitions.reduce((sum, each) => sum + each.bytes, 0n),
      partitions,
      groups: this.#groups,
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#resources.disposeAsync()
  }
}
