import { type Consumer, kafkaJs } from '../kafka/index.ts'
import { formatHostPort, Journal, KmigError, messageOf, readJournal } from '../kit/index.ts'
import { type Place, placeKey } from './ledger.ts'
import type { Locate } from './writer.ts'

/** A line of a reader's journal: a batch that it worked through and committed behind. */
export type ReadEntry = Place & { first: string; last: string; count: number; at: string }

export type ReaderOptions = {
  group: string
  topics: readonly string[]
  locate: Locate
  /** Its journal. */
  path: string
}

type Running = { consumer: Consumer; at: string }

/**
 * An ordinary consumer: commits behind each batch that it has worked through, and journals which offsets those were.
 * Like a writer it reads its discovery file only when it starts.
 */
export class Reader implements AsyncDisposable {
  readonly #options: ReaderOptions
  readonly #journal: Journal<ReadEntry>
  #running: Running | undefined
  #failure: unknown
  readonly #next = new Map<string, bigint>()
  /** Records that it read since it was opened. */
  count = 0
  readonly unknown = 0
  /** Whether its consumer has crashed for good. */
  get failures(): number {
    return this.#failure === undefined ? 0 : Number.POSITIVE_INFINITY
  }
  private constructor(options: ReaderOptions, journal: Journal<ReadEntry>) {
    this.#options = options
    this.#journal = journal
  }

  static async open(options: ReaderOptions): Promise<Reader> {
    return new Reader(options, await Journal.open<ReadEntry>(options.path))
  }

  get group(): string {
    return this.#options.group
  }

  get topics(): readonly string[] {
    return this.#options.topics
  }

  get entries(): readonly ReadEntry[] {
    return this.#journal.entries
  }

  /** The brokers that it talks to; undefined while it is stopped. */
  get at(): string | undefined {
    return this.#running?.at
  }

  get read(): number {
    return this.entries.reduce((sum, { count }) => sum + count, 0)
  }

  /** The offset that it will read next; undefined before its first batch of a partition. */
  next(place: string): bigint | undefined {
    return this.#next.get(place)
  }

  async start(): Promise<void> {
    if (this.#running) return
    const { group, topics, locate } = this.#options
    const { bootstrap, security } = await locate()
    const at = bootstrap.map(formatHostPort).join(',')
    const consumer = kafkaJs({ brokers: bootstrap, security, clientId: `kmig-reader-${group}` }).consumer({
      groupId: group,
      maxWaitTimeInMs: 100,
      allowAutoTopicCreation: false,
    })
    consumer.on(consumer.events.CRASH, ({ payload: { error, restart } }) => {
      if (!restart) this.#failure ??= error
    })
    await consumer.connect()
    await consumer.subscribe({ topics: [...topics], fromBeginning: true })
    await consumer.run({
      autoCommit: false,
      eachBatch: async ({ batch, heartbeat }) => {
        const { topic, partition } = batch
        const [first, last] = [batch.firstOffset() ?? '0', batch.lastOffset()]
        await consumer.commitOffsets([{ topic, partition, offset: String(BigInt(last) + 1n) }])
        await this.#journal.append({ topic, partition, first, last, count: batch.messages.length, at })
        this.count += batch.messages.length
        this.#next.set(placeKey(batch), BigInt(last) + 1n)
        await heartbeat()
      },
    })
    this.#running = { consumer, at }
  }

  /** Ends behind a committed batch and leaves the group. */
  async stop(): Promise<void> {
    const running = this.#running
    this.#running = undefined
    await running?.consumer.stop()
    await running?.consumer.disconnect()
    const cause = this.#failure
    this.#failure = undefined
    if (cause !== undefined)
      throw new KmigError('PARTIAL', `reader ${this.#options.group} failed: ${messageOf(cause)}`, { cause })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop().catch(() => {})
    await this.#journal[Symbol.asyncDispose]()
  }
}

/** Batches in a reader's journal. */
export const readsIn = (path: string): ReadEntry[] => readJournal<ReadEntry>(path).entries

/** What a reader skipped or read twice in one partition, by offset. */
export type ReadFindings = Place & {
  group: string
  records: number
  /** The first offset that it read, and the one that it will read next. */
  first: bigint
  next: bigint
  skipped: string[]
  reread: string[]
}

/** Holds a reader's batches, in their order, against each other: the next starts where the last one ended. */
export const checkReads = (group: string, entries: Iterable<ReadEntry>): ReadFindings[] => {
  const all = new Map<string, ReadFindings>()
  for (const { topic, partition, first, last, count } of entries) {
    const [from, to] = [BigInt(first), BigInt(last)]
    const key = placeKey({ topic, partition })
    const found = all.get(key) ?? {
      ...{ group, topic, partition, records: 0, first: from, next: from },
      ...{ skipped: [], reread: [] },
    }
    all.set(key, found)
    if (from > found.next) found.skipped.push(`${found.next}-${from - 1n}`)
    if (from < found.next) found.reread.push(`${from}-${least(found.next - 1n, to)}`)
    found.records += count
    found.next = to >= found.next ? to + 1n : found.next
  }
  return [...all.values()]
}
const least = (a: bigint, b: bigint): bigint => (a < b ? a : b)
