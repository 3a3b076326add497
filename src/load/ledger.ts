import { Journal, readJournal } from '../kit/index.ts'
import { Ranges } from './ranges.ts'

/** A partition by name. */
export type Place = { topic: string; partition: number }
export const placeKey = ({ topic, partition }: Place): string => `${topic}-${partition}`

/** A line of a writer's journal. Serials count from 0 for each partition. */
export type LedgerEntry =
  /** Serials below `below` may have been sent from here on. Written before the first of them is. */
  | ({ kind: 'reserved'; below: number } & Place)
  /** Acknowledged, the first of them at `offset` of the cluster at `at`. */
  | ({ kind: 'ok'; from: number; to: number; offset: string; at: string } & Place)
  /** Sent without an answer that decides: they may or may not be in the log. */
  | ({ kind: 'unknown'; from: number; to: number; why: string } & Place)

/** What a writer knows of one partition. */
export type Account = { reserved: number; ok: Ranges; unknown: Ranges }

const fresh = (): Account => ({ reserved: 0, ok: new Ranges(), unknown: new Ranges() })

/** The accounts of a writer by partition, from its journal's lines. */
export const accountsOf = (entries: Iterable<LedgerEntry>): Map<string, Account> => {
  const accounts = new Map<string, Account>()
  for (const entry of entries) {
    const key = placeKey(entry)
    const account = accounts.get(key) ?? fresh()
    accounts.set(key, account)
    if (entry.kind === 'reserved') account.reserved = Math.max(account.reserved, entry.below)
    else account[entry.kind].add(entry.from, entry.to)
  }
  return accounts
}

const RESERVE = 10_000

/** A writer's journal on disk: what it may have sent, what was acknowledged. */
export class Ledger implements AsyncDisposable {
  readonly #journal: Journal<LedgerEntry>
  readonly #reserved = new Map<string, number>()
  #tail: Promise<void> = Promise.resolve()
  private constructor(journal: Journal<LedgerEntry>) {
    this.#journal = journal
    for (const [key, { reserved }] of accountsOf(journal.entries)) this.#reserved.set(key, reserved)
  }

  static async open(path: string): Promise<Ledger> {
    return new Ledger(await Journal.open<LedgerEntry>(path))
  }

  /** Accounts of a journal that nobody writes. */
  static read(path: string): Map<string, Account> {
    return accountsOf(readJournal<LedgerEntry>(path).entries)
  }

  get accounts(): Map<string, Account> {
    return accountsOf(this.#journal.entries)
  }

  /** Serials below `below` may be sent once this resolves; keeps ahead, so that it seldom writes. */
  async reserve(place: Place, below: number): Promise<void> {
    const key = placeKey(place)
    if (below <= (this.#reserved.get(key) ?? 0)) return
    this.#reserved.set(key, below + RESERVE)
    await this.append({ kind: 'reserved', ...place, below: below + RESERVE })
  }

  /** Lines are written one after the other, whoever asks. */
  async append(entry: LedgerEntry): Promise<void> {
    const turn = this.#tail.then(() => this.#journal.append(entry))
    this.#tail = turn.catch(() => {})
    await turn
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#tail
    await this.#journal[Symbol.asyncDispose]()
  }
}
