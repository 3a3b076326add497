import type { Cluster, TopicMetadata } from '../kafka/index.ts'
import { bug, deferred, isKmigError, KmigError, messageOf, sleep } from '../kit/index.ts'
import type { MirrorEvent } from './events.ts'
import { fill } from './fill.ts'
import type { AcceptedGaps, LostGap } from './gaps.ts'
import { Homes, type HomesOptions } from './homes.ts'
import { Identities } from './identities.ts'
import type { Lane } from './lane.ts'
import { Lookout } from './lookout.ts'
import { TransactionWatch } from './open-transactions.ts'
import { passes } from './passes.ts'
import { judgeRange } from './range.ts'
import { RetentionWatch } from './retention.ts'
import { settle, trim } from './settle.ts'
import { type ShutOutOptions, shutOut } from './shut-out.ts'
import type { ProducerIds } from './state.ts'
import { vigil } from './vigil.ts'
import { Wake } from './wake.ts'

const VIGIL_MS = 1_000
/** In vigils. */
const PERSIST_EVERY = 5
const LOOK_MS = 3_000
/** In looks: settings are many. */
const CONFIGS_EVERY = 2
const AGAIN_MS = 500
const PADDING_AT_ONCE = 4
/** The same trouble is told again after this. */
const TELL_AGAIN_MS = 10_000
/** How long the end may take, and how much of it the last answers are waited for. */
const END_MS = 8_000
const DRAIN_MS = 5_000

type Shared = Pick<HomesOptions, 'pool' | 'brakes' | 'memory' | 'batchLimits' | 'requestBytes' | 'skip'>

export type EngineOptions = Pick<ShutOutOptions, 'persistSent' | 'owns'> &
  Shared & {
    source: Cluster
    target: Cluster
    /** Grows by `add`, shrinks by `remove`. */
    lanes: Lane[]
    ids: ProducerIds
    /** Who writes control records. */
    control(): { id: bigint; epoch: number }
    /** Topic ids, as they were when the mirror made the topics. Whoever adds lanes of a new topic puts it in first. */
    topicIds: { source: Map<string, string>; target: Map<string, string> }
    /** Whether a topic of the source is to be mirrored. */
    chosen(topic: string): boolean
    /** Keeps the anchors of these lanes for the next start. */
    persist(lanes: readonly Lane[], signal: AbortSignal): Promise<void>
    /** Keeps what the maps of these lanes have learned, before anything that rests on it is sent. */
    persistMaps(lanes: readonly Lane[], signal: AbortSignal): Promise<void>
    /** Keeps the moved start of these lanes, before padding goes on. */
    persistStarts(lanes: readonly Lane[], signal: AbortSignal): Promise<void>
    acceptedGaps: AcceptedGaps
    persistGap(lane: Lane, gap: LostGap, signal: AbortSignal): Promise<void>
    /** Follows what changed on the source; its topics that are to be mirrored are given. May add lanes. */
    follow(topics: readonly TopicMetadata[], what: { configs: boolean }): Promise<void>
    on?: ((event: MirrorEvent) => void) | undefined
  }

type Work = 'settle' | 'trim' | 'judge' | 'move' | 'keep' | 'fill' | 'shut' | 'house'

/**
 * Runs lanes: ends their doubts, watches leader epochs, and finds them a new home when a broker goes. A lane has one job
 * at a time, and jobs are apart by broker, so that one that does not answer holds up its own lanes only. Everything that
 * can pass is tried again for ever; what can't stops its lane alone.
 */
export class Engine implements AsyncDisposable {
  readonly #options: EngineOptions
  readonly #end = new AbortController()
  readonly #wake = new Wake(this.#end.signal)
  readonly #homes: Homes
  readonly #lookout: Lookout
  readonly #retention: RetentionWatch
  readonly #transactions: TransactionWatch
  readonly #targets: Identities
  readonly #busy = new Set<Lane>()
  readonly #stopped = new Set<Lane>()
  readonly #translated = new Set<Lane>()
  readonly #told = new Map<string, number>()
  readonly #waiters = new Set<() => void>()
  readonly #failed = deferred<never>()
  readonly #running = new Set<Promise<void>>()
  readonly #kept = new Map<Lane, bigint>()
  /** While it is not sure which lanes it may go on with, it does nothing. */
  #suspended = false

  constructor(options: EngineOptions) {
    this.#options = options
    this.#failed.promise.catch(() => {})
    const { topicIds } = options
    const { signal } = this.#end
    const sources = new Identities('source', topicIds.source)
    this.#targets = new Identities('target', topicIds.target)
    this.#homes = new Homes({
      ...options,
      sources,
      signal,
      moved: () => this.#moved(),
      run: loop => this.#run(loop),
      warn: (where, error) => this.#warn(where, error),
    })
    this.#retention = new RetentionWatch({ ...options, signal })
    this.#transactions = new TransactionWatch({ ...options, signal })
    this.#lookout = new Lookout({ ...options, sources, targets: this.#targets, signal })
  }

  start(): void {
    for (const loop of [this.#tend(), this.#watch(), this.#look()]) this.#run(loop)
  }

  /** Ends whatever waits for it: something broke beside it. */
  fail(e: unknown): void {
    this.#failed.reject(e)
  }

  /** Takes lanes on while it runs. */
  add(lanes: readonly Lane[]): void {
    this.#options.lanes.push(...lanes)
    this.#wake.ring()
  }

  /**
   * Lays all work down, as others may own the lanes now: what is under way lands or is given up, every lane is in doubt.
   * Gives the lanes of which nothing can be on its way any more.
   */
  async suspend(why: string): Promise<Lane[]> {
    const { lanes } = this.#options
    this.#suspended = true
    while (this.#busy.size > 0) await sleep(10)
    const started = performance.now()
    while (lanes.some(lane => lane.flying > 0) && performance.now() - started < DRAIN_MS) await sleep(10)
    const drained = lanes.filter(lane => lane.drained)
    for (const lane of lanes) this.#homes.leave(lane)
    this.#homes.cutOff(why)
    while (lanes.some(lane => lane.flying > 0)) await sleep(10)
    for (const lane of lanes) lane.doubt(why)
    return drained
  }

  /** Goes on after `suspend` with these lanes; others that there were are given up. */
  resume(lanes: readonly Lane[]): void {
    const all = this.#options.lanes
    const others = all.filter(lane => !lanes.includes(lane))
    const again = new Set(lanes.map(({ where }) => where))
    const stopped = others.filter(lane => lane.stopped && !again.has(lane.where)) // for the report
    for (const lane of others) {
      lane.stop(new KmigError('DISCONNECTED', `${lane.where} is copied by another process now`))
      this.#kept.delete(lane)
    }
    all.splice(0, all.length, ...lanes, ...stopped)
    this.#suspended = false
    this.#moved()
  }

  /** Resolves when every lane that goes on is as far as `ends` says; throws what broke the engine. */
  async reached(ends: ReadonlyMap<string, bigint>, signal: AbortSignal): Promise<void> {
    const waiting = () =>
      this.#options.lanes.some(
        lane => !lane.stopped && (!lane.sure || lane.acked < (ends.get(lane.where) ?? 0n)),
      )
    await this.#until(() => !this.#suspended && !waiting(), signal)
  }

  /** Resolves when no lane goes on; throws what broke the engine, or the signal's reason. */
  async allStopped(signal: AbortSignal): Promise<void> {
    await this.#until(
      () =>
        !this.#suspended && this.#options.lanes.length > 0 && this.#options.lanes.every(lane => lane.stopped),
      signal,
    )
  }

  async #until(done: () => boolean, signal: AbortSignal): Promise<void> {
    const ready = deferred<void>()
    const look = () => {
      if (done()) ready.resolve()
    }
    const abort = () => ready.reject(signal.reason)
    signal.throwIfAborted()
    signal.addEventListener('abort', abort, { once: true })
    this.#waiters.add(look)
    try {
      look()
      await Promise.race([ready.promise, this.#failed.promise])
    } finally {
      this.#waiters.delete(look)
      signal.removeEventListener('abort', abort)
    }
  }

  #run(loop: Promise<void>): void {
    const running = loop
      .catch(e => {
        if (!this.#end.signal.aborted) this.#failed.reject(e)
      })
      .finally(() => this.#running.delete(running))
    this.#running.add(running)
  }

  /** Something landed, failed or arrived. */
  #moved(): void {
    this.#homes.ring()
    for (const look of this.#waiters) look()
    this.#wake.ring()
  }

  async #tend(): Promise<void> {
    const { lanes, source, target } = this.#options
    while (!this.#end.signal.aborted) {
      const due = new Map<string, { work: Work; lanes: Lane[] }>()
      for (const lane of this.#suspended ? [] : lanes) {
        if (lane.stopped) this.#tellStop(lane)
        const work = this.#busy.has(lane) ? undefined : this.#workFor(lane)
        if (!work) continue
        const leaders = [source, target].map(side => side.leaderOf(lane.topic, lane.partition)?.nodeId)
        const key = `${work} ${leaders}`
        const job = due.get(key)
        if (job) job.lanes.push(lane)
        else due.set(key, { work, lanes: [lane] })
      }
      this.#givePaddingTurns()
      for (const { work, lanes: share } of due.values()) this.#run(this.#begin(work, share))
      for (const look of this.#waiters) look()
      await this.#wake.wait()
    }
  }

  /** The broker holds every record of a batch of padding while it validates: few partitions pad at a time. */
  #givePaddingTurns(): void {
    const { lanes } = this.#options
    let free = PADDING_AT_ONCE - lanes.filter(lane => lane.padding === 'pads').length
    if (free <= 0) return
    for (const lane of lanes) if (lane.padding === 'waits' && free-- > 0) lane.startPadding()
  }

  #workFor(lane: Lane): Work | undefined {
    const { phase } = lane
    if (phase.at === 'doubt')
      return lane.flying === 0 && phase.from <= performance.now() ? 'settle' : undefined
    if (phase.at === 'trimming') return lane.flying === 0 ? 'trim' : undefined
    if (phase.at === 'shutting') return lane.flying === 0 ? 'shut' : undefined
    if (phase.at === 'out-of-range' && lane.idle) return 'judge'
    if (phase.at === 'moving') return 'move'
    if (lane.keeps) return 'keep'
    if (lane.fillable > 0n && this.#options.owns()) return 'fill'
    return this.#homes.homeless(lane) ? 'house' : undefined
  }

  async #begin(work: Work, lanes: readonly Lane[]): Promise<void> {
    for (const lane of lanes) this.#busy.add(lane)
    try {
      await this.#trying(work, () => this.#do(work, lanes))
    } finally {
      for (const lane of lanes) this.#busy.delete(lane)
      this.#homes.stir() // a lane may go on now, and nobody else wakes those that fetch and send for it
      this.#moved()
    }
  }

  async #do(work: Work, lanes: readonly Lane[]): Promise<void> {
    const { source, persistStarts, persistMaps } = this.#options
    const { signal } = this.#end
    const how = { ...this.#options, targets: this.#targets, signal }
    switch (work) {
      case 'settle':
        for (const lane of lanes) this.#homes.leaveOutlet(lane)
        return await settle(lanes, how)
      case 'trim':
        return await trim(lanes, how)
      case 'judge':
        return await judgeRange(lanes, source, how)
      case 'move':
        await persistStarts(lanes, signal)
        for (const lane of lanes) lane.startMoved()
        return
      case 'keep':
        await persistMaps(lanes, signal)
        for (const lane of lanes) this.#tellShift(lane)
        return
      case 'fill':
        return await fill(lanes, how)
      case 'shut':
        return await shutOut(lanes, how)
      case 'house':
        return await this.#homes.house(lanes)
      default:
        throw work satisfies never
    }
  }

  #tellShift(lane: Lane): void {
    const [first] = lane.map.shifts
    if (!first || this.#translated.has(lane)) return
    this.#translated.add(lane)
    this.#options.on?.({ kind: 'translated', where: lane.where, from: first.source, why: lane.why })
  }

  #tellStop(lane: Lane): void {
    if (!lane.stopped || this.#stopped.has(lane)) return
    this.#stopped.add(lane)
    this.#homes.leave(lane)
    this.#options.on?.({ kind: 'stopped', where: lane.where, error: lane.stopped })
  }

  async #watch(): Promise<void> {
    const { target, lanes } = this.#options
    const { signal } = this.#end
    for (let round = 1; !signal.aborted; round++) {
      await sleep(VIGIL_MS, signal)
      if (this.#suspended) continue
      for (const lane of lanes) lane.letGo()
      await this.#trying('vigil', () => vigil({ target, lanes, signal }))
      if (round % PERSIST_EVERY === 0) await this.#trying('persist', () => this.#persist(signal))
      this.#homes.stir()
      this.#moved()
    }
  }

  /** Apart from the vigil: making topics on the target may take long. */
  async #look(): Promise<void> {
    const { follow } = this.#options
    const { signal } = this.#end
    for (let round = 0; !signal.aborted; round++) {
      await sleep(LOOK_MS, signal)
      if (this.#suspended) continue
      const configs = round % CONFIGS_EVERY === 0
      await this.#looking('lookout', async () => follow(await this.#lookout.look(), { configs }))
      await this.#looking('transactions', () => this.#transactions.look())
      if (!configs) await this.#looking('retention', () => this.#retention.look())
    }
  }

  /** What can't be seen is told and looked for again: no reason to end what is copied. */
  async #looking(what: string, look: () => Promise<void>): Promise<void> {
    await this.#trying(what, () =>
      look().catch(e => {
        if (!isKmigError(e) || isKmigError(e, 'BUG', 'STATE_DAMAGED') || passes(e)) throw e
        this.#warn(what, e)
      }),
    )
  }

  async #persist(signal: AbortSignal): Promise<void> {
    const { lanes, persist } = this.#options
    const changed = lanes.filter(
      lane => lane.anchor.epoch >= 0 && lane.anchor.offset !== this.#kept.get(lane),
    )
    if (!this.#options.owns()) return
    await persist(changed, signal)
    for (const lane of changed) this.#kept.set(lane, lane.anchor.offset)
  }

  /** Runs what asks servers; a failure that can pass is told and tried again. */
  async #trying(what: string, work: () => Promise<void>): Promise<void> {
    const { signal } = this.#end
    try {
      await work()
    } catch (e) {
      if (signal.aborted) return
      if (!passes(e)) throw e
      this.#warn(what, isKmigError(e) ? e : bug(messageOf(e), e))
      await sleep(AGAIN_MS, signal)
    }
  }

  #warn(where: string, { code, message }: KmigError): void {
    const key = `${where} ${code}`
    const now = performance.now()
    if (now - (this.#told.get(key) ?? Number.NEGATIVE_INFINITY) < TELL_AGAIN_MS) return
    this.#told.set(key, now)
    this.#options.on?.({ kind: 'warning', where, text: `${message}; trying again` })
  }

  /** Stops fetching and sending, waits for the last answers, keeps the anchors; takes 8 s at most. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#end.signal.aborted) return
    const { target, lanes, persistMaps, owns, on } = this.#options
    const [started, signal] = [performance.now(), AbortSignal.timeout(END_MS)]
    this.#end.abort(new KmigError('DISCONNECTED', 'the mirror stops'))
    await Promise.all(this.#running)
    while (lanes.some(lane => lane.flying > 0) && performance.now() - started < DRAIN_MS) await sleep(10)
    if (this.#suspended) return // by then it is no owner, and the target may not answer
    try {
      await vigil({ target, lanes, signal })
      await this.#persist(signal)
      if (owns()) await persistMaps(lanes, signal) // holes at the end too: a way back begins after them
    } catch (e) {
      const text = `the last positions were not kept, the next start reads more back: ${messageOf(e)}`
      on?.({ kind: 'warning', where: 'mirror', text })
    }
  }
}
