import { join } from 'node:path'
import { type Account, type Place, placeKey, Reader, Writer } from '../load/index.ts'
import { locateIn } from './discovery-files.ts'
import { TOPICS, type World } from './world.ts'

/** The application's clients: ordinary writers and readers that follow the discovery files. */
export class Crowd implements AsyncDisposable {
  readonly run: string
  readonly writers: readonly Writer[]
  readonly readers: readonly Reader[]
  private constructor(run: string, writers: readonly Writer[], readers: readonly Reader[]) {
    this.run = run
    this.writers = writers
    this.readers = readers
  }

  static async open(world: World, run: string): Promise<Crowd> {
    const writer = (number: number, topics: readonly string[], codec: 'none' | 'gzip' | 'zstd') =>
      Writer.open({
        run,
        writer: number,
        places: placesOf(topics),
        locate: async () => ({
          bootstrap: await locateIn(world.discovery, number === 3 ? 'scribe' : 'standard'),
        }),
        path: join(world.journals, `writer-${number}.ndjson`),
        codec,
        perBatch: 10,
        everyMs: 40,
      })
    const reader = (group: string, topics: readonly string[]) =>
      Reader.open({
        group,
        topics,
        locate: async () => ({ bootstrap: await locateIn(world.discovery, 'standard') }),
        path: join(world.journals, `reader-${group}.ndjson`),
      })
    const writers = [
      writer(1, ['orders'], 'none'),
      writer(2, ['orders', 'payments'], 'gzip'),
      writer(3, ['clicks'], 'zstd'),
    ]
    const readers = [reader('billing', ['orders', 'payments']), reader('analytics', ['clicks'])]
    return new Crowd(run, await Promise.all(writers), await Promise.all(readers))
  }

  /** Each client reads its discovery file and connects. */
  async start(): Promise<void> {
    await Promise.all([...this.writers, ...this.readers].map(client => client.start()))
  }

  async stopWriters(): Promise<void> {
    await Promise.all(this.writers.map(writer => writer.stop()))
  }
  async stopReaders(): Promise<void> {
    await Promise.all(this.readers.map(reader => reader.stop()))
  }

  get sent(): number {
    return this.writers.reduce((sum, { sent }) => sum + sent, 0)
  }
  get read(): number {
    return this.readers.reduce((sum, { read }) => sum + read, 0)
  }

  /** The brokers that its running clients talk to. */
  get at(): Set<string> {
    return new Set([...this.writers, ...this.readers].flatMap(({ at }) => at ?? []))
  }

  /** By writer, what each knows of a partition. */
  accounts(place: Place): Map<number, Account> {
    const rows = this.writers.map(
      ({ number, ledger }) => [number, ledger.accounts.get(placeKey(place))] as const,
    )
    return new Map(rows.flatMap(([number, account]) => (account ? [[number, account] as const] : [])))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.writers, ...this.readers].map(client => client[Symbol.asyncDispose]()))
  }
}

const placesOf = (topics: readonly string[]): Place[] =>
  TOPICS.filter(({ name }) => topics.includes(name)).flatMap(({ name, partitions }) =>
    Array.from({ length: partitions }, (_, partition) => ({ topic: name, partition })),
  )
