import { join } from 'node:path'
import { sleep } from '../kit/index.ts'
import { type Account, type Locate, type Place, placeKey, Reader, Writer } from '../load/index.ts'

type Codec = 'none' | 'gzip' | 'zstd'

/** Who takes part in a story, and where each finds its cluster. */
export type Cast = {
  writers: readonly { places: readonly Place[]; codec: Codec; locate: Locate; retries?: number }[]
  readers: readonly { group: string; topics: readonly string[]; locate: Locate }[]
}

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

  /** `journals`: the directory of what they know. */
  static async open(
    { writers, readers }: Cast,
    { run, journals }: { run: string; journals: string },
  ): Promise<Crowd> {
    const opened = writers.map((writer, i) =>
      Writer.open({
        run,
        writer: i + 1,
        ...writer,
        path: join(journals, `writer-${i + 1}.ndjson`),
        perBatch: 10,
        everyMs: 40,
      }),
    )
    const others = readers.map(reader =>
      Reader.open({ ...reader, path: join(journals, `reader-${reader.group}.ndjson`) }),
    )
    return new Crowd(run, await Promise.all(opened), await Promise.all(others))
  }

  /** Each client reads its discovery file and connects. */
  async start(): Promise<void> {
    await Promise.all([...this.writers, ...this.readers].map(client => client.start()))
  }

  /** Starts clients that have stopped, and readers that have not anew: they read their discovery file when they start. */
  async reload(): Promise<void> {
    const before = this.writers.map(({ count }) => count)
    await Promise.all([
      ...this.writers.map(writer => writer.start()),
      ...this.readers.map(async reader => {
        await reader.stop()
        await reader.start()
      }),
    ])
    while (this.writers.some(({ count, at }, i) => at !== undefined && count === before[i])) await sleep(5)
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

  /** Records that writers had acknowledged. */
  get acknowledged(): number {
    return this.writers.reduce((sum, { count }) => sum + count, 0)
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
