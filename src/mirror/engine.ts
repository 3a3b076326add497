import { type Cluster, type Connection, type FramePool, isRetriable, kafkaErrorOf } from '../kafka/index.ts'
import { deferred, isKmigError, KmigError, messageOf, sleep } from '../kit/index.ts'
import type { MirrorEvent } from './events.ts'
import { Inlet } from './inlet.ts'
import type { Lane } from './lane.ts'
import { Outlet } from './outlet.ts'
import { judgeRange } from './range.ts'
import { settle, trim } from './settle.ts'
import { vigil } from './vigil.ts'
import { Wake } from './wake.ts'

/** Connections per broker and direction: the broker handles one request per connection at a time. */
const CONNECTIONS = 2
/** What all lanes together may hold before fetching pauses; answers under way come on top. */
const HELD_BYTES = 48 << 20
const VIGIL_MS = 1_000
const PERSIST_EVERY = 5
const AGAIN_MS = 500
/** How long the last answers are waited for when the mirror stops. */
const DRAIN_MS = 8_000

export type EngineOptions = {
  /** The source cluster's own pool of memory for large answers. */
  pool: FramePool
  source: Cluster
  target: Cluster
  lanes: readonly Lane[]
  producers: ReadonlySet<bigint>
  topicIds: ReadonlyMap<string, string>
  /** Keeps the anchors of these lanes for the next start. */
  persist(lanes: readonly Lane[]): Promise<void>
  /** Keeps the moved start of these lanes, before padding goes on. */
  persistStarts(lanes: readonly Lane[]): Promise<void>
  on?: ((event: MirrorEvent) => void) | undefined
}

/**
 * Runs lanes: puts each on a connection to the broker that leads it on either side, ends doubts, watches leader epochs,
 * and finds lanes a new home when a broker goes. Everything that can pass is tried again for ever; what can't stops
 * its lane alone.
 */
export class Engine implements AsyncDisposable {
  readonly #options: EngineOptions
  readonly #end = new AbortController()
  readonly #wake = new Wake(this.#end.signal)
  readonly #outlets = new Map<Connection, Outlet>()
  readonly #inlets = new Map<Connection, Inlet>()
  readonly #out = new Map<Lane, Outlet>()
  readonly #in = new Map<Lane, Inlet>()
  readonly #slot = new Map<Lane, number>()
  readonly #told = new Set<Lane>()
  readonly #waiters = new Set<() => void>()
  readonly #failed = deferred<never>()
  readonly #loops: Promise<void>[] = []
  #kept = new Map<Lane, bigint>()

  constructor(options: EngineOptions) {
    this.#options = options
    this.#failed.promise.catch(() => {})
    for (const [i, lane] of options.lanes.entries()) this.#slot.set(lane, i % CONNECTIONS)
  }

  start(): void {
    for (const loop of [this.#tend(), this.#watch()]) this.#run(loop)
  }

  /** Resolves when every lane that goes on is as far as `ends` says; throws what broke the engine. */
  async reached(ends: ReadonlyMap<string, bigint>, signal: AbortSignal): Promise<void> {
    const waiting = () =>
      this.#options.lanes.some(
        lane => !lane.stopped && (!lane.sure || lane.acked < (ends.get(lane.where) ?? 0n)),
      )
    await this.#until(() => !waiting(), signal)
  }

  /** Resolves when no lane goes on; throws what broke the engine, or the signal's reason. */
  async allStopped(signal: AbortSignal): Promise<void> {
    await this.#until(
      () => this.#options.lanes.length > 0 && this.#options.lanes.every(lane => lane.stopped),
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
    this.#loops.push(
      loop.catch(e => {
        if (!this.#end.signal.aborted) this.#failed.reject(e)
      }),
    )
  }

  /** Something landed, failed or arrived. */
  #moved(): void {
    for (const inlet of this.#inlets.values()) inlet.ring()
    for (const look of this.#waiters) look()
    this.#wake.ring()
  }

  async #tend(): Promise<void> {
    const { source, lanes, on } = this.#options
    const { signal } = this.#end
    while (!signal.aborted) {
      for (const lane of lanes) {
        if (!lane.stopped || this.#told.has(lane)) continue
        this.#told.add(lane)
        this.#leave(lane)
        on?.({ kind: 'stopped', where: lane.where, error: lane.stopped })
      }
      for (const look of this.#waiters) look()
      const doubtful = lanes.filter(lane => lane.phase.at === 'doubt' && lane.flying === 0)
      const trimming = lanes.filter(lane => lane.phase.at === 'trimming' && lane.flying === 0)
      const refused = lanes.filter(lane => lane.phase.at === 'out-of-range' && lane.flying === 0)
      const moving = lanes.filter(lane => lane.phase.at === 'moving')
      const homeless = lanes.filter(
        lane =>
          (lane.phase.at === 'copying' && !this.#in.has(lane)) ||
          (!this.#out.has(lane) && ['copying', 'padding'].includes(lane.phase.at)),
      )
      if (doubtful.length + trimming.length + refused.length + moving.length + homeless.length === 0) {
        await this.#wake.wait()
        continue
      }
      await this.#trying(async () => {
        const how = { ...this.#options, signal }
        for (const lane of doubtful) this.#leaveOutlet(lane)
        if (doubtful.length > 0) await settle(doubtful, how)
        if (trimming.length > 0) await trim(trimming, how)
        if (refused.length > 0) await judgeRange(refused, source, how)
        await this.#move(moving)
        await this.#house(homeless)
      })
    }
  }

  async #move(lanes: readonly Lane[]): Promise<void> {
    if (lanes.length === 0) return
    await this.#options.persistStarts(lanes)
    for (const lane of lanes) lane.startMoved()
  }

  async #watch(): Promise<void> {
    const { target, lanes } = this.#options
    const { signal } = this.#end
    for (let round = 1; !signal.aborted; round++) {
      await sleep(VIGIL_MS, signal)
      await this.#trying(async () => {
        await vigil({ target, lanes, signal })
        if (round % PERSIST_EVERY === 0) await this.#persist()
        this.#wake.ring()
      })
    }
  }

  async #persist(): Promise<void> {
    const changed = this.#options.lanes.filter(
      lane => lane.anchor.offset !== this.#kept.get(lane) && lane.anchor.epoch >= 0,
    )
    await this.#options.persist(changed)
    this.#kept = new Map([...this.#kept, ...changed.map(lane => [lane, lane.anchor.offset] as const)])
  }

  /** Runs what asks servers; a failure that can pass is told and tried again. */
  async #trying(work: () => Promise<void>): Promise<void> {
    const { signal } = this.#end
    try {
      await work()
    } catch (e) {
      if (signal.aborted) return
      const row = kafkaErrorOf(e)
      if (!(row && isRetriable(row.code)) && !isKmigError(e, 'UNREACHABLE', 'DISCONNECTED', 'TIMEOUT'))
        throw e
      this.#options.on?.({ kind: 'warning', where: 'mirror', text: `${messageOf(e)}; trying again` })
      await sleep(AGAIN_MS, signal)
    }
  }

  /** Puts lanes on connections to the brokers that lead them. */
  async #house(lanes: readonly Lane[]): Promise<void> {
    if (lanes.length === 0) return
    const { source, target } = this.#options
    const { signal } = this.#end
    const topics = [...new Set(lanes.filter(lane => !this.#in.has(lane)).map(lane => lane.topic))]
    if (topics.length > 0) await this.#findSource(topics)
    let missing = false
    for (const lane of lanes) {
      if (lane.stopped) continue
      const slot = this.#slot.get(lane) ?? 0
      const from = source.leaderOf(lane.topic, lane.partition)
      const to = target.leaderOf(lane.topic, lane.partition)
      if (!from || !to) {
        missing = true
        continue
      }
      if (!this.#out.has(lane)) {
        const outlet = this.#outletOf(await target.connection(to.nodeId, `produce-${slot}`, signal))
        this.#out.set(lane, outlet)
        outlet.add(lane)
        outlet.pump()
      }
      if (!this.#in.has(lane) && lane.phase.at === 'copying') {
        const inlet = this.#inletOf(await source.connection(from.nodeId, `fetch-${slot}`, signal))
        this.#in.set(lane, inlet)
        inlet.add(lane)
      }
    }
    if (missing) await sleep(AGAIN_MS, signal)
  }

  async #findSource(topics: readonly string[]): Promise<void> {
    for (const { name, error } of await this.#options.source.metadata(topics, { signal: this.#end.signal })) {
      if (error !== 3) continue
      for (const lane of this.#options.lanes.filter(({ topic }) => topic === name)) {
        lane.stop(
          new KmigError('TOPIC_RECREATED', `topic ${name} was deleted on the source while it was mirrored`, {
            try: ['the copy on the target stays as it is; delete it there if it is not wanted'],
          }),
        )
      }
    }
  }

  #outletOf(connection: Connection): Outlet {
    let outlet = this.#outlets.get(connection)
    if (!outlet) {
      outlet = new Outlet(connection, { signal: this.#end.signal, on: () => this.#moved() })
      this.#outlets.set(connection, outlet)
      connection.ended.then(() => this.#outlets.delete(connection))
    }
    return outlet
  }

  #inletOf(connection: Connection): Inlet {
    const known = this.#inlets.get(connection)
    if (known) return known
    const inlet = new Inlet(connection, {
      pool: this.#options.pool,
      signal: this.#end.signal,
      full: () => this.#options.lanes.reduce((sum, lane) => sum + lane.held, 0) > HELD_BYTES,
      fed: () => {
        for (const outlet of this.#outlets.values()) outlet.pump()
        this.#wake.ring()
      },
      strayed: lane => {
        inlet.remove(lane)
        if (this.#in.get(lane) === inlet) this.#in.delete(lane)
        this.#wake.ring()
      },
    })
    this.#inlets.set(connection, inlet)
    connection.ended.then(() => this.#inlets.delete(connection))
    this.#run(inlet.run())
    return inlet
  }

  #leaveOutlet(lane: Lane): void {
    this.#out.get(lane)?.remove(lane)
    this.#out.delete(lane)
  }
  #leave(lane: Lane): void {
    this.#leaveOutlet(lane)
    this.#in.get(lane)?.remove(lane)
    this.#in.delete(lane)
  }

  /** Stops fetching and sending, waits for the last answers, keeps the anchors. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#end.signal.aborted) return
    this.#end.abort(new KmigError('DISCONNECTED', 'the mirror stops'))
    await Promise.all(this.#loops)
    const deadline = performance.now() + DRAIN_MS
    while (this.#options.lanes.some(lane => lane.flying > 0) && performance.now() < deadline) await sleep(10)
    try {
      const signal = AbortSignal.timeout(DRAIN_MS)
      await vigil({ target: this.#options.target, lanes: this.#options.lanes, signal })
      await this.#persist()
    } catch (e) {
      this.#options.on?.({
        kind: 'warning',
        where: 'mirror',
        text: `the last positions were not kept, the next start reads more back: ${messageOf(e)}`,
      })
    }
  }
}
