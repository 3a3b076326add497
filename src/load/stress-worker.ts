import { existsSync } from 'node:fs'
import { kafkaJs } from '../kafka/index.ts'
import { type During, messageOf, sleep } from '../kit/index.ts'
import { type Place, placeKey } from './ledger.ts'
import { Reader } from './reader.ts'
import {
  type FromWorker,
  journalOf,
  type ReaderEnd,
  type ToWorker,
  type WorkerPlan,
} from './stress-messages.ts'
import { type Locate, Writer } from './writer.ts'

const LOOK_MS = 100
const TELL_MS = 500
const AGAIN_MS = 500
/** Batches refused in a row before the client is started anew, as an application would be. */
const FAILURES = 5

export type WorkerOptions = During & {
  /** Asked at each start of a client: where it should connect now. */
  locate: Locate
  tell(message: FromWorker): void
  /** What the parent says; ends when it is gone. */
  orders: AsyncIterable<ToWorker>
}

type Client = Pick<Writer, 'start' | 'stop' | 'at'> &
  AsyncDisposable & { readonly count: number; readonly unknown: number; readonly failures: number }

/** One process of `kmig stress`: a writer or a reader that does as it is told, until the parent says so or is gone. */
export const stressWorker = async ({ locate, tell, orders, signal }: WorkerOptions): Promise<void> => {
  const iterator = orders[Symbol.asyncIterator]()
  const first = await iterator.next()
  if (first.done || first.value.kind !== 'plan') return
  const { plan } = first.value
  const told = { finish: undefined as number | undefined, over: false }
  const listen = async () => {
    for (let next = await iterator.next(); !next.done; next = await iterator.next())
      if (next.value.kind === 'finish') told.finish = next.value.withinMs
    told.over = true
  }
  void listen()
  const over = () => told.over || signal.aborted
  await using client = await clientOf(plan, locate)
  const keeper = new Keeper(plan, client, tell)
  while (!over() && told.finish === undefined) {
    await keeper.look()
    await sleep(LOOK_MS)
  }
  let behind: ReaderEnd[] = []
  if (client instanceof Reader && !over()) {
    await keeper.start()
    behind = await readToEnd(client, plan, { locate, withinMs: told.finish ?? 0, over })
  }
  await keeper.stop()
  keeper.stand()
  tell({ kind: 'ended', behind })
}

const placesOf = ({ topic, partitions }: WorkerPlan): Place[] =>
  Array.from({ length: partitions }, (_, partition) => ({ topic, partition }))

const clientOf = async (plan: WorkerPlan, locate: Locate): Promise<Client> => {
  const { run, index, perBatch, bytes, codec, rate, group, topic } = plan
  const path = journalOf(plan)
  if (plan.role === 'reader') return await Reader.open({ group, topics: [topic], locate, path })
  const places = placesOf(plan)
  return await Writer.open({
    run,
    writer: index,
    places,
    locate,
    path,
    perBatch,
    bytes,
    codec,
    rate,
    everyMs: 0,
  })
}

/** Keeps a client running, paused or restarted, as the plan says; what fails is told and tried again. */
class Keeper {
  readonly #plan: WorkerPlan
  readonly #client: Client
  readonly #tell: WorkerOptions['tell']
  #paused = false
  #startedAt = 0
  #restarts = 0
  #againAt = 0
  #toldAt = 0
  #trouble = ''
  constructor(plan: WorkerPlan, client: Client, tell: WorkerOptions['tell']) {
    this.#plan = plan
    this.#client = client
    this.#tell = tell
  }

  async look(): Promise<void> {
    const { pauseFile, restartEveryMs, role } = this.#plan
    const now = performance.now()
    const paused = pauseFile !== undefined && existsSync(pauseFile)
    if (paused && !this.#paused && role === 'writer') await this.stop()
    if (!paused && this.#paused) await this.#again() // who was paused, and who read on meanwhile, look where to go now
    this.#paused = paused
    const due = restartEveryMs > 0 && now - this.#startedAt > restartEveryMs
    if (!paused && this.#client.at !== undefined && (due || this.#client.failures >= FAILURES))
      await this.#again()
    if (this.#client.at === undefined && !(paused && role === 'writer') && now >= this.#againAt)
      await this.start()
    if (now - this.#toldAt > TELL_MS) this.stand()
  }

  async #again(): Promise<void> {
    await this.stop()
    this.#restarts++
    await this.start()
  }
  async start(): Promise<void> {
    try {
      await this.#client.start()
      this.#startedAt = performance.now()
      this.#trouble = ''
    } catch (e) {
      this.#againAt = performance.now() + AGAIN_MS
      this.#say(`can't start: ${messageOf(e)}`)
    }
  }
  async stop(): Promise<void> {
    await this.#client.stop().catch(e => this.#say(messageOf(e)))
  }
  #say(text: string): void {
    if (text !== this.#trouble) this.#tell({ kind: 'trouble', text })
    this.#trouble = text
  }

  stand(): void {
    this.#toldAt = performance.now()
    const { count, unknown, at } = this.#client
    this.#tell({
      kind: 'standing',
      count,
      unknown,
      restarts: this.#restarts,
      at: at ?? (this.#trouble || 'stopped'),
    })
  }
}

type ToEnd = { locate: Locate; withinMs: number; over(): boolean }

/** Waits until a reader has read what its cluster holds now; gives what it has not. */
const readToEnd = async (
  reader: Reader,
  plan: WorkerPlan,
  { locate, withinMs, over }: ToEnd,
): Promise<ReaderEnd[]> => {
  const until = performance.now() + withinMs
  const { bootstrap, security } = await locate()
  const admin = kafkaJs({ brokers: bootstrap, security, clientId: 'kmig-stress' }).admin()
  await admin.connect()
  const offsets = await admin.fetchTopicOffsets(plan.topic).finally(() => admin.disconnect())
  const left = (): ReaderEnd[] =>
    offsets.flatMap(({ partition, low, high }) => {
      const place = { topic: plan.topic, partition }
      const next = reader.next(placeKey(place)) ?? BigInt(low)
      return next < BigInt(high) ? [{ ...place, next: String(next), end: high }] : []
    })
  while (left().length > 0 && performance.now() < until && !over()) await sleep(LOOK_MS)
  return left()
}
