import { join } from 'node:path'
import { type Entry, noLimits, releaseOf } from '../inventory/index.ts'
import { alterTopicConfigs, type Cluster, FramePool, partitionOf } from '../kafka/index.ts'
import { bug, type During, LockFile, messageOf } from '../kit/index.ts'
import { type GroupReport, StateTopic, stateTopicOf, type Written } from '../offsets/index.ts'
import { along, type Every } from './along.ts'
import { Brakes } from './brakes.ts'
import { committedEnds } from './committed-ends.ts'
import { Engine } from './engine.ts'
import { Follower } from './follow.ts'
import { acceptedGaps } from './gaps.ts'
import { moveGroups, planGroups } from './groups.ts'
import { Inventory } from './inventory.ts'
import { Known } from './known.ts'
import type { Lane } from './lane.ts'
import type { LaneOptions } from './lane-shape.ts'
import { ledgerOf } from './ledger.ts'
import { type Memory, memoryOf } from './memory.ts'
import { metricsOf, serveMetrics } from './metrics.ts'
import { newLane } from './new-lane.ts'
import type { MirrorOptions } from './options.ts'
import { Ownership, type Share } from './ownership.ts'
import { patienceOf, patiently } from './patience.ts'
import { type MirrorPlan, nothingPlanned, planTopics, type TopicPlan, topicChooser } from './plan.ts'
import { awaitPrepared, holdConfigs, refuse } from './prepare.ts'
import { meter } from './progress.ts'
import { makeReady } from './ready.ts'
import { type MirrorReport, reportOf } from './report.ts'
import { targetSettings } from './settings.ts'
import { claimOf, Sharing, takeShare } from './sharing.ts'
import { type CutoverState, MirrorState, type TopicState } from './state.ts'
import { openBoth } from './two-clusters.ts'
import { isAnew } from './verdict.ts'
import { asShared, isOutdated, Missed, partsReady, type Work, workToShare } from './work.ts'

/**
 * A mirror of one cluster onto another. `open` looks and plans and changes nothing; `start` takes the lock, makes the
 * topics and sets the lanes going; disposing it stops cleanly. Source: MIRROR.md.
 */
export class Mirror implements AsyncDisposable {
  readonly source: Cluster
  readonly target: Cluster
  readonly name: string
  readonly #options: MirrorOptions
  readonly #during: During
  readonly #pool: FramePool
  readonly #memory: Memory
  readonly #brakes: Brakes
  readonly #started = performance.now()
  readonly #resources = new AsyncDisposableStack()
  #plan: MirrorPlan
  /** Values of settings that the target was seen to refuse. */
  readonly #limits = noLimits()
  #partial = false
  #state: MirrorState | undefined
  #engine: Engine | undefined
  #follower: Follower | undefined
  #share: Share | undefined
  #work: Work[] | undefined
  #sharing: Sharing | undefined
  readonly #missed = new Missed()
  readonly #lanes: Lane[] = []
  readonly #known = new Known()
  #groups: GroupReport = { rows: [], refused: [], excluded: [] }
  readonly #inventory: Inventory
  readonly #written: Written = { now: () => Date.now(), at: new Map() }

  private constructor(options: MirrorOptions, source: Cluster, target: Cluster, pool: FramePool) {
    this.#pool = pool
    this.#options = options
    this.#during = { signal: options.signal }
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
    this.#plan = nothingPlanned({ ...this.#ends, name: this.name }, options)
  }

  /** Throws USAGE (the name), UNREACHABLE, PREFLIGHT (both are one cluster), STATE_DAMAGED, with `own` LOCKED. */
  static async open(options: MirrorOptions): Promise<Mirror> {
    await using opened = new AsyncDisposableStack()
    const { signal } = options
    acceptedGaps(options.acceptGaps) // says what is wrong before anything is asked
    const pool = new FramePool(memoryOf(options.memory).pooled)
    const { source, target } = await openBoth(options, { pool, opened })
    const mirror = new Mirror(options, source, target, pool)
    if (options.own) await mirror.#own(opened)
    await patiently(patienceOf(options, 'mirror'), async () => {
      const topic = await StateTopic.read(target, mirror.name, { signal })
      mirror.#state = topic && new MirrorState(topic)
      await mirror.#replan()
      const settings = await targetSettings(target, mirror.#plan.topics, { signal })
      mirror.#plan.warnings = settings.warnings
      mirror.#known.requestBytes = settings.requestBytes
    })
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
  get plan(): MirrorPlan {
    return this.#plan
  }
  get lanes(): readonly Lane[] {
    return this.#lanes
  }
  get state(): MirrorState | undefined {
    return this.#state
  }
  get lockFile(): string {
    return join(this.#options.stateDir, 'locks', `${this.target.clusterId}.${this.name}.lock`)
  }

  /** Takes the lock: what is seen after that no other mirror changes. */
  async #own(resources: AsyncDisposableStack): Promise<void> {
    resources.use(await LockFile.take(this.lockFile, `mirror ${this.name}`))
  }

  async #replan(): Promise<void> {
    const { source, target } = this
    const planned = await planTopics({
      ...this.#options,
      source,
      target,
      state: this.#state,
      limits: this.#limits,
      recover: this.name,
    })
    this.#plan = { ...this.#plan, topics: planned, cutover: this.#state?.cutover }
  }

  /**
   * Throws what forbids to start: LOCKED, CUT_OVER, TARGET_NOT_EMPTY, NEEDS_CONSENT. Nothing was written then. `partial`:
   * topics that are refused don't keep the others back.
   */
  async start({ afterCutover = false, partial = false } = {}): Promise<void> {
    this.#partial = partial
    if (!this.#options.own) {
      await this.#own(this.#resources)
      const known = await StateTopic.read(this.target, this.name, this.#during)
      this.#state = known && new MirrorState(known)
      await this.#replan()
    }
    refuse(this.#plan, { afterCutover, partial, paddingLimit: this.#options.paddingLimit })
    const { target, name } = this
    const { exclusive, stateDir, metrics, signal, on } = this.#options
    const work = async () => {
      const known = [...(this.#follower?.shut ?? []), ...this.#plan.topics]
      this.#work = await workToShare(known, this.#state, { ...this.#options, source: this.source, target })
      return this.#work
    }
    const ownership = this.#resources.use(
      new Ownership({ target, group: stateTopicOf(name), stateDir, exclusive, work }),
    )
    const takeOn = (next: Share, during: During) => this.#takeOn(next, ownership, during)
    const { share, lanes } = await patiently(patienceOf(this.#options, 'mirror'), () =>
      takeShare({ ownership, takeOn, on }, { patient: false, signal }),
    )
    this.#resources.defer(() => this.#sharing?.end())
    const engine = this.#resources.use(this.#newEngine(ownership))
    engine.resume(lanes)
    engine.start()
    on?.({ kind: 'share', partitions: lanes.length, leads: share.leads, alone: share.alone })
    const gauge = this.#resources.use(meter(this.#lanes, this.#brakes, { on }))
    const refused = () => this.#follower?.refused.length ?? 0
    const shown = { name, source: this.source, target, lanes: this.#lanes, gauge, refused }
    if (metrics) this.#resources.use(await serveMetrics(metrics, () => metricsOf(shown)))
    this.#engine = engine
    this.#sharing = new Sharing({ ownership, engine, lanes: this.#lanes, takeOn, signal, on })
  }

  /** Makes the lanes of a share; who leads makes the topics first, the others wait until that is done. */
  async #takeOn(share: Share, ownership: Ownership, during: During): Promise<Lane[]> {
    const again = this.#share !== undefined
    this.#share = share
    const parts = share.wheres.map(partitionOf)
    const state = share.leads
      ? await this.#lead(ownership, { again })
      : await awaitPrepared({ target: this.target, name: this.name, parts, ...during })
    this.#state = state
    this.#known.learn(state)
    const mine = new Map(this.#lanes.map(lane => [lane.where, lane] as const))
    const strayUntil = performance.now() + ownership.quietMs
    return partsReady(share.wheres, state).map(where => {
      const before = mine.get(where)
      if (before && share.unbroken) return before
      const stray = share.heldBy(where) === undefined ? undefined : strayUntil
      const { topic, partition } = partitionOf(where)
      return this.#lane(topic, partition, { counts: before?.counts, strayUntil: stray })
    })
  }

  #lane(topic: string, partition: number, before?: Pick<LaneOptions, 'counts' | 'strayUntil'>): Lane {
    const state = this.#state
    const identity = state?.identity
    if (!state || !identity) throw bug('a lane of a mirror without identity')
    return newLane({ topic, partition, state, identity, before, options: this.#options })
  }

  #how(state: MirrorState) {
    const { source, target } = this
    return { source, target, plan: this.#plan, state, limits: this.#limits, ...this.#options }
  }

  /** Topics and state as the mirror needs them, on the target. `again`: a try before may have made some of it. */
  async #lead(ownership: Ownership, { again }: { again: boolean }): Promise<MirrorState> {
    const first = !this.#state
    const state = this.#state ?? new MirrorState(await StateTopic.open(this.target, this.name, this.#during))
    this.#state = state
    // a target without any topic could not tell before which settings it knows
    if (first || again || isOutdated(this.#plan.topics, state)) {
      await this.#replan()
      this.#plan.topics = asShared(this.#plan.topics, this.#work ?? [])
    }
    // what can't be mirrored any more has stopped by name, and is copied anew at a start only
    const gone = ({ topic, action }: TopicPlan) => !!(this.#engine && isAnew(action) && state.topic(topic))
    const { topics, shut } = await makeReady({ ...this.#how(state), partial: this.#partial, gone })
    this.#plan.topics = topics
    this.#follower = new Follower({
      ...this.#how(state),
      shut,
      add: (topic, now) => this.#added(topic, now, ownership),
    })
    return state
  }

  /** A topic that appeared, or grew, can be copied: by this process if it is the only one, else by whoever gets it. */
  async #added(topic: string, now: TopicState, ownership: Ownership): Promise<void> {
    this.#known.topic(topic, now)
    if (!this.#share?.alone) {
      ownership.shareAnew(`${topic} has partitions that nobody copies yet`)
      return
    }
    const mirrored = this.#lanes.filter(lane => lane.topic === topic).length
    const lanes = now.starts.map((_, partition) => this.#lane(topic, partition)).slice(mirrored)
    try {
      await ownership.hold(lanes.map(claimOf), this.#during)
      this.#engine?.add(lanes)
    } catch (e) {
      ownership.shareAnew(`${topic} could not be claimed: ${messageOf(e)}`) // or nobody would copy it
    }
  }

  /** What fell between two sharings is shared out again; once, as a partition that can't be given must not end all leases. */
  #missNobody(found: readonly { name: string }[], ownership: Ownership): void {
    const state = this.#state
    if (!state || !ownership.holds) return
    const refused = this.#plan.topics.filter(({ action }) => action === 'refuse')
    const how = { state, refused: [...refused, ...(this.#follower?.shut ?? [])] }
    const fresh = this.#missed.fresh(found, { ...how, given: [...(this.#work ?? []), ...this.#lanes] })
    if (fresh.length > 0) ownership.shareAnew(`nobody was given ${fresh.join(', ')}`)
  }

  #newEngine(ownership: Ownership): Engine {
    const ours = (): MirrorState | undefined => {
      ownership.check()
      return this.#state
    }
    return new Engine({
      pool: this.#pool,
      ...{ source: this.source, target: this.target },
      lanes: this.#lanes,
      ...this.#known,
      control: () => this.#known.control(),
      brakes: this.#brakes,
      memory: this.#memory,
      chosen: topicChooser(this.#options),
      persist: async (lanes, during) => await ours()?.setAnchors(lanes, { signal: during }),
      persistMaps: async (lanes, during) => await ours()?.setMaps(lanes, { signal: during }),
      persistSent: async (lanes, during) => await ours()?.setSent(lanes, { signal: during }),
      persistStarts: async (lanes, during) => await ours()?.setStarts(lanes, { signal: during }),
      acceptedGaps: acceptedGaps(this.#options.acceptGaps),
      persistGap: async ({ where }, gap, during) => await ours()?.addGap(where, gap, { signal: during }),
      follow: async (found, { configs }) => {
        if (!this.#share?.leads) return
        this.#missNobody(found, ownership)
        await this.#follower?.topics(found)
        if (!configs) return
        await this.#follower?.configs(found.map(({ name }) => name))
        for (const { name } of found) this.#known.topic(name, this.#state?.topic(name))
      },
      owns: () => ownership.holds,
      on: this.#options.on,
    })
  }

  /** Ends of the source's partitions now, by `topic-partition`. */
  async sourceEnds(): Promise<Map<string, bigint>> {
    return await committedEnds(this.source, this.#lanes, this.#during)
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
    const mirrored = this.#plan.topics.map(({ topic }) => topic)
    const how = { ...this.#options, source, target, mirrored, lanes: this.#lanes, written: this.#written }
    this.#groups = await moveGroups({ ...how, moved: this.#state?.moved })
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
    if (this.#share?.leads ?? true) await this.#inventory.apply()
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
  async follow(every: Every = {}): Promise<void> {
    const [groups, inventory] = [() => this.syncGroups(), () => this.syncInventory()]
    const ended = async () => await this.#engine?.allStopped(this.#options.signal)
    await along({ ...this.#options, ...every, groups, inventory }, ended)
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
    await this.#sharing?.end()
  }

  report(): MirrorReport {
    return reportOf(this.#lanes, {
      name: this.name,
      ...this.#ends,
      ms: Math.round(performance.now() - this.#started),
      refused: this.#follower?.refused ?? [],
      groups: this.#groups,
      inventory: this.#ledger(),
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#resources.disposeAsync()
  }
}
