import { randomBytes } from 'node:crypto'
import { CODECS, kafkaJs, type Producer, type Security } from '../kafka/index.ts'
import { formatHostPort, type HostPort, KmigError, messageOf, sleep } from '../kit/index.ts'
import { Ledger, type Place, placeKey } from './ledger.ts'
import { writePayload } from './payload.ts'

/** A cluster as a client finds it. */
export type Located = { bootstrap: readonly HostPort[]; security?: Security | undefined }
/** Asked at every start: the cluster that a client should talk to now, from its discovery file. */
export type Locate = () => Promise<Located>

/** A fresh name for a run of writers and readers. */
export const newRun = (): string => randomBytes(8).toString('hex')

export type WriterOptions = {
  run: string
  /** A number of its own among the run's writers. */
  writer: number
  places: readonly Place[]
  locate: Locate
  /** Its journal. */
  path: string
  /** Records in a batch, one batch to each partition at a time; default 5. */
  perBatch?: number
  /** Pause between rounds over all partitions; default 50. */
  everyMs?: number
  /** Records a second; default, and 0, as the pause gives it. */
  rate?: number
  /** Length of a value; default 200. */
  bytes?: number
  /** Of a batch, after which it counts as unknown; default for ever, as an idempotent producer does. */
  retries?: number
  /** Default none. */
  codec?: (typeof CODECS)[number]
}

const FOREVER = { retries: Number.MAX_SAFE_INTEGER }
/** A rate that was not kept for longer than this is not made up for. */
const BEHIND_MS = 1_000

type Running = { producer: Producer; at: string; stop: AbortController; done: Promise<void> }

/**
 * An ordinary client that writes serial numbers and journals what was acknowledged. It moves as applications do: it
 * reads its discovery file when it starts, and never again until it is started anew. Serials go on over restarts.
 */
export class Writer implements AsyncDisposable {
  readonly #options: Required<WriterOptions>
  readonly #ledger: Ledger
  readonly #next = new Map<string, number>()
  #running: Running | undefined
  #failure: unknown
  /** Records that were acknowledged, and that were sent without an answer that decides, since it was opened. */
  count = 0
  unknown = 0
  /** Batches in a row that failed. */
  failures = 0
  private constructor(options: WriterOptions, ledger: Ledger) {
    this.#options = { perBatch: 5, everyMs: 50, rate: 0, bytes: 200, codec: 'none', ...FOREVER, ...options }
    this.#ledger = ledger
  }

  static async open(options: WriterOptions): Promise<Writer> {
    return new Writer(options, await Ledger.open(options.path))
  }

  get number(): number {
    return this.#options.writer
  }
  get ledger(): Ledger {
    return this.#ledger
  }

  /** The brokers that it talks to; undefined while it is stopped. */
  get at(): string | undefined {
    return this.#running?.at
  }

  /** Records handed to Kafka so far. */
  get sent(): number {
    return [...this.#next.values()].reduce((sum, n) => sum + n, 0)
  }

  /** Reads the discovery file, connects, writes until `stop`. */
  async start(): Promise<void> {
    if (this.#running) return
    const { bootstrap, security } = await this.#options.locate()
    const producer = kafkaJs({
      brokers: bootstrap,
      security,
      clientId: `kmig-writer-${this.#options.writer}`,
    }).producer({
      idempotent: true,
      maxInFlightRequests: 1,
      allowAutoTopicCreation: false,
      retry: { retries: this.#options.retries },
    })
    await producer.connect()
    const stop = new AbortController()
    const at = bootstrap.map(formatHostPort).join(',')
    const done = this.#write(producer, at, stop.signal).catch(e => {
      this.#failure ??= e
    })
    this.#running = { producer, at, stop, done }
  }

  /** Waits for the answers to what was sent, then disconnects. Throws what ended the writing, if something did. */
  async stop(): Promise<void> {
    const running = this.#running
    this.#running = undefined
    running?.stop.abort()
    await running?.done
    await running?.producer.disconnect()
    if (this.#failure !== undefined) {
      throw new KmigError('PARTIAL', `writer ${this.#options.writer} failed: ${messageOf(this.#failure)}`, {
        cause: this.#failure,
      })
    }
  }

  async #write(producer: Producer, at: string, signal: AbortSignal): Promise<void> {
    let due = performance.now()
    while (!signal.aborted) {
      for (const place of this.#options.places) {
        if (signal.aborted) return
        await this.#batch(producer, at, place)
      }
      const { rate, everyMs, places, perBatch } = this.#options
      due = Math.max(
        due + (rate > 0 ? (places.length * perBatch * 1_000) / rate : 0),
        performance.now() - BEHIND_MS,
      )
      const pauseMs = rate > 0 ? due - performance.now() : everyMs
      if (pauseMs > 0) await sleep(pauseMs, signal).catch(() => {}) // stopped
    }
  }

  async #batch(producer: Producer, at: string, place: Place): Promise<void> {
    const { run, writer, perBatch, bytes, codec } = this.#options
    const key = placeKey(place)
    const from = this.#next.get(key) ?? this.#ledger.accounts.get(key)?.reserved ?? 0
    const to = from + perBatch - 1
    await this.#ledger.reserve(place, to + 1)
    this.#next.set(key, to + 1)
    const messages = Array.from({ length: perBatch }, (_, i) => {
      const stamp = { run, writer, ...place, serial: from + i, timeMs: Date.now() }
      return {
        partition: place.partition,
        key: `${writer}-${stamp.serial}`,
        value: writePayload(stamp, bytes),
      }
    })
    try {
      const [answer] = await producer.send({
        topic: place.topic,
        acks: -1,
        compression: CODECS.indexOf(codec),
        messages,
      })
      await this.#ledger.append({ kind: 'ok', ...place, from, to, offset: answer?.baseOffset ?? '-1', at })
      this.count += perBatch
      this.failures = 0
    } catch (e) {
      await this.#ledger.append({ kind: 'unknown', ...place, from, to, why: messageOf(e) })
      this.unknown += perBatch
      this.failures++
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop().catch(() => {}) // told by an earlier stop(), or nobody asks any more
    await this.#ledger[Symbol.asyncDispose]()
  }
}
