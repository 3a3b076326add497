import type { BatchLimit, Cluster, Connection, FramePool } from '../kafka/index.ts'
import { backoffMs, isKmigError, KmigError, sleep } from '../kit/index.ts'
import type { Brakes } from './brakes.ts'
import type { TopicIds } from './by-id.ts'
import { CutOffs } from './cut-offs.ts'
import { type Identities, stopStrangers } from './identities.ts'
import { Inlet } from './inlet.ts'
import type { Lane } from './lane.ts'
import { FAR_MS, type Memory } from './memory.ts'
import { Outlet } from './outlet.ts'

/**
 * Connections per broker and direction: the broker handles one request per connection at a time. One that is far away is
 * asked on more: an answer is long under way, and its buffer for sending (`socket.send.buffer.bytes`, 100 KB) bounds each.
 */
const CONNECTIONS = { near: 2, far: 16 }
/** A lane whose broker is not found is looked up again after these; one that was well for so long begins anew. */
const AGAIN_MS = { firstMs: 200, maxMs: 5_000 }
const WELL_MS = 15_000
/** A move of the leader is nothing to tell; what goes on after so many looks is. */
const TELL_FROM = 3

export type HomesOptions = {
  /** The source cluster's own pool of memory for large answers. */
  pool: FramePool
  source: Cluster
  target: Cluster
  lanes: readonly Lane[]
  sources: Identities
  topicIds: { source: TopicIds; target: TopicIds }
  /** The largest batch that each topic of the target takes; may change. */
  batchLimits: ReadonlyMap<string, BatchLimit>
  /** Bytes that a request to the target may have. */
  requestBytes: number
  skip?: ReadonlySet<bigint> | undefined
  brakes: Brakes
  memory: Memory
  /** Ends everything. */
  signal: AbortSignal
  /** Something landed, failed, arrived or lost its home. */
  moved(): void
  /** Whether this process owns its lanes, at this very moment. */
  owns(): boolean
  /** Keeps a loop that runs until the signal. */
  run(loop: Promise<void>): void
  warn(where: string, error: KmigError): void
}

/** One of the connections to a broker. */
type Home = { nodeId: number; slot: number }

/** Which lane is on which connection: the inlets of the source's brokers, the outlets of the target's. */
export class Homes {
  readonly #o: HomesOptions
  readonly #outlets = new Map<Connection, Outlet>()
  readonly #inlets = new Map<Connection, Inlet>()
  readonly #out = new Map<Lane, Outlet>()
  readonly #in = new Map<Lane, Inlet>()
  readonly #slots = new Map<Lane, number>()
  readonly #cutOffs = new CutOffs()
  #nextSlot = 0
  /** Their leader on the source is to be looked up, not before `due`. */
  readonly #strayed = new Map<Lane, { due: number }>()
  readonly #strays = new Map<Lane, { times: number; last: number }>()

  constructor(options: HomesOptions) {
    this.#o = options
  }

  /** Which of the connections to a broker a lane uses: the same for as long as the broker is as far away. */
  #slotOf(lane: Lane, { roundTripMs }: Cluster): number {
    const slot = this.#slots.get(lane) ?? this.#nextSlot++
    this.#slots.set(lane, slot)
    return slot % (roundTripMs < FAR_MS ? CONNECTIONS.near : CONNECTIONS.far)
  }

  /** Whether a lane needs a connection that it is not on. */
  homeless(lane: Lane): boolean {
    if (lane.open && !this.#out.has(lane)) return true
    if (lane.phase.at !== 'copying' || this.#in.has(lane)) return false
    return (this.#strayed.get(lane)?.due ?? 0) <= performance.now()
  }
  /** Wakes fetchers whose lanes may have room again. */
  ring(): void {
    for (const inlet of this.#inlets.values()) inlet.ring()
  }
  /** Wakes senders too: a lane may go on with what it holds. */
  stir(): void {
    this.ring()
    for (const outlet of this.#outlets.values()) outlet.pump()
  }
  leaveOutlet(lane: Lane): void {
    this.#out.get(lane)?.remove(lane)
    this.#out.delete(lane)
  }
  leave(lane: Lane): void {
    this.leaveOutlet(lane)
    this.#in.get(lane)?.remove(lane)
    this.#in.delete(lane)
    this.#strayed.delete(lane)
    this.#strays.delete(lane)
    this.#slots.delete(lane)
  }

  /** Ends the connections to the target, so that what is still on the way lands as little as possible. */
  cutOff(why: string): void {
    for (const { connection } of this.#outlets.values())
      if (connection.outstanding > 0) connection.reset(new KmigError('DISCONNECTED', why))
  }

  /** Puts lanes on connections to the brokers that lead them; those that can't be reached are tried again later. */
  async house(lanes: readonly Lane[]): Promise<void> {
    const { source, target } = this.#o
    await Promise.all(
      this.#byLeader(lanes, target)
        .entries()
        .map(([to, share]) => this.#houseOut(to, share)),
    )
    await this.#findStrayed(lanes)
    await Promise.all(
      this.#byLeader(lanes, source)
        .entries()
        .map(([from, share]) => this.#houseIn(from, share)),
    )
  }

  async #houseOut(to: Home | undefined, share: readonly Lane[]): Promise<void> {
    const { target, signal } = this.#o
    const sending = share.filter(lane => lane.open && !this.#out.has(lane))
    // the leader that was checked, in the epoch that was checked, or no batch is sent
    const led = sending.filter(
      lane => target.leaderOf(lane.topic, lane.partition)?.leaderEpoch === lane.epoch,
    )
    for (const lane of sending) if (!led.includes(lane)) lane.doubt('the leader of the target has changed')
    if (to === undefined || led.length === 0) return
    const connection = await this.#reach(
      () => target.connection(to.nodeId, `produce-${to.slot}`, signal),
      led,
    )
    if (connection) this.#send(led, this.#outletOf(connection))
    else for (const lane of led) lane.doubt('the target could not be reached')
  }

  async #houseIn(from: Home | undefined, share: readonly Lane[]): Promise<void> {
    const { source, signal } = this.#o
    const asking = share.filter(
      lane => lane.phase.at === 'copying' && !this.#in.has(lane) && !this.#strayed.has(lane),
    )
    if (asking.length === 0) return
    const connection =
      from && (await this.#reach(() => source.connection(from.nodeId, `fetch-${from.slot}`, signal), asking))
    if (connection) this.#ask(asking, this.#inletOf(connection))
    else for (const lane of asking) this.#stray(lane)
  }

  /** The longer a lane finds no broker the longer it waits for the next look: metadata must not be asked for all the time. */
  #stray(lane: Lane): number {
    const now = performance.now()
    const { times, last } = this.#strays.get(lane) ?? { times: 0, last: now }
    const again = now - last > WELL_MS ? 1 : times + 1
    const ms = backoffMs(again - 1, AGAIN_MS)
    this.#strays.set(lane, { times: again, last: now })
    this.#strayed.set(lane, { due: now + ms })
    const { signal, run, moved } = this.#o
    run(sleep(ms, signal).then(moved))
    return again
  }

  #byLeader(lanes: readonly Lane[], cluster: Cluster) {
    const keys = new Map<string, Home>()
    return Map.groupBy(lanes, lane => {
      const leader = cluster.leaderOf(lane.topic, lane.partition)
      if (!leader) return undefined
      const key = { nodeId: leader.nodeId, slot: this.#slotOf(lane, cluster) }
      const name = `${key.nodeId}/${key.slot}`
      keys.set(name, keys.get(name) ?? key)
      return keys.get(name)
    })
  }

  async #reach(open: () => Promise<Connection>, [first]: readonly Lane[]): Promise<Connection | undefined> {
    try {
      return await open()
    } catch (e) {
      if (!isKmigError(e, 'UNREACHABLE', 'DISCONNECTED', 'TIMEOUT') || this.#o.signal.aborted) throw e
      this.#o.warn(first?.where ?? '', e)
      return undefined
    }
  }

  #send(lanes: readonly Lane[], outlet: Outlet): void {
    for (const lane of lanes) {
      this.#out.set(lane, outlet)
      outlet.add(lane)
    }
    outlet.pump()
  }
  #ask(lanes: readonly Lane[], inlet: Inlet): void {
    for (const lane of lanes) {
      this.#in.set(lane, inlet)
      inlet.add(lane)
    }
  }

  /** Looks up who leads lanes that lost their broker, and whether their topics are still the same. */
  async #findStrayed(lanes: readonly Lane[]): Promise<void> {
    const { source, signal } = this.#o
    const now = performance.now()
    const strayed = lanes.filter(lane => (this.#strayed.get(lane)?.due ?? now + 1) <= now)
    if (strayed.length === 0) return
    const topics = [...new Set(strayed.map(({ topic }) => topic))]
    for (const found of await source.metadata(topics, { signal, timeoutMs: 5_000, withinMs: 20_000 }))
      stopStrangers(this.#o.sources, strayed, found.name, found)
    for (const lane of strayed) this.#strayed.delete(lane)
  }

  #outletOf(connection: Connection): Outlet {
    const known = this.#outlets.get(connection)
    if (known) return known
    const outlet = new Outlet(connection, {
      signal: this.#o.signal,
      topicIds: this.#o.topicIds.target,
      brakes: this.#o.brakes,
      owns: this.#o.owns,
      requestBytes: this.#o.requestBytes,
      cutOff: sent => this.#cutOff(sent),
      on: () => this.#o.moved(),
    })
    this.#outlets.set(connection, outlet)
    connection.ended.then(() => this.#outlets.delete(connection))
    return outlet
  }

  #inletOf(connection: Connection): Inlet {
    const known = this.#inlets.get(connection)
    if (known) return known
    const { pool, topicIds, batchLimits, skip, signal, lanes, moved, run, brakes, memory, source } = this.#o
    const inlet = new Inlet(connection, {
      pool,
      topicIds: topicIds.source,
      batchLimits,
      skip,
      signal,
      brakes,
      leaderEpochOf: ({ topic, partition }) => source.leaderOf(topic, partition)?.leaderEpoch ?? -1,
      mostBytes: () => memory.perAnswer(this.#inlets.size, source.roundTripMs),
      full: () => this.#underWay() + lanes.reduce((sum, lane) => sum + lane.held, 0) > memory.held,
      asks: () => {
        this.#inlets.delete(connection) // to the end of the line: those that waited longest are woken first
        this.#inlets.set(connection, inlet)
      },
      fed: () => {
        for (const outlet of this.#outlets.values()) outlet.pump()
        moved()
      },
      strayed: (lane, why) => this.#lost(lane, inlet, why),
    })
    this.#inlets.set(connection, inlet)
    connection.ended.then(() => this.#inlets.delete(connection))
    run(inlet.run())
    return inlet
  }

  #cutOff(sent: Parameters<CutOffs['count']>[0]): void {
    const why = this.#cutOffs.count(sent)
    if (why) this.#o.warn(why.where, why.error)
  }

  #underWay(): number {
    let bytes = 0
    for (const inlet of this.#inlets.values()) bytes += inlet.underWay
    return bytes
  }

  #lost(lane: Lane, inlet: Inlet, why: KmigError): void {
    inlet.remove(lane)
    if (this.#in.get(lane) === inlet) this.#in.delete(lane)
    if (this.#stray(lane) >= TELL_FROM) this.#o.warn(lane.where, why)
    this.#o.moved()
  }
}
