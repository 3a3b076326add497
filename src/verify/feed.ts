import {
  type Aborted,
  brokerError,
  type Cluster,
  ERROR,
  Fetch,
  type FramePool,
  isRetriable,
} from '../kafka/index.ts'
import { KmigError } from '../kit/index.ts'
import type { Pace } from './pace.ts'

const TIMEOUT_MS = 30_000
const LONG_POLL_MS = 500
/** Answers without a record before it is said that none come. */
const PATIENCE = 20
const READ_COMMITTED = 1
/** What is asked for grows while answers come fast and shrinks while they are slow: a thin link must keep its deadline. */
const BYTES = { least: 64 << 10, first: 1 << 20 }
const FAST_MS = 250
const SLOW_MS = 2_000
const LOG_OVERHEAD = 12
const BASE = { length: 8, lastOffsetDelta: 23, magic: 16 }

export type Side = 'source' | 'target'
export const SIDES = ['source', 'target'] as const

/** Whole batches of one answer. */
export type RecordSet = {
  bytes: Buffer
  aborted: readonly Aborted[]
  /** Gives the memory back: nobody may read `bytes` any more. */
  done(): void
}
/** `trimmed`: what was to be read next is gone, the log now starts at `start`. */
export type Fed = { kind: 'set'; set: RecordSet } | { kind: 'trimmed'; start: bigint } | { kind: 'end' }

/** Where record sets come from, in the order of the log. */
export interface Supply extends AsyncDisposable {
  next(): Promise<Fed>
}

export type FeedOptions = {
  cluster: Cluster
  topic: string
  partition: number
  from: bigint
  /** The first offset that is not asked for. */
  to: bigint
  /** Names the connection: feeds of different names don't wait for each other. */
  purpose: string
  /** The most that is asked for at a time. */
  bytes: number
  pool: FramePool
  pace: Pace
  signal: AbortSignal
}

/** Reads a partition from one offset to another as read_committed clients may, one answer ahead. */
export class Feed implements Supply {
  readonly #options: FeedOptions
  #at: bigint
  #ahead: Promise<Fed> | undefined
  #bytes: number

  constructor(options: FeedOptions) {
    this.#options = options
    this.#at = options.from
    this.#bytes = Math.min(BYTES.first, options.bytes)
  }

  async next(): Promise<Fed> {
    const ahead = this.#ahead ?? this.#read(this.#at)
    this.#ahead = undefined
    const fed = await ahead
    if (fed.kind === 'end') return fed
    this.#at = fed.kind === 'trimmed' ? fed.start : endOf(fed.set.bytes, this.#at)
    this.#ahead = this.#read(this.#at)
    this.#ahead.catch(() => {}) // thrown to whoever asks for it
    return fed
  }

  async #read(at: bigint): Promise<Fed> {
    const { cluster, to, topic, partition, signal } = this.#options
    for (let tries = 0; at < to; tries++) {
      const part = await cluster.retrying({ signal }, attempt => this.#fetch(at, attempt > 0))
      if (part.errorCode === ERROR.OFFSET_OUT_OF_RANGE) {
        if (part.logStartOffset > at) return { kind: 'trimmed', start: part.logStartOffset }
        return { kind: 'end' }
      }
      if (part.errorCode !== 0)
        throw brokerError(part.errorCode, `reading ${topic}-${partition} offset ${at}`)
      if (part.records && endOf(part.records, at) > at)
        return this.#set(part.records, part.abortedTransactions)
      if (part.highWatermark <= at) return { kind: 'end' } // it was truncated: what is missing is found missing
      if (tries >= PATIENCE) {
        const what = `${topic}-${partition}: no record comes from offset ${at} on, though the log goes to ${part.highWatermark}`
        throw new KmigError('TIMEOUT', what)
      }
    }
    return { kind: 'end' }
  }

  #set(bytes: Buffer, aborted: readonly Aborted[] | null): Fed {
    const { pool } = this.#options
    const memory = bytes.buffer
    const done = () => {
      if (memory instanceof ArrayBuffer) pool.give(memory)
    }
    return { kind: 'set', set: { bytes, aborted: aborted ?? [], done } }
  }

  async #fetch(at: bigint, refresh: boolean) {
    const { cluster, topic, partition, purpose, pace, signal } = this.#options
    if (refresh || !cluster.leaderOf(topic, partition)) await cluster.metadata([topic], { signal })
    const leader = cluster.leaderOf(topic, partition)
    if (!leader) throw brokerError(ERROR.LEADER_NOT_AVAILABLE, `reading ${topic}-${partition}`)
    const connection = await cluster.connection(leader.nodeId, purpose, signal)
    await pace.ready(signal)
    const bytes = Math.max(BYTES.least, Math.floor(this.#bytes))
    const partitions = [{ partition, fetchOffset: at, partitionMaxBytes: bytes }]
    const asked = performance.now()
    this.#bytes /= 2 // if no answer comes at all
    const answer = await connection.send(
      Fetch,
      {
        maxWaitMs: LONG_POLL_MS,
        minBytes: 1,
        maxBytes: bytes,
        isolationLevel: READ_COMMITTED,
        topics: [{ topic, partitions }],
      },
      { timeoutMs: TIMEOUT_MS, signal },
    )
    const part = answer.topics[0]?.partitions[0]
    const code = answer.errorCode || (part?.errorCode ?? ERROR.UNKNOWN_TOPIC_OR_PARTITION)
    if (!part || (code !== 0 && isRetriable(code))) throw brokerError(code, `reading ${topic}-${partition}`)
    pace.took(part.records?.length ?? 0)
    const ms = performance.now() - asked
    this.#bytes = Math.min(this.#options.bytes, ms < FAST_MS ? bytes * 2 : ms > SLOW_MS ? bytes / 2 : bytes)
    return { ...part, errorCode: code }
  }

  /** Waits for the answer that is under way. */
  async [Symbol.asyncDispose](): Promise<void> {
    const fed = await this.#ahead?.catch(() => undefined)
    if (fed?.kind === 'set') fed.set.done()
  }
}

/** The offset behind the last whole batch; `at` if there is none. */
const endOf = (bytes: Buffer, at: bigint): bigint => {
  let end = at
  for (let i = 0; i + LOG_OVERHEAD <= bytes.length; ) {
    const size = LOG_OVERHEAD + bytes.readInt32BE(i + BASE.length)
    if (i + size > bytes.length) break
    const delta = bytes.readInt8(i + BASE.magic) === 2 ? bytes.readInt32BE(i + BASE.lastOffsetDelta) : 0
    const next = bytes.readBigInt64BE(i) + BigInt(delta) + 1n
    if (next > end) end = next
    i += size
  }
  return end
}
