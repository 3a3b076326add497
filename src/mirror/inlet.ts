import {
  brokerError,
  type Connection,
  ERROR,
  type Fetch,
  type FramePool,
  type Hole,
  kafkaError,
  type Piece,
  type Recoded,
  type ResponseOf,
  recode,
} from '../kafka/index.ts'
import { isKmigError, KmigError, messageOf, Offset } from '../kit/index.ts'
import { fetchFrom, type TopicIds } from './by-id.ts'
import type { Lane } from './lane.ts'
import { Wake } from './wake.ts'

/**
 * What an answer may hold: grows while answers come fast, shrinks while they are slow, so that a thin link is neither
 * silent for long nor past its deadline. A batch that is larger comes whole all the same.
 */
const FETCH_BYTES = { least: 256 << 10, first: 1 << 20, most: 4 << 20 }
const FAST_MS = 250
const SLOW_MS = 1_000
const PARTITION_BYTES = 1 << 20
/** How long the broker may wait for new records; short while a lane of this inlet is held back, as it would wait too. */
const LONG_POLL_MS = 500
/** After an answer without records: many idle partitions cost a core's few percent by being asked for alone. */
const IDLE_POLL_MS = 1_000
const HELD_BACK_POLL_MS = 10
const TIMEOUT_MS = 30_000
const READ_COMMITTED = 1
/** A lane asks for no more while it holds this; what all lanes together may hold is the mirror's to say. */
const LANE_BYTES = 4 << 20

const RECODE = { passFrom: { plain: 12 << 10, packed: 4 << 10 }, mergeTo: 512 << 10 }

type Part = ResponseOf<typeof Fetch>['topics'][number]['partitions'][number]

export type InletOptions = {
  /** Ends the loop; an answer that comes later is dropped. */
  signal: AbortSignal
  pool: FramePool
  topicIds: TopicIds
  /** Bytes of the largest batch that each topic of the target takes. */
  batchLimits: ReadonlyMap<string, number>
  /** Whether all lanes together hold too much. */
  full(): boolean
  /** Lanes got something. */
  fed(): void
  /** This broker no longer leads a lane's partition, or can't tell. */
  strayed(lane: Lane, why: KmigError): void
}

/** The memory of one answer: it goes back to the pool when the last batch that lies in it has landed. */
class Frame {
  readonly #pool: FramePool
  #users = 1
  memory: ArrayBufferLike | undefined

  constructor(pool: FramePool) {
    this.#pool = pool
  }
  hold(items: readonly (Piece | Hole)[]): void {
    for (const item of items) {
      if (item.kind === 'hole' || item.bytes.buffer !== this.memory) continue
      this.#users++
      item.done = () => this.close()
    }
  }
  close(): void {
    if (--this.#users === 0 && this.memory instanceof ArrayBuffer) this.#pool.give(this.memory)
  }
}

const lostBy = (e: Error): KmigError => (isKmigError(e) ? e : new KmigError('DISCONNECTED', messageOf(e)))

/** The fetch side of one connection to one broker: long polls for all its lanes that have room. Source: MIRROR.md 3. */
export class Inlet {
  readonly connection: Connection
  readonly #lanes = new Set<Lane>()
  readonly #options: InletOptions
  readonly #wake: Wake
  #bytes = FETCH_BYTES.first
  #idle = false

  constructor(connection: Connection, options: InletOptions) {
    this.connection = connection
    this.#options = options
    this.#wake = new Wake(options.signal)
    connection.ended.then(() => this.ring())
  }

  get lanes(): ReadonlySet<Lane> {
    return this.#lanes
  }
  add(lane: Lane): void {
    this.#lanes.add(lane)
    this.ring()
  }
  remove(lane: Lane): void {
    this.#lanes.delete(lane)
  }
  ring(): void {
    this.#wake.ring()
  }

  /** Runs until the signal is aborted or the connection is lost; then its lanes have strayed. */
  async run(): Promise<void> {
    const { signal, full, strayed } = this.#options
    while (!signal.aborted && !this.connection.closed) {
      const hungry = full() ? [] : [...this.#lanes].filter(lane => lane.hungry(LANE_BYTES))
      if (hungry.length === 0) {
        await this.#wake.wait()
        continue
      }
      try {
        await this.#ask(hungry)
      } catch (e) {
        if (!isKmigError(e, 'DISCONNECTED', 'TIMEOUT') && !signal.aborted) throw e
      }
    }
    if (signal.aborted) return
    const why = await this.connection.ended
    for (const lane of this.#lanes) strayed(lane, lostBy(why))
  }

  async #ask(hungry: readonly Lane[]): Promise<void> {
    const copying = [...this.#lanes].filter(lane => lane.phase.at === 'copying').length
    const heldBack = copying > hungry.length
    const asked = new Map(hungry.map(lane => [lane.where, { lane, generation: lane.generation }]))
    const topics = [...Map.groupBy(hungry, lane => lane.topic)].map(([topic, lanes]) => ({
      topic,
      partitions: lanes.map(({ partition, wanted }) => ({
        partition,
        fetchOffset: wanted,
        partitionMaxBytes: PARTITION_BYTES,
      })),
    }))
    const asking = performance.now()
    const answer = await fetchFrom(
      this.connection,
      this.#options.topicIds,
      {
        maxWaitMs: heldBack ? HELD_BACK_POLL_MS : this.#idle ? IDLE_POLL_MS : LONG_POLL_MS,
        minBytes: 1,
        maxBytes: this.#bytes,
        isolationLevel: READ_COMMITTED,
        topics,
      },
      { timeoutMs: TIMEOUT_MS, signal: this.#options.signal },
    )
    if (answer.errorCode !== 0)
      throw brokerError(answer.errorCode, `fetch from ${this.connection.address.host}`)
    const frame = new Frame(this.#options.pool)
    let bytes = 0
    for (const { topic, partitions } of answer.topics) {
      for (const part of partitions) {
        bytes += part.records?.length ?? 0
        frame.memory = part.records?.buffer ?? frame.memory
        const to = asked.get(`${topic}-${part.partition}`)
        if (to && to.generation === to.lane.generation && to.lane.phase.at === 'copying')
          this.#give(to.lane, part, frame)
      }
    }
    frame.close()
    this.#idle = bytes === 0
    this.#adapt(bytes, performance.now() - asking)
    this.#options.fed()
  }

  #adapt(bytes: number, ms: number): void {
    if (bytes * 2 < this.#bytes) return
    if (ms < FAST_MS) this.#bytes = Math.min(FETCH_BYTES.most, this.#bytes * 2)
    else if (ms > SLOW_MS) this.#bytes = Math.max(FETCH_BYTES.least, this.#bytes / 2)
  }

  #give(lane: Lane, part: Part, frame: Frame): void {
    if (part.errorCode !== 0) {
      this.#failed(lane, part)
      return
    }
    lane.sourceEnd = Offset(part.highWatermark)
    if (!part.records || part.records.length === 0) return
    this.#lanes.delete(lane) // to the end of the line: the broker fills its answer in the order of the request
    this.#lanes.add(lane)
    try {
      const got: Recoded = recode(part.records, {
        ...RECODE,
        where: lane.where,
        from: lane.wanted,
        ordinal: lane.wanted,
        stamp: ordinal => lane.stampOf(ordinal),
        holes: 'split',
        aborted: part.abortedTransactions ?? [],
        maxBatchBytes: this.#options.batchLimits.get(lane.topic),
      })
      frame.hold(got.items)
      lane.offer(got.items, got.next, got.stop)
    } catch (e) {
      if (!isKmigError(e)) throw e
      lane.stop(e)
    }
  }

  #failed(lane: Lane, part: Part): void {
    const { cure } = kafkaError(part.errorCode)
    const error = brokerError(part.errorCode, `fetch of ${lane.where} offset ${lane.wanted} from the source`)
    if (part.errorCode === ERROR.OFFSET_OUT_OF_RANGE) lane.outOfRange()
    else if (cure && cure !== 'denied' && cure !== 'auth') this.#options.strayed(lane, error)
    else lane.stop(error)
  }
}
