import { type Account, type Place, placeKey } from './ledger.ts'
import { readPayload, type Stamp } from './payload.ts'
import { Ranges } from './ranges.ts'

/** A record as it was read back. */
export type Seen = { offset: bigint; value: Uint8Array | null }

/** What is wrong with one writer's serials in one partition. */
export type WriterFindings = {
  writer: number
  /** Acknowledged and not there. */
  lost: Ranges
  /** There more than once: the later ones. */
  repeated: Ranges
  /** There behind a higher serial. */
  outOfOrder: Ranges
  /** There, though the writer never sent them. */
  phantom: Ranges
  /** Never acknowledged, and not there: no fault. */
  unsure: number
}

export type PartitionFindings = Place & {
  records: number
  writers: WriterFindings[]
  /** The first offsets of values whose checksum is wrong. */
  corrupt: bigint[]
  /** The first offsets of values that no writer of this run wrote for this partition. */
  foreign: bigint[]
  /** How many there are of both. */
  counts: { corrupt: number; foreign: number }
}

export type CheckOptions = Place & {
  run: string
  /** By writer, what each knows of this partition. */
  accounts: ReadonlyMap<number, Account>
  /** The log in its own order. */
  records: Iterable<Seen>
}

/** Serials of one writer as they come by. */
class Track {
  readonly repeated = new Ranges()
  readonly outOfOrder = new Ranges()
  readonly phantom = new Ranges()
  readonly #gaps = new Ranges()
  readonly #account: Account
  #last = -1
  constructor(account: Account) {
    this.#account = account
  }

  see(serial: number): void {
    if (serial >= this.#account.reserved) this.phantom.add(serial)
    if (serial > this.#last) {
      this.#gaps.add(this.#last + 1, serial - 1)
      this.#last = serial
    } else if (this.#gaps.remove(serial)) this.outOfOrder.add(serial)
    else this.repeated.add(serial)
  }

  findings(writer: number): WriterFindings {
    const { ok, reserved, unknown } = this.#account
    this.#gaps.add(this.#last + 1, reserved - 1)
    return {
      writer,
      lost: this.#gaps.and(ok),
      repeated: this.repeated,
      outOfOrder: this.outOfOrder,
      phantom: this.phantom,
      unsure: this.#gaps.and(unknown).count,
    }
  }
}

const NOBODY: Account = { reserved: 0, ok: new Ranges(), unknown: new Ranges() }

/** Offsets that are kept of each kind. */
const KEPT = 1_000

/** Holds a partition's log, record by record in its order, against what its writers know. Source: RELIABILITY.md 4. */
export class PartitionCheck {
  readonly #options: Omit<CheckOptions, 'records'>
  readonly #tracks: Map<number, Track>
  readonly #offsets = { corrupt: [] as bigint[], foreign: [] as bigint[] }
  readonly #counts = { corrupt: 0, foreign: 0 }
  #records = 0
  constructor(options: Omit<CheckOptions, 'records'>) {
    this.#options = options
    this.#tracks = new Map([...options.accounts].map(([writer, account]) => [writer, new Track(account)]))
  }

  see({ offset, value }: Seen): void {
    this.#records++
    const reading = readPayload(value)
    if (reading.kind === 'corrupt') this.#odd('corrupt', offset)
    else if (reading.kind === 'foreign' || !this.#mine(reading.stamp)) this.#odd('foreign', offset)
    else {
      const { writer, serial } = reading.stamp
      const track = this.#tracks.get(writer) ?? new Track(NOBODY)
      this.#tracks.set(writer, track)
      track.see(serial)
    }
  }

  #mine(stamp: Stamp): boolean {
    const { run, topic, partition } = this.#options
    return stamp.run === run && stamp.topic === topic && stamp.partition === partition
  }
  #odd(kind: 'corrupt' | 'foreign', offset: bigint): void {
    this.#counts[kind]++
    if (this.#offsets[kind].length < KEPT) this.#offsets[kind].push(offset)
  }

  /** Asked once, after the last record. */
  findings(): PartitionFindings {
    const { topic, partition } = this.#options
    const writers = [...this.#tracks].map(([writer, track]) => track.findings(writer))
    return { topic, partition, records: this.#records, writers, ...this.#offsets, counts: this.#counts }
  }
}

/** The same for a log that is at hand. */
export const checkPartition = ({ records, ...options }: CheckOptions): PartitionFindings => {
  const check = new PartitionCheck(options)
  for (const record of records) check.see(record)
  return check.findings()
}

export type Totals = Record<
  'records' | 'lost' | 'repeated' | 'outOfOrder' | 'phantom' | 'corrupt' | 'foreign',
  number
>

/** The sums over all partitions. */
export const totals = (all: Iterable<PartitionFindings>): Totals => {
  const sum: Totals = { records: 0, lost: 0, repeated: 0, outOfOrder: 0, phantom: 0, corrupt: 0, foreign: 0 }
  for (const { records, writers, counts } of all) {
    sum.records += records
    sum.corrupt += counts.corrupt
    sum.foreign += counts.foreign
    for (const found of writers) {
      for (const kind of ['lost', 'repeated', 'outOfOrder', 'phantom'] as const)
        sum[kind] += found[kind].count
    }
  }
  return sum
}

/** Faults in words, a line each: what, where, which serials or offsets. */
export const faults = (all: Iterable<PartitionFindings>): string[] => {
  const lines: string[] = []
  for (const found of all) {
    const where = placeKey(found)
    for (const { writer, ...kinds } of found.writers) {
      for (const kind of ['lost', 'repeated', 'outOfOrder', 'phantom'] as const) {
        if (kinds[kind].count > 0)
          lines.push(`${kind} in ${where}: serials ${kinds[kind]} of writer ${writer}`)
      }
    }
    for (const kind of ['corrupt', 'foreign'] as const) {
      if (found[kind].length > 0)
        lines.push(`${kind} in ${where}: offsets ${found[kind].slice(0, 20).join(', ')}`)
    }
  }
  return lines
}
