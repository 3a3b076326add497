import { join } from 'node:path'
import { type Entry, releaseOf } from '../inventory/index.ts'
import { alterTopicConfigs, Cluster, FramePool, LATEST } from '../kafka/index.ts'
import { type During, KmigError, LockFile, sleep } from '../kit/index.ts'
import { type GroupReport, StateTopic, stateTopicOf, type Written } from '../offsets/index.ts'
import { Brakes } from './brakes.ts'
import { Engine } from './engine.ts'
import { Follower } from './follow.ts'
import { batchLimit } from './follow-configs.ts'
import { acceptedGaps } from './gaps.ts'
import { moveGroups, planGroups } from './groups.ts'
import { Inventory } from './inventory.ts'
import type { Lane } from './lane.ts'
import { ledgerOf } from './ledger.ts'
import { type Memory, memoryOf } from './memory.ts'
import { metricsText, serveMetrics } from './metrics.ts'
import { newLane } from './new-lane.ts'
import { often } from './often.ts'
import type { MirrorOptions } from './options.ts'
import { type MirrorPlan, planTopics, topicChooser } from './plan.ts'
import { holdConfigs, identityOf, prepareTopics, refuse } from './prepare.ts'
import { type Meter, meter } from './progress.ts'
import { copyMs, type MirrorReport, partitionReport } from './report.ts'
import { settingWarnings } from './settings.ts'
import { type CutoverState, type Identity, MirrorState, type TopicState } from './state.ts'

/** What Kafka takes in a topic's name. */
const NAME = /^[\w.-]{1,200}$/
const PROGRESS_MS = 250
/** How often group offsets are copied, and ACLs and quotas. */
const GROUPS_MS = 5_000
const INVENTORY_MS = 30_000
const ENDS = { timeoutMs: 10_000, withinMs: 2_000 }

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
  readonly #memory: Memory
  readonly #brakes: Brakes
  readonly #started = performance.now()
  readonly #resources = new AsyncDisposableStack()
  #plan: MirrorPlan
  #state: MirrorState | undefined
  #engine: Engine | undefined
  #follower: Follower | undefined
  #lanes: Lane[] = []
  #groups: GroupReport = { rows: [], refused: [], excluded: [] }
  readonly #inventory: Inventory
  readonly #written: Written = { now: () => Date.now(), at: new Map() }

  private constructor(options: MirrorOptions, source: Cluster, target: Cluster, pool: FramePool) {
    this.#pool = pool
    this.#options = options
    this.#memory = memoryOf(options.memory)
    this.#brakes = new Brakes(options.maxRate)
    this.source = source
    this.target = target
    this.name = options.name ?? source.clusterId
    this.#inventory = new Inventory({
      ...options,
      source: { name: options.from.name, cluster: source },
      target: { name: options.to.name, cluster: target },
      mirrored: () => this.#plan.topics.map(({ topic }) => topic),
    })
    this.#plan = {
      ...this.#ends,
      name: this.name,
      stateTopic: stateTopicOf(this.name),
      topics: [],
      warnings: [],
      cutover: undefined,
    }
  }

  /** Throws USAGE (the name), UNREACHABLE, PREFLIGHT (both are one cluster), STATE_DAMAGED, with `own` LOCKED. */
  static async open(options: MirrorOptions): Promise<Mirror> {
    await using opened = new AsyncDisposableStack()
    const { from, to, signal } = options
    if (options.name !== undefined && !NAME.test(options.name)) {
      const what = `'${options.name}' can't be a mirror's name: its state topic is __kmig.<name>, so it has up to 200 letters, digits, '.', '_' and '-'`
      throw new KmigError('USAGE', what, { try: ['give another --name'] })
    }
    acceptedGaps(options.acceptGaps) // says what is wrong before anything is asked
    const pool = new FramePool(memoryOf(options.memory).pooled)
    const source = opened.use(await Cluster.open({ ...from, signal, pool }))
    const target = opened.use(await Cluster.open({ ...to, signal }))
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
    if (options.own) await mirror.#own(opened)
    const topic = await StateTopic.read(target, mirror.name, { signal })
    mirror.#state = topic && new MirrorState(topic)
    await mirror.#replan()
    mirror.#plan.warnings = await settingWarnings(target, mirror.#plan.topics, { signal })
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

  /** Takes the lock: what is seen after that no other mirror changes. */
  async #own(resources: AsyncDisposableStack): Promise<void> {
    resources.use(await LockFile.take(this.lockFile, `mirror ${this.name}`))
  }

  async #replan(): Promise<void> {
    const { topics, exclude, offsets, sync, signal } = this.#options
    const { source, target } = this
    const planned = await planTopics({
      source,
      target,
      state: this.#state,
      topics,
      exclude,
      offsets,
      sync,
      signal,
    })
    this.#plan = { ...this.#plan, topics: planned, cutover: this.#state?.cutover }
  }

  /** Throws what forbids to start: LOCKED, CUT_OVER, TARGET_NOT_EMPTY, NEEDS_CONSENT. Nothing was written then. */
  async start({ afterCutover = false }: { afterCutover?: boolean } = {}): Promise<void> {
    if (!this.#options.own) {
      await this.#own(this.#resources)
      const known = await StateTopic.read(this.target, this.name, this.#during)
      this.#state = known && new MirrorState(known)
      await this.#replan()
    }
    refuse(this.#plan, { afterCutover, paddingLimit: this.#options.paddingLimit })
    if (!this.#state) {
      this.#state = new MirrorState(await StateTopic.open(this.target, this.name, this.#during))
      await this.#replan() // a target without any topic could not tell before which settings it knows
    }
    const { source, target } = this
    const denied = this.#plan.topics.filter(topic => topic.denied)
    this.#plan = { ...this.#plan, topics: this.#plan.topics.filter(topic => !topic.denied) }
    const how = { source, target, plan: this.#plan, state: this.#state, denied, ...this.#options }
    const identity = await identityOf(how)
    const topics = await prepareTopics(how)
    this.#lanes = this.#plan.topics.flatMap(({ topic, partitions }) =>
      partitions.map(({ partition }) => this.#lane(topic, partition, topics.get(topic), identity)),
    )
    const { on } = this.#options
    const gauge = this.#resources.use(meter(this.#lanes, this.#brakes, { on, everyMs: PROGRESS_MS }))
    await this.#serveMetrics(gauge)
    const ids = (side: 'sourceId' | 'targetId') =>
      new Map([...topics].map(([name, state]) => [name, state[side]] as const))
    const topicIds = { source: ids('sourceId'), target: ids('targetId') }
    const batchLimits = new Map([...topics].map(([name, { held }]) => [name, batchLimit(held)] as const))
    const follower = new Follower({
      ...how,
      add: (topic, now) => {
        topicIds.source.set(topic, now.sourceId)
        topicIds.target.set(topic, now.targetId)
        batchLimits.set(topic, batchLimit(now.held))
        const mirrored = this.#lanes.filter(lane => lane.topic === topic).length
        const added = now.starts.map((_, partition) => partition).slice(mirrored)
        this.#engine?.add(added.map(partition => this.#lane(topic, partition, now, identity)))
      },
    })
    this.#follower = follower
    this.#engine = this.#resources.use(
      new Engine({
        pool: this.#pool,
        source: this.source,
        target: this.target,
        lanes: this.#lanes,
        brakes: this.#brakes,
        memory: this.#memory,
        ids: {
          data: new Set([identity.producerId]),
          control: new Set([identity.controlProducerId, ...identity.formerControlIds]),
        },
        control: { id: identity.controlProducerId, epoch: identity.controlProducerEpoch },
        topicIds,
        batchLimits,
        chosen: topicChooser(this.#options),
        persist: async (lanes, during) => await this.#state?.setAnchors(lanes, { signal: during }),
        persistMaps: async (lanes, during) => await this.#state?.setMaps(lanes, { signal: during }),
        persistStarts: (lanes, during) => this.#keepStarts(lanes, { signal: during }),
        acceptedGaps: acceptedGaps(this.#options.acceptGaps),
        persistGap: async ({ where }, gap, during) =>
          await this.#state?.addGap(where, gap, { signal: during }),
        follow: async (found, { configs }) => {
          await follower.topics(found)
          if (!configs) return
          await follower.configs(found.map(({ name }) => name))
          for (const name of batchLimits.keys())
            batchLimits.set(name, batchLimit(how.state.topic(name)?.held))
        },
        on: this.#options.on,
      }),
    )
    this.#engine.start()
  }

  async #serveMetrics(gauge: Meter): Promise<void> {
    const { metrics } = this.#options
    if (!metrics) return
    const requests = () =>
      new Map(
        (['source', 'target'] as const).flatMap(side =>
          [...this[side].requests].map(([api, count]) => [`${side}/${api}`, count] as const),
        ),
      )
    const text = () =>
      metricsText({
        name: this.name,
        lanes: this.#lanes,
        progress: gauge.now,
        refused: this.#follower?.refused.length ?? 0,
        requests: requests(),
      })
    this.#resources.use(await serveMetrics(metrics, text))
  }

  #lane(topic: string, partition: number, now: TopicState | undefined, identity: Identity): Lane {
    return newLane({ topic, partition, now, state: this.#state, identity, options: this.#options })
  }

  async #keepStarts(lanes: readonly Lane[], during: During): Promise<void> {
    const changed = new Map<string, TopicState>()
    for (const { topic, partition, phase } of lanes) {
      const state = changed.get(topic) ?? this.#state?.topic(topic)
      if (!state || phase.at !== 'moving') continue
      changed.set(topic, { ...state, starts: state.starts.with(partition, phase.to) })
    }
    if (changed.size > 0) await this.#state?.setTopics(changed, during)
  }

  /** Ends of the source's partitions now, by `topic-partition`; waits for those that can't be had, unless their lane stops. */
  async sourceEnds(): Promise<Map<string, bigint>> {
    const ends = new Map<string, bigint>()
    for (;;) {
      const open = this.#lanes.filter(lane => !lane.stopped && !ends.has(lane.where))
      if (open.length === 0) return ends
      const found = await this.source.listOffsets(
        open.map(({ topic, partition }) => ({ topic, partition, timestamp: LATEST })),
        { ...this.#during, ...ENDS, isolation: 'read_committed', refused: () => {} },
      )
      for (const [where, { offset }] of found) ends.set(where, offset)
      if (found.size < open.length) await sleep(PROGRESS_MS, this.#options.signal)
    }
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
    const { source, target } = this
    const how = { ...this.#options, source, target, lanes: this.#lanes, written: this.#written }
    this.#groups = await moveGroups(how)
    return this.#groups
  }

  /** Everything that the source has, with what would become of it. Changes nothing. */
  async fullPlan(): Promise<MirrorPlan & { inventory: readonly Entry[] }> {
    await this.#inventory.look()
    const { source, target } = this
    const { groups, signal } = this.#options
    this.#groups = await planGroups({ source, target, groups, topics: this.#plan.topics, signal })
    const warnings = [...this.#plan.warnings, ...this.#inventory.warnings]
    return { ...this.#plan, warnings, inventory: this.#ledger() }
  }

  /** Gives the target the ACLs and quotas that it lacks, as far as they are to be copied, and looks at the rest. */
  async syncInventory(): Promise<readonly Entry[]> {
    await this.#inventory.apply()
    return this.#ledger()
  }
  /** ACLs that were held back are made. */
  async liftWriteHold(): Promise<void> {
    this.#inventory.writeHold = false
    await this.#inventory.apply()
  }

  #ledger(): Entry[] {
    return ledgerOf({
      ...this.#options,
      planned: this.#plan.topics,
      lanes: this.#lanes,
      unfollowed: this.#follower?.refused ?? [],
      groups: this.#groups,
      inventory: this.#inventory,
    })
  }

  /** Follows the source until the signal is aborted, or no partition goes on; group offsets, ACLs and quotas follow too. */
  async follow({ groupsEveryMs = GROUPS_MS, inventoryEveryMs = INVENTORY_MS } = {}): Promise<void> {
    const { signal } = this.#options
    const timer = new AbortController()
    const until = { ...this.#options, signal: AbortSignal.any([signal, timer.signal]) }
    const groups = often({ ...until, where: 'groups', everyMs: groupsEveryMs }, () => this.syncGroups())
    const inventory = often({ ...until, where: 'inventory', everyMs: inventoryEveryMs, firstMs: 0 }, () =>
      this.syncInventory(),
    )
    try {
      await this.#engine?.allStopped(signal)
    } finally {
      timer.abort()
      await Promise.all([groups, inventory])
    }
  }

  /** Gives the topics the settings that the source has: the end of mirroring. */
  async releaseTopics(): Promise<void> {
    for (const { topic, configs } of this.#plan.topics)
      await alterTopicConfigs(this.target, topic, releaseOf(configs), this.#during)
  }
  /** Takes the settings back to what mirroring needs. */
  async holdTopics(): Promise<void> {
    await holdConfigs(this.target, this.#plan.topics, this.#during)
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
      refused: this.#follower?.refused ?? [],
      groups: this.#groups,
      inventory: this.#ledger(),
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#resources.disposeAsync()
  }
}
