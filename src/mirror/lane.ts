import {
  type Hole,
  PAD_RECORDS,
  type Piece,
  type ProducerStamp,
  padBatch,
  sequenceOf,
} from '../kafka/index.ts'
import { backoffMs, bug, KmigError, Offset } from '../kit/index.ts'
import { SourceEpochs } from './epochs.ts'
import { holeIn } from './hole.ts'

/** Requests that may be under way for one partition once its first batch has landed. Source: MIRROR.md 5.5. */
const PIPELINE = 5
/** Padding batches that wait to be sent: the broker holds every record of one while it validates. */
const PADS_AHEAD = 2

/** A doubt that is older is not over soon. */
const LASTING_MS = 5_000

/** Everything before `offset` on the target has been checked, header by header, in a leader epoch that is known. */
export type Anchor = { offset: Offset; epoch: number }

/** Waits that grow with the doubts since something last landed: a refusal that lasts must not be asked for all the time. */
const REST_MS = { firstMs: 500, maxMs: 5_000 }

/**
 * What a lane is doing. `doubt`: what the target holds is not known for sure, nothing is sent until it has been read
 * back, not before `from`. `out-of-range`: the source refused the wanted offset; what it gave before still lands. `moving`: the source's log start has moved, and must be remembered before padding goes on. `padding`: empty records move the target's end up to the source's log start. `stopped`: for good, with its error.
 */
export type Phase =
  | { at: 'doubt'; from: number; why: string }
  | { at: 'padding' }
  | { at: 'trimming' }
  | { at: 'out-of-range' }
  | { at: 'moving'; to: Offset }
  | { at: 'copying' }
  | { at: 'stopped'; error: KmigError }

export type LaneCounts = {
  records: bigint
  bytes: bigint
  passed: number
  merged: number
  reencoded: number
  padded: bigint
  doubts: number
}

export type LaneOptions = {
  topic: string
  partition: number
  /** The source's log start, that the target is padded up to. */
  start: Offset
  anchor: Anchor
  /** The mirror's data producer. */
  producer: { id: bigint; epoch: number }
}

/**
 * One partition on its way: the only owner of its state. Batches are offered by a fetcher, taken by an outlet, and leave
 * when the target's answer has the predicted base offset. On a partition without holes ordinal, offset and sequence
 * agree (MIRROR.md 5.2), so a lane needs no map.
 */
export class Lane {
  readonly topic: string
  readonly partition: number
  readonly where: string
  readonly counts: LaneCounts = {
    records: 0n,
    bytes: 0n,
    passed: 0,
    merged: 0,
    reencoded: 0,
    padded: 0n,
    doubts: 0,
  }
  readonly #producer: LaneOptions['producer']
  #phase: Phase = { at: 'doubt', from: 0, why: 'the start' }
  #queue: Piece[] = []
  #flying: Piece[] = []
  #proven = false
  #ending: KmigError | undefined
  /** The source's log start: where records begin on both sides. */
  start: Offset
  anchor: Anchor
  /** Leader epoch of the target that the last check was made in. */
  epoch = -1
  /** Every offset before this is on the target. */
  acked: Offset
  /** The next source offset to ask for. */
  wanted: Offset
  /** Grows when what was asked for no longer fits; answers to older questions are dropped. */
  generation = 0
  /** The source's log end (high watermark) and last stable offset, as of the last answer. */
  sourceEnd: Offset | undefined
  sourceStable: Offset | undefined
  readonly sourceEpochs = new SourceEpochs()
  /** When it first asked for records, and when the last of them landed; ms of the monotonic clock. */
  readonly times: {
    began: number | undefined
    landed: number | undefined
    /** Latest time of the records of the last batch that landed, ms since 1970. */
    record: number | undefined
  } = { began: undefined, landed: undefined, record: undefined }
  /** Bytes that are held for it. */
  held = 0
  /** Doubts since a batch last landed. */
  setbacks = 0

  constructor({ topic, partition, start, anchor, producer }: LaneOptions) {
    this.topic = topic
    this.partition = partition
    this.where = `${topic}-${partition}`
    this.start = start
    this.anchor = anchor
    this.acked = anchor.offset
    this.wanted = anchor.offset
    this.#producer = producer
  }

  get phase(): Phase {
    return this.#phase
  }
  get stopped(): KmigError | undefined {
    return this.#phase.at === 'stopped' ? this.#phase.error : undefined
  }
  /** Requests whose answer has not come. */
  get flying(): number {
    return this.#flying.length
  }
  get lag(): bigint | undefined {
    return this.sourceEnd === undefined ? undefined : this.sourceEnd - this.acked
  }

  stampOf(base: bigint): ProducerStamp {
    return {
      producerId: this.#producer.id,
      producerEpoch: this.#producer.epoch,
      baseSequence: sequenceOf(base),
    }
  }

  /** What a fetch brought, in order. `ending`: the partition can't go on after these, and stops when they have landed. */
  offer(items: readonly (Piece | Hole)[], next: Offset, ending?: KmigError): void {
    this.wanted = next
    if (ending) this.#ending = ending
    const first = items.find(item => item.kind === 'hole')
    if (first) {
      this.#ending = holeIn(this.where, first)
      this.wanted = first.from
    }
    for (const item of items) {
      if (item.kind === 'hole') continue
      if (first && item.base > first.from) item.done?.()
      else {
        this.#queue.push(item)
        this.held += item.bytes.length
      }
    }
    this.#endIfDone()
  }

  /** Whether a fetcher should ask for more. */
  hungry(heldLimit: number): boolean {
    return this.#phase.at === 'copying' && !this.#ending && this.held < heldLimit
  }

  /** Whether batches may be sent: what the target holds has been checked. */
  get open(): boolean {
    return this.sure || this.#phase.at === 'padding'
  }
  /** Whether a batch could be sent now. */
  get ready(): boolean {
    return this.open && this.#queue.length > 0 && this.#flying.length < (this.#proven ? PIPELINE : 1)
  }

  /** Whether `acked` is certain: what the target holds has been checked, and nothing stands before the records. */
  get sure(): boolean {
    return this.#phase.at === 'copying' || this.#phase.at === 'out-of-range'
  }
  /** Whether it holds no batch that is still to land. */
  get idle(): boolean {
    return this.#queue.length + this.#flying.length === 0
  }

  /** Bytes of the batch that `take` would give. */
  get nextBytes(): number {
    return this.#queue[0]?.bytes.length ?? 0
  }

  take(): Piece {
    const piece = this.#queue.shift()
    if (!piece) throw bug(`${this.where}: nothing to take`)
    this.#flying.push(piece)
    return piece
  }

  /** The target took a batch. `at` must be the offset that was predicted; FOREIGN_WRITE stops the partition. */
  landed(piece: Piece, at: bigint): void {
    const index = this.#flying.indexOf(piece)
    if (index < 0) return // it was given up by a doubt, which reads back what became of it
    this.#flying.splice(index, 1)
    this.#release(piece)
    if (this.#phase.at === 'stopped') return
    if (at !== piece.base) {
      this.stop(
        new KmigError(
          'FOREIGN_WRITE',
          `${this.where}: a batch meant for offset ${piece.base} landed at ${at}: somebody else writes to the target`,
          {
            try: [
              'find the writer and stop it',
              `delete topic ${this.topic} on the target and start the mirror again: it is copied anew`,
            ],
          },
        ),
      )
      return
    }
    this.#count(piece)
    this.times.landed = performance.now()
    if (!this.open) return // the read-back moves `acked`
    if (index > 0) {
      this.stop(bug(`${this.where}: answers out of order at ${at}`))
      return
    }
    this.#proven = true
    this.setbacks = 0
    this.acked = Offset(piece.base + BigInt(piece.count))
    this.#endIfDone()
    if (this.#phase.at !== 'padding') return
    if (this.acked === this.start) this.#phase = { at: 'trimming' }
    else this.#pad()
  }

  /** The answer to a batch did not come, or was an error that says nothing of what the log holds. */
  lost(piece: Piece, why: string): void {
    const index = this.#flying.indexOf(piece)
    if (index < 0) return
    this.#flying.splice(index, 1)
    if (this.#phase.at === 'stopped') {
      this.#release(piece)
      return
    }
    this.#queue.unshift(piece)
    this.#queue.sort((a, b) => (a.base < b.base ? -1 : 1)) // answers of a lost connection come in any order
    this.doubt(why)
  }

  doubt(why: string): void {
    if (this.#phase.at === 'stopped' || this.#phase.at === 'doubt') return
    const rest = this.setbacks++ === 0 ? 0 : backoffMs(this.setbacks - 2, REST_MS)
    this.#phase = { at: 'doubt', from: performance.now() + rest, why }
    this.counts.doubts++
    this.#proven = false
  }

  /** A doubt that lasts must not hold memory that others need: what was fetched is asked for again later. */
  letGo(): void {
    const { phase } = this
    const lasts = phase.at === 'doubt' && performance.now() - phase.from > LASTING_MS
    if (lasts && this.flying === 0 && this.#queue.length > 0) this.#drop()
  }

  stop(error: KmigError): void {
    if (this.#phase.at === 'stopped') return
    this.#phase = { at: 'stopped', error }
    this.#drop()
  }

  /**
   * Ends a doubt: the target's log was read back up to its end and holds our chain only. Batches that had landed leave;
   * the rest keep their bounds (MIRROR.md 5.5). An end that fits no bound makes the lane ask the source again.
   */
  settled(end: Offset, epoch: number): void {
    if (this.#phase.at === 'stopped') return
    if (this.#flying.length > 0)
      throw bug(`${this.where}: settled with ${this.#flying.length} batches under way`)
    this.epoch = epoch
    this.anchor = { offset: end, epoch }
    while (this.#queue[0] && this.#queue[0].base + BigInt(this.#queue[0].count) <= end) {
      const piece = this.#queue.shift()
      if (!piece) break
      this.#count(piece)
      this.#release(piece)
    }
    if (!this.#followsOn(end)) {
      this.#drop()
      this.#ending = undefined
      this.wanted = end
    }
    this.acked = end
    this.#goOn()
    this.#endIfDone()
  }

  /** From `acked` on: padding up to the start, then its deletion, then records. The first batch goes alone. */
  #goOn(): void {
    this.#proven = false
    this.#phase = { at: this.acked < this.start ? 'padding' : this.start > 0n ? 'trimming' : 'copying' }
    if (this.#phase.at === 'padding') this.#pad()
    if (this.#phase.at === 'copying') this.times.began ??= performance.now()
  }

  /** Padding is gone from the target: records can follow. The first goes alone, as after any doubt. */
  trimmed(): void {
    if (this.#phase.at !== 'trimming') return
    this.times.began ??= performance.now()
    this.#phase = { at: 'copying' }
    this.#proven = false
    this.#endIfDone()
  }

  /** The source refused the wanted offset; why is to be found out. */
  outOfRange(): void {
    if (this.#phase.at === 'copying') this.#phase = { at: 'out-of-range' }
  }
  inRange(): void {
    if (this.#phase.at === 'out-of-range') this.#phase = { at: 'copying' }
  }

  /** The source's log start moved on while nothing but padding is on the target: it will be padded on to there. */
  startMoves(to: Offset): void {
    if (this.#phase.at !== 'out-of-range') return
    this.#drop()
    this.#phase = { at: 'moving', to }
  }
  /** The new start has been remembered: from here on a crash can't take padding for records. */
  startMoved(): void {
    if (this.#phase.at !== 'moving') return
    this.start = this.#phase.to
    this.wanted = this.acked
    this.#goOn()
  }

  /** Whether the target holds nothing but padding (or nothing at all) yet. */
  get holdsOnlyPadding(): boolean {
    return this.acked <= this.start
  }

  #release(piece: Piece): void {
    this.held -= piece.bytes.length
    piece.done?.()
  }

  #pad(): void {
    let base: bigint = this.wanted
    while (this.#queue.length < PADS_AHEAD && base < this.start) {
      const count = Number(this.start - base < BigInt(PAD_RECORDS) ? this.start - base : BigInt(PAD_RECORDS))
      const bytes = padBatch(count, this.stampOf(base))
      const piece = { bytes, base: Offset(base), count, end: Offset(base + BigInt(count)), ordinal: base }
      this.#queue.push({ kind: 'piece', ...piece, how: 'passed', batches: 0 })
      this.held += bytes.length
      base = piece.end
    }
    this.wanted = Offset(base)
  }

  #count(piece: Piece): void {
    const { counts } = this
    if (piece.batches === 0) {
      counts.padded += BigInt(piece.count)
      return
    }
    counts.records += BigInt(piece.count)
    counts.bytes += BigInt(piece.bytes.length)
    counts[piece.how] += piece.batches
  }

  #endIfDone(): void {
    if (this.#ending && this.#queue.length + this.#flying.length === 0 && this.#phase.at === 'copying')
      this.stop(this.#ending)
  }

  /** Whether what is held goes on at `end` without a gap: one that landed in doubt may be gone from the target again. */
  #followsOn(end: bigint): boolean {
    let at = end
    for (const { base, count } of this.#queue) {
      if (base !== at) return false
      at += BigInt(count)
    }
    return at === this.wanted
  }

  #drop(): void {
    this.generation++
    for (const piece of this.#queue.splice(0)) this.#release(piece)
  }
}
