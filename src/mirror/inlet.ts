import {
  type BatchLimit,
  brokerError,
  type Connection,
  ERROR,
  type Fetch,
  type FramePool,
  kafkaError,
  type Recoded,
  type ResponseOf,
  recode,
} from '../kafka/index.ts'
import { isKmigError, KmigError, messageOf, Offset, sleep } from '../kit/index.ts'
import type { Brakes } from './brakes.ts'
import { fetchFrom, type TopicIds } from './by-id.ts'
import { epochsIn } from './epochs.ts'
import { type Asked, FetchSession } from './fetch-session.ts'
import { Frame } from './frame.ts'
import type { Lane } from './lane.ts'
import { truncatedAtSource } from './range.ts'
import { Wake } from './wake.ts'

/**
 * What an answer may hold: grows while answers come fast, shrinks while they are slow, so that a thin link is neither
 * silent for long nor past its deadline; how far, is for the memory to say. A batch that is larger comes whole all the same.
 */
const FETCH_BYTES = { least: 256 << 10, first: 1 << 20 }
/** Each time. */
const GROWTH = 4
/** Beyond the round trip. */
const FAST_MS = 250
const SLOW_MS = 1_000
const PARTITION_BYTES = 1 << 20
/** How long the broker may wait for new records; short while a lane of this inlet is held back, as it would wait too. */
const LONG_POLL_MS = 500
/** After an answer without records: many idle partitions cost a core's few percent by being asked for alone. */
const IDLE_POLL_MS = 1_000
const HELD_BACK_POLL_MS = { few: 10, many: 50 }
const MANY_LANES = 100
/** After a session that the broker does not know any more. */
const ANEW_MS = 100
/** Sleeping in steps of this, as what it waits for may change. */
const REST_STEP_MS = 1_000
const TIMEOUT_MS = 30_000
const READ_COMMITTED = 1
/** However low the limit, so much may come at a time. */
const LEAST_BYTES = 64 << 10
/** FETCH_SESSION_ID_NOT_FOUND, INVALID_FETCH_SESSION_EPOCH, INCONSISTENT_TOPIC_ID, FETCH_SESSION_TOPIC_ID_ERROR. */
const SESSION_ERRORS: ReadonlySet<number> = new Set([70, 71, 103, 106])
/** A lane asks for no more while it holds this, or an answer's worth; what all lanes together may hold is the mirror's to say. */
const LANE_BYTES = 4 << 20

const RECODE = { passFrom: { plain: 12 << 10, packed: 4 << 10 }, mergeTo: 512 << 10 }

type Part = ResponseOf<typeof Fetch>['topics'][number]['partitions'][number]

export type InletOptions = {
  /** Ends the loop; an answer that comes later is dropped. */
  signal: AbortSignal
  pool: FramePool
  topicIds: TopicIds
  /** Bytes of the largest batch that each topic of the target takes. */
  batchLimits: ReadonlyMap<string, BatchLimit>
  /** As of `recode`. */
  skip?: ReadonlySet<bigint> | undefined
  brakes: Brakes
  /** Epoch of the leader of a lane's partition, as far as it is known. */
  leaderEpochOf(lane: Lane): number
  /** What one answer may hold, so that all connections together stay within the memory they have. */
  mostBytes(): number
  /** Whether all lanes together hold too much, what is under way to them included. */
  full(): boolean
  /** It asks: the turn of the others comes first now. */
  asks(): void
  /** Lanes got something. */
  fed(): void
  /** This broker no longer leads a lane's partition, or can't tell. */
  strayed(lane: Lane, why: KmigError): void
}

const lostBy = (e: Error): KmigError => (isKmigError(e) ? e : new KmigError('DISCONNECTED', messageOf(e)))

/** The fetch side of one connection to one broker: long polls for all its lanes that have room. Source: MIRROR.md 3. */
export class Inlet {
  readonly connection: Connection
  readonly #lanes = new Set<Lane>()
  readonly #options: InletOptions
  readonly #wake: Wake
  readonly #session = new FetchSession()
  #throttledUntil = Number.NEGATIVE_INFINITY
  #bytes = FETCH_BYTES.first
  #idle = false
  /** Of the last answer. */
  #came = 0
  /** What the answer that is under way may bring, as the last one tells. */
  underWay = 0

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
      if (await this.#rested()) continue
      const hungry = full() ? [] : [...this.#lanes].filter(lane => lane.hungry(this.#laneBytes))
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

  /** Whether it had to rest: for a quota of the broker, or for the mirror's own limit. */
  async #rested(): Promise<boolean> {
    const { brakes, signal } = this.#options
    const ms = Math.max(brakes.restMs(), this.#throttledUntil - performance.now())
    if (ms <= 0) return false
    await sleep(Math.min(ms, REST_STEP_MS), signal).catch(() => {}) // the loop looks at the signal
    return true
  }

  get #laneBytes(): number {
    return Math.max(LANE_BYTES, this.#bytes)
  }

  get #pollMs(): number {
    const copying = [...this.#lanes].filter(lane => lane.phase.at === 'copying')
    const heldBack = copying.some(lane => !lane.hungry(this.#laneBytes))
    if (heldBack) return this.#lanes.size > MANY_LANES ? HELD_BACK_POLL_MS.many : HELD_BACK_POLL_MS.few
    return this.#idle ? IDLE_POLL_MS : LONG_POLL_MS
  }

  #question(hungry: readonly Lane[], maxBytes: number): Map<string, Asked> {
    const { leaderEpochOf } = this.#options
    const share = Math.max(PARTITION_BYTES, maxBytes / hungry.length)
    const partitionMaxBytes = Math.min(Math.floor(share), maxBytes)
    return new Map(
      hungry.map(lane => {
        const { topic, partition, wanted, where } = lane
        const asked = {
          ...{ topic, partition, fetchOffset: wanted, partitionMaxBytes },
          currentLeaderEpoch: leaderEpochOf(lane),
          lastFetchedEpoch: lane.sourceEpochs.before(wanted),
        }
        return [where, asked] as const
      }),
    )
  }

  async #ask(hungry: readonly Lane[]): Promise<void> {
    const { brakes, topicIds, signal, pool, mostBytes, asks, fed } = this.#options
    const maxBytes = Math.min(this.#bytes, mostBytes(), Math.max(LEAST_BYTES, brakes.maxRate ?? this.#bytes))
    const asked = new Map(hungry.map(lane => [lane.where, { lane, generation: lane.generation }]))
    const asking = performance.now()
    this.underWay = Math.min(maxBytes, this.#came * GROWTH)
    asks()
    const answer = await fetchFrom(
      this.connection,
      topicIds,
      {
        maxWaitMs: this.#pollMs,
        minBytes: 1,
        maxBytes,
        isolationLevel: READ_COMMITTED,
        ...this.#session.question(this.#question(hungry, maxBytes)),
      },
      { timeoutMs: TIMEOUT_MS, signal },
    ).finally(() => {
      this.underWay = 0
    })
    brakes.throttled('source', answer.throttleTimeMs)
    this.#throttledUntil = performance.now() + answer.throttleTimeMs
    if (answer.errorCode !== 0) return await this.#anew(answer.errorCode)
    this.#session.answered(answer)
    const frame = new Frame(pool)
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
    frame.read()
    brakes.took(bytes)
    this.#idle = bytes === 0
    this.#came = bytes
    this.#adapt(bytes, performance.now() - asking)
    fed()
  }

  /** A session that the broker forgot, or that is not as it thinks, begins anew; other errors are the engine's. */
  async #anew(errorCode: number): Promise<void> {
    if (!SESSION_ERRORS.has(errorCode))
      throw brokerError(errorCode, `fetch from ${this.connection.address.host}`)
    this.#session.reset()
    await sleep(ANEW_MS, this.#options.signal)
  }

  #adapt(bytes: number, ms: number): void {
    if (bytes * 2 < this.#bytes) return
    const beyond = ms - this.connection.roundTripMs
    if (beyond < FAST_MS) this.#bytes = Math.min(this.#options.mostBytes(), this.#bytes * GROWTH)
    else if (beyond > SLOW_MS) this.#bytes = Math.max(FETCH_BYTES.least, this.#bytes / 2)
  }

  #give(lane: Lane, part: Part, frame: Frame): void {
    if (part.errorCode !== 0) {
      this.#failed(lane, part)
      return
    }
    lane.sourceEnd = Offset(part.highWatermark)
    lane.sourceStable = Offset(part.lastStableOffset < 0n ? part.highWatermark : part.lastStableOffset)
    const { divergingEpoch: other } = part
    if (other && other.endOffset >= 0n) {
      const from = lane.sourceEpochs.common(other, lane.wanted)
      const here = { next: lane.wanted, ordinal: lane.wantedOrdinal }
      lane.offer([], here, truncatedAtSource(lane, from))
      return
    }
    if (!part.records || part.records.length === 0) return
    this.#lanes.delete(lane) // to the end of the line: the broker fills its answer in the order of the request
    this.#lanes.add(lane)
    lane.sourceEpochs.saw(epochsIn(part.records, lane.wanted))
    try {
      const got: Recoded = recode(part.records, {
        ...RECODE,
        where: lane.where,
        from: lane.wanted,
        ordinal: lane.wantedOrdinal,
        stamp: ordinal => lane.stampOf(ordinal),
        holes: lane.squeezes ? 'squeeze' : 'split',
        aborted: part.abortedTransactions ?? [],
        limit: this.#options.batchLimits.get(lane.topic),
        skip: this.#options.skip,
      })
      frame.hold(got.items)
      lane.offer(got.items, got, got.stop)
    } catch (e) {
      if (!isKmigError(e)) throw e
      lane.stop(e)
    }
  }

  #failed(lane: Lane, part: Part): void {
    const { cure } = kafkaError(part.errorCode)
    const error = brokerError(
      part.errorCode,
      `fetch of ${lane.where} offset ${lane.wanted} from the source`,
      null,
      `Read on topic ${lane.topic}`,
    )
    if (part.errorCode === ERROR.OFFSET_OUT_OF_RANGE) lane.outOfRange()
    else if (cure && cure !== 'denied' && cure !== 'auth') this.#options.strayed(lane, error)
    else lane.stop(error)
  }
}
