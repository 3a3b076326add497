import { join } from 'node:path'
import {
  type Cluster,
  FramePool,
  LATEST,
  partitionKey,
  partitionOf,
  type TopicMetadata,
} from '../kafka/index.ts'
import { bug, type During, KmigError, LockFile, messageOf, Offset } from '../kit/index.ts'
import { type GroupReport, StateTopic, stateTopicOf } from '../offsets/index.ts'
import { Brakes } from './brakes.ts'
import { Engine } from './engine.ts'
import type { MirrorEvent } from './events.ts'
import { Known } from './known.ts'
import type { Lane } from './lane.ts'
import { memoryOf } from './memory.ts'
import { newLane } from './new-lane.ts'
import { Ownership, type Share } from './ownership.ts'
import { raiseControlEpoch } from './prepare.ts'
import { meter } from './progress.ts'
import { type PartitionReport, partitionReport } from './report.ts'
import { arm, disarm } from './reverse-arm.ts'
import { carryStranded } from './reverse-carry.ts'
import { drained } from './reverse-drain.ts'
import { groupsBack } from './reverse-groups.ts'
import { reverseProblems } from './reverse-preflight.ts'
import { rejoinForward } from './reverse-rejoin.ts'
import type {
  Armed,
  Cut,
  CutPoints,
  Drained,
  ReverseLag,
  ReverseOptions,
  ReverseProblem,
  Stranded,
} from './reverse-shape.ts'
import { backOf, ReverseState } from './reverse-state.ts'
import { findStrays, strayText, without } from './reverse-strays.ts'
import { Sharing, takeShare } from './sharing.ts'
import { MirrorState } from './state.ts'
import { openBoth } from './two-clusters.ts'

/** A new cluster that does not answer must not hold up who asks how far the old one is behind. */
const LAG_MS = 3_000

/**
 * The way back of a mirror that was cut over: copies what clients write to the new cluster to the old one, from the cut
 * on and at equal offsets, so that a rollback loses nothing. It needs no mark against loops: it starts when the mirror has
 * stopped for good and nobody else writes to the old cluster. Source: CUTOVER.md 3.
 */
export class ReverseMirror implements AsyncDisposable {
  /** The new cluster. */
  readonly source: Cluster
  /** The old one. */
  readonly target: Cluster
  readonly #o: ReverseOptions
  readonly #during: During
  readonly #pool: FramePool
  readonly #resources = new AsyncDisposableStack()
  readonly #lanes: Lane[] = []
  readonly #known = new Known()
  /** Topics that have what is not taken back. */
  readonly #beside = new Set<string>()
  /** Searches for what is stranded. */
  readonly #looking = new Set<Promise<void>>()
  #locked = false
  #state: ReverseState | undefined
  #engine: Engine | undefined
  #sharing: Sharing | undefined

  private constructor(options: ReverseOptions, source: Cluster, target: Cluster, pool: FramePool) {
    this.#o = options
    this.#during = { signal: options.signal }
    this.#pool = pool
    this.source = source
    this.target = target
  }

  /** Changes nothing. Throws UNREACHABLE, PREFLIGHT (both are one cluster), STATE_DAMAGED. */
  static async open(options: ReverseOptions): Promise<ReverseMirror> {
    await using opened = new AsyncDisposableStack()
    const pool = new FramePool(memoryOf(options.memory).pooled)
    const { source, target } = await openBoth({ ...options, name: backOf(options.name) }, { pool, opened })
    const reverse = new ReverseMirror(options, source, target, pool)
    const topic = await StateTopic.read(target, backOf(options.name), { signal: options.signal })
    reverse.#state = topic && new ReverseState(topic)
    reverse.#resources.use(opened.move())
    return reverse
  }

  get lanes(): readonly Lane[] {
    return this.#lanes
  }
  /** Where it was cut, as it was armed last; empty if it never was. */
  get cut(): CutPoints {
    return this.#state?.armed ? this.#state.cut : new Map()
  }

  /** What would keep records of these topics from the old cluster. Changes nothing. */
  async problems(topics: readonly string[]): Promise<ReverseProblem[]> {
    const { source, target } = this
    return await reverseProblems({ source, target, topics, ...this.#during })
  }

  /** Takes the lock and makes the state topic on the old cluster. Throws LOCKED, AUTHORIZATION. */
  async prepare(): Promise<void> {
    const { name, stateDir } = this.#o
    if (!this.#locked) {
      const path = join(stateDir, 'locks', `${this.target.clusterId}.${backOf(name)}.lock`)
      this.#resources.use(await LockFile.take(path, `way back of mirror ${name}`))
      this.#locked = true
    }
    if (!this.#state)
      this.#state = new ReverseState(await StateTopic.open(this.target, backOf(name), this.#during))
    else await this.#state.refresh(this.#during)
  }

  /**
   * Fixes where the way back begins: the mirror has stopped for good, and nobody writes to either cluster. Doing it again
   * after a crash goes on. Throws PREFLIGHT (a cluster does not end at the cut), TARGET_TRUNCATED, LOCKED.
   */
  async arm(cut: Cut): Promise<Armed> {
    await this.prepare()
    const state = this.#armable
    const { name, run, groups } = this.#o
    const { source, target } = this
    const already = await arm({ source, target, name, run, groups, state, ...this.#during }, cut)
    const { identity, topicNames } = state.mirror
    const { stranded } = state
    const strangers = new Set(stranded.map(({ where }) => where))
    const translated = topicNames.flatMap(topic => {
      const parts = state.mirror.topic(topic)?.translated ?? []
      return parts.map(partition => {
        const where = `${topic}-${partition}`
        const why = strangers.has(where)
          ? 'somebody wrote to the old cluster after the cut'
          : 'the mirror translated it'
        return { where, why }
      })
    })
    return {
      already,
      producerId: identity?.producerId ?? -1n,
      partitions: cut.size,
      translated,
      stranded,
    }
  }
  /** Forgets an arming by which nothing was taken back: the switch was undone. Throws PREFLIGHT if something was. */
  async disarm(): Promise<void> {
    const { target } = this
    if (this.#state) await disarm({ target, run: this.#o.run, state: this.#state, ...this.#during })
  }
  /**
   * Copies what is stranded on the old cluster to the new one, before the lanes go on; their partitions are translated
   * from there. Gives all that was stranded. Throws PREFLIGHT (too much, or a transaction is open).
   */
  async carry(): Promise<Stranded[]> {
    if (this.#engine) throw bug('what is stranded is carried before the way back starts')
    const { source, target } = this
    await carryStranded({ source, target, state: this.#armable, ...this.#during })
    return this.#armable.stranded
  }
  get #armable(): ReverseState {
    if (!this.#state) throw bug('the way back has no state')
    return this.#state
  }

  /** Sets the lanes going. Throws PREFLIGHT (not armed for this run), LOCKED (another process goes this way back). */
  async start(): Promise<void> {
    const { name, run, stateDir, signal, on, maxRate, memory } = this.#o
    const state = this.#armable
    if (state.armed?.run !== run)
      throw new KmigError('PREFLIGHT', `the way back of mirror ${name} is not armed for run ${run}`)
    const { source, target } = this
    const wheres = [...state.cut.keys()]
    const group = stateTopicOf(backOf(name))
    const work = async () => {
      await state.refresh(this.#during)
      await raiseControlEpoch(target, state.mirror, this.#during)
      return wheres.map(where => ({ where, weight: 1 }))
    }
    const ownership = this.#resources.use(new Ownership({ target, group, stateDir, exclusive: true, work }))
    const takeOn = async (share: Share) => this.#takeOn(share, ownership)
    const { lanes } = await takeShare({ ownership, takeOn, on }, { patient: false, signal })
    this.#resources.defer(() => this.#sharing?.end())
    const ours = () => {
      ownership.check()
      return state.mirror
    }
    const engine = this.#resources.use(
      new Engine({
        pool: this.#pool,
        ...{ source, target },
        lanes: this.#lanes,
        ids: this.#known.ids,
        control: () => this.#known.control(),
        brakes: new Brakes(maxRate),
        memory: memoryOf(memory),
        topicIds: this.#known.topicIds,
        batchLimits: this.#known.batchLimits,
        requestBytes: this.#known.requestBytes,
        skip: new Set(state.stranded.flatMap(({ carry }) => carry?.producerId ?? [])),
        chosen: topic => !topic.startsWith('__'),
        persist: async (some, during) => await ours().setAnchors(some, { signal: during }),
        persistMaps: async (some, during) => await ours().setMaps(some, { signal: during }),
        persistSent: async (some, during) => await ours().setSent(some, { signal: during }),
        persistStarts: async () => {},
        acceptedGaps: new Map(),
        persistGap: async () => {},
        follow: async topics => this.#uncovered(topics),
        owns: () => ownership.holds,
        on: event => this.#heard(event),
      }),
    )
    engine.resume(lanes)
    engine.start()
    this.#resources.use(meter(this.#lanes, new Brakes(maxRate), { on }))
    this.#engine = engine
    this.#sharing = new Sharing({ ownership, engine, lanes: this.#lanes, takeOn, signal, on })
  }

  #takeOn(share: Share, ownership: Ownership): Lane[] {
    const { mirror: state, stranded } = this.#armable
    const { identity } = state
    if (!identity) throw bug('a way back without identity')
    this.#known.learn(state)
    const mine = new Map(this.#lanes.map(lane => [lane.where, lane] as const))
    const strayUntil = performance.now() + ownership.quietMs
    const { offsets, fillingLimitMs } = this.#o
    return share.wheres.map(where => {
      const known = mine.get(where)
      if (known && share.unbroken) return known
      const before = {
        counts: known?.counts,
        strayUntil: share.heldBy(where) === undefined ? undefined : strayUntil,
      }
      const strays = stranded.filter(each => each.where === where && each.carried)
      const options = { offsets, fillingLimitMs, back: true, strays }
      return newLane({ ...partitionOf(where), state, identity, before, options })
    })
  }

  /** What the new cluster has beside what was cut. */
  #uncovered(topics: readonly TopicMetadata[]): void {
    const { cut } = this.#armable
    for (const { name, partitions } of topics) {
      if (partitions.every(({ partition }) => cut.has(partitionKey(name, partition)))) continue
      if (this.#beside.has(name)) continue
      this.#beside.add(name)
      const text = 'it was made, or got partitions, after the cut: nothing of that is taken back'
      this.#o.on?.({ kind: 'warning', where: name, text })
    }
  }

  /** A partition that stopped over what others wrote to the old cluster: the range is found, remembered and told. */
  #heard(event: MirrorEvent): void {
    this.#o.on?.(event)
    if (event.kind !== 'stopped' || event.error.code !== 'FOREIGN_WRITE') return
    const looking = this.#strays(event.where).catch(e => {
      if (!this.#o.signal.aborted)
        this.#o.on?.({
          kind: 'warning',
          where: event.where,
          text: `what is stranded is not known: ${messageOf(e)}`,
        })
    })
    this.#looking.add(looking)
    void looking.finally(() => this.#looking.delete(looking))
  }
  /** `from`: before it others have written nothing that is not known. */
  async #strays(where: string, from = this.#armable.cut.get(where)?.old): Promise<void> {
    const state = this.#armable
    if (from === undefined) return
    const ids = (this.#engine ? undefined : state.mirror.producerIds) ?? this.#known.ids
    const all = await findStrays({ target: this.target, where, ids, from, ...this.#during })
    const known = state.stranded.filter(each => each.where === where && (each.carry || each.to <= from))
    const found = without(all, known)
    if (found.length === 0) return
    const more = found.map(range => ({ ...range, carried: false }))
    await state.setStranded(where, [...known, ...more], this.#during)
    const text = `${strayText(found)} of the old cluster were written there after the cut, by somebody else: the new one lacks them`
    this.#o.on?.({ kind: 'warning', where, text })
  }

  /** Looks what others wrote to the old cluster since the cut, before the lanes go; gives all that is known of it. */
  async strays(): Promise<Stranded[]> {
    const state = this.#armable
    for (const where of state.cut.keys()) await this.#strays(where, state.mirror.anchor(where)?.offset)
    return state.stranded
  }
  /** A partition that nobody writes to on the new cluster does not notice who writes to the old one. */
  async #quietStrays(): Promise<void> {
    const asks = this.#lanes.map(({ topic, partition }) => ({ topic, partition, timestamp: LATEST }))
    const ends = await this.target.listOffsets(asks, { ...this.#during, withinMs: LAG_MS, refused: () => {} })
    for (const lane of this.#lanes) {
      const end = ends.get(lane.where)?.offset ?? 0n
      // what it has sent and does not know to have landed could be what stands there
      if (lane.stopped || !lane.sure || !lane.idle || end <= lane.place.target) continue
      const known = this.#armable.stranded.some(each => each.where === lane.where && each.to >= end)
      if (!known) await this.#strays(lane.where, lane.place.target)
    }
  }

  /** How far the old cluster is behind the new one now. */
  async lag(): Promise<ReverseLag> {
    await Promise.all(this.#looking)
    await this.#quietStrays()
    const { stranded } = this.#armable
    const asks = this.#lanes.map(({ topic, partition }) => ({ topic, partition, timestamp: LATEST }))
    const ask = { ...this.#during, withinMs: LAG_MS, refused: () => {}, isolation: 'read_committed' as const }
    const ends = await this.source.listOffsets(asks, ask)
    const behind = this.#lanes
      .map(({ where, acked, sourceEnd }) => ({
        where,
        records: (ends.get(where)?.offset ?? sourceEnd ?? acked) - acked,
      }))
      .filter(({ records }) => records > 0n)
      .sort((a, b) => (a.records > b.records ? -1 : 1))
    const seen = new Map([...ends].map(([where, { offset }]) => [where, Offset(offset)]))
    const stopped = this.#lanes.flatMap(({ where, acked, stopped: error }) =>
      error ? [{ where, from: acked, error }] : [],
    )
    return {
      records: behind.reduce((sum, each) => sum + each.records, 0n),
      worst: behind[0],
      seen,
      stopped,
      stranded,
      uncovered: [...this.#beside],
    }
  }

  /**
   * Resolves when the old cluster holds all that the new one had at these ends, R, on all replicas. Throws what stopped a
   * partition before it was there, or with `lossy` names what is missing.
   */
  async drained(
    ends: ReadonlyMap<string, bigint>,
    { lossy, signal = this.#o.signal }: { lossy?: boolean; signal?: AbortSignal } = {},
  ): Promise<Drained> {
    const engine = this.#engine
    if (!engine) throw bug('the way back was not started')
    const reached = () => engine.reached(ends, signal)
    const done = await drained({ target: this.target, lanes: this.#lanes, ends, lossy, reached, signal })
    await Promise.all(this.#looking)
    return done
  }

  /** Sets the old cluster's groups to where they are on the new one, where clients have moved them since the cut. */
  async groupsBack(drained: Drained): Promise<GroupReport> {
    const { source, target } = this
    const { groups } = this.#o
    const [state, forward] = [this.#armable, await this.#forward()]
    return await groupsBack({
      ...{ source, target, groups, state, forward, drained },
      lanes: this.#lanes,
      ...this.#during,
    })
  }

  /** Lets the mirror that was cut over go on from R: the run was rolled back. The way back has been stopped. */
  async rejoinForward(drained: Drained): Promise<void> {
    const { source } = this
    const { run } = this.#o
    const [state, forward] = [this.#armable, await this.#forward()]
    await rejoinForward({ source, run, state, forward, drained, ...this.#during })
  }
  async #forward(): Promise<MirrorState> {
    const { name } = this.#o
    const topic = await StateTopic.read(this.source, name, this.#during)
    if (!topic) throw new KmigError('PREFLIGHT', `mirror ${name} has left no state on the new cluster`)
    return new MirrorState(topic)
  }

  /** Stops copying and gives the partitions up; the lock and the connections stay until it is disposed of. */
  async stop(): Promise<void> {
    await this.#engine?.[Symbol.asyncDispose]()
    await this.#sharing?.end()
    await Promise.all(this.#looking)
  }

  report(): PartitionReport[] {
    return this.#lanes.map(partitionReport)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#resources.disposeAsync()
  }
}
