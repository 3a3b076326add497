import { type Hole, type Piece, type ProducerStamp, sequenceOf } from '../kafka/index.ts'
import { backoffMs, bug, type KmigError, Offset } from '../kit/index.ts'
import { OffsetMap } from '../offsets/index.ts'
import { SourceEpochs } from './epochs.ts'
import { FILLING_LIMIT_MS, FillingCost, type OffsetsPolicy } from './filling.ts'
import type { LostGap } from './gaps.ts'
import { notIdentical, strangeWrite } from './lane-errors.ts'
import {
  type Anchor,
  type Ground,
  type LaneCounts,
  type LaneOptions,
  noCounts,
  type Phase,
  type Settled,
} from './lane-shape.ts'
import { padsUp } from './pads.ts'
import { gapsIn, type Item, Pending } from './pending.ts'
import { type Place, placeOf } from './place.ts'
import { Sent } from './sent.ts'

/** Requests that may be under way for one partition once its first batch has landed. Source: MIRROR.md 5.5. */
const PIPELINE = 5
/** Padding batches that wait to be sent: the broker holds every record of one while it validates. */
const PADS_AHEAD = 2

/** A doubt that is older is not over soon. */
const LASTING_MS = 5_000
/** Waits that grow with the doubts since something last landed: a refusal that lasts must not be asked for all the time. */
const REST_MS = { firstMs: 500, maxMs: 5_000 }

/**
 * One partition on its way: the only owner of its state. Batches and holes are offered by a fetcher, in source order;
 * batches are taken by an outlet and leave when the target's answer has the predicted base offset. Where offsets are
 * identical a hole is filled with control records once it is at the front and nothing is under way; where they are
 * translated it is passed. Whatever is told by the map alone is kept first: nothing is sent past its bar. Source: MIRROR.md 5-7.
 */
export class Lane {
  readonly topic: string
  readonly partition: number
  readonly where: string
  readonly policy: OffsetsPolicy
  readonly ground: Ground | undefined
  readonly strays: LaneOptions['strays']
  readonly back: boolean
  readonly counts: LaneCounts
  /** Who writes it, and what may still come of what was sent. */
  readonly sent: Sent
  /** Whether its source is compacted: read again, it can have fewer records. */
  compacts: boolean
  readonly #pending = new Pending()
  readonly #cost = new FillingCost()
  readonly #fillingLimitMs: number
  #phase: Phase = { at: 'doubt', from: 0, why: 'the start' }
  #filling: { to: Offset } | undefined
  #proven = false
  #ending: KmigError | undefined
  /** A batch of the owner before could still come between: after the first write everything is read back once more. */
  #wary: boolean
  /** The source's log start: where records begin. */
  start: Offset
  map: OffsetMap
  /** Why it is translated; empty if it is not. */
  why: string
  anchor: Anchor
  /** Leader epoch of the target that the last check was made in. */
  epoch = -1
  /** How far the copy is. */
  place: Place
  /** The next source offset to ask for, and the data records before it. */
  wanted: Offset
  wantedOrdinal: bigint
  /** Grows when what was asked for no longer fits; answers to older questions are dropped. */
  generation = 0
  /** The source's log end (high watermark) and last stable offset, as of the last answer. */
  sourceEnd: Offset | undefined
  sourceStable: Offset | undefined
  readonly sourceEpochs: SourceEpochs
  /** What the source lost before it was copied, and the operator accepted. */
  readonly gaps: LostGap[] = []
  /** When it first asked for records, and when the last of them landed; ms of the monotonic clock. */
  readonly times: {
    began: number | undefined
    landed: number | undefined
    /** Latest time of the records of the last batch that landed, ms since 1970. */
    record: number | undefined
  } = { began: undefined, landed: undefined, record: undefined }
  /** Doubts since a batch last landed. */
  setbacks = 0
  /** Whether it is its turn to pad. */
  #pads = false

  constructor({ topic, partition, start, anchor, producer, map, why, policy, ...more }: LaneOptions) {
    this.topic = topic
    this.partition = partition
    this.where = `${topic}-${partition}`
    this.start = start
    this.map = map ?? new OffsetMap({ translated: false, start })
    this.why = why ?? ''
    this.policy = policy ?? 'auto'
    this.ground = more.ground
    this.strays = more.strays
    this.back = more.back ?? false
    this.anchor = anchor
    this.place = placeOf(this.map, { ordinal: anchor.ordinal, target: anchor.offset })
    this.wanted = this.place.source
    this.wantedOrdinal = anchor.ordinal
    this.sent = new Sent(producer, more.sent)
    this.sourceEpochs = new SourceEpochs(more.epochs)
    this.compacts = more.compacts ?? false
    this.#fillingLimitMs = more.fillingLimitMs ?? FILLING_LIMIT_MS
    this.counts = more.counts ?? noCounts()
    this.#wary = more.strayUntil !== undefined
    if (more.strayUntil !== undefined)
      this.#phase = { at: 'doubt', from: more.strayUntil, why: 'its owner before did not give it back' }
    if (this.ground?.broken !== undefined) this.stop(strangeWrite(this, this.ground.broken))
  }

  get phase(): Phase {
    return this.#phase
  }
  /** Whether nothing of this process, nor of an owner before, can still be on its way to the target. */
  get drained(): boolean {
    return this.flying === 0 && !this.#wary
  }
  get stopped(): KmigError | undefined {
    return this.#phase.at === 'stopped' ? this.#phase.error : undefined
  }
  /** Every source offset before this is across. */
  get acked(): Offset {
    return this.place.source
  }
  /** Bytes that are held for it. */
  get held(): number {
    return this.#pending.bytes
  }
  /** Requests whose answer has not come. */
  get flying(): number {
    return this.#pending.flying + (this.#filling ? 1 : 0)
  }
  get lag(): bigint | undefined {
    return this.sourceEnd === undefined ? undefined : this.sourceEnd - this.acked
  }
  /** Where the target's log begins. */
  get targetStart(): Offset {
    const { translated, at } = this.map.beginning
    return translated || at ? Offset(0n) : this.start
  }
  /** Whether holes may vanish within batches, as their records stand elsewhere anyway. */
  get squeezes(): boolean {
    return this.map.translated
  }

  stampOf(ordinal: bigint): ProducerStamp {
    return {
      producerId: this.sent.producer.id,
      producerEpoch: this.sent.producer.epoch,
      baseSequence: sequenceOf(ordinal),
    }
  }

  /**
   * What a fetch brought, in order, up to source offset `next`, before which stand `ordinal` data records. `ending`: the
   * partition can't go on after these, and stops when they have landed.
   */
  offer(
    items: readonly Item[],
    { next, ordinal }: { next: Offset; ordinal: bigint },
    ending?: KmigError,
  ): void {
    const gaps = items.flatMap(item => [...gapsIn(item)])
    this.compacts ||= items.some(item => item.kind === 'hole' && item.why === 'compacted')
    if (this.#thins && this.map.differs(this.wanted, next, gaps, this.sent.to)) {
      for (const item of items) if (item.kind === 'piece') item.done?.()
      this.#drop()
      this.#phase = { at: 'shutting' }
      return
    }
    for (const item of items) this.#pending.push(item)
    this.map.learn(this.wanted, next, gaps)
    this.#cost.met(gaps, next - this.wanted)
    this.wanted = next
    this.wantedOrdinal = ordinal
    if (ending) this.#ending = ending
    this.#chooseMode()
    if (this.#thins) this.#note()
    this.#advance()
  }

  /** Whether a source that is read again may have fewer records than before, and none to tell by what stands there. */
  get #thins(): boolean {
    return this.compacts && this.map.translated
  }
  /** What waits is sent once it is kept: a batch of it may land late. */
  #note(): void {
    const fresh = this.#pending.fresh()
    if (fresh.length === 0) return
    this.sent.add(fresh, { to: this.wanted, landed: this.place.ordinal })
    for (const { base } of fresh) this.map.hold(base)
  }
  /** What was sent before can't land any more; what has landed is read back. */
  wasShutOut(): void {
    if (this.#phase.at !== 'shutting') return
    this.sent.shut()
    this.doubt('its source has become another, and what was sent before is shut out')
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
    return this.#next !== undefined
  }

  /** Whether `acked` is certain: what the target holds has been checked, and nothing stands before the records. */
  get sure(): boolean {
    return this.#phase.at === 'copying' || this.#phase.at === 'out-of-range'
  }
  /** Whether it holds no batch that is still to land. */
  get idle(): boolean {
    return this.#pending.length + this.flying === 0
  }
  /** Whether something must be kept in the state before it can go on. */
  get keeps(): boolean {
    return this.#bar !== undefined && this.#phase.at !== 'stopped'
  }

  get #next(): Piece | undefined {
    if (!this.open || this.#filling || this.#pending.flying >= (this.#proven ? PIPELINE : 1)) return undefined
    const piece = this.#pending.next(hole => this.#fills(hole))
    return piece && this.#kept(piece.end) ? piece : undefined
  }
  /** Nothing from this source offset on may be sent yet. */
  get #bar(): bigint | undefined {
    const [map, epochs] = [this.map.bar, this.sourceEpochs.bar]
    if (map === undefined || epochs === undefined) return map ?? epochs
    return map < epochs ? map : epochs
  }
  #kept(end: Offset): boolean {
    const bar = this.#bar
    return bar === undefined || end <= bar
  }
  /** Whether a hole is filled: it lies where offsets are identical. */
  #fills({ from }: Hole): boolean {
    const [first] = this.map.shifts
    return first === undefined || from < first.source
  }

  /** Bytes of the batch that `take` would give. */
  get nextBytes(): number {
    return this.#next?.bytes.length ?? 0
  }

  take(): Piece {
    const piece = this.#next
    if (!piece) throw bug(`${this.where}: nothing to take`)
    this.#pending.sent(piece)
    return piece
  }

  /** The target took a batch. `at` must be the offset that was predicted; FOREIGN_WRITE stops the partition. */
  landed(piece: Piece, at: bigint): void {
    const index = this.#pending.came(piece)
    if (index < 0) return // it was given up by a doubt, which reads back what became of it
    this.#pending.release(piece)
    if (this.#phase.at === 'stopped') return
    const meant = this.map.targetOf(piece.ordinal)
    if (at !== meant) {
      const what = `a batch meant for offset ${meant} landed at ${at}`
      // a marker of ours that was sent twice may stand there: reading back tells
      if (this.map.runs.holes > 0n) this.doubt(what)
      else this.stop(strangeWrite(this, `${what}: somebody else writes to the target`))
      return
    }
    this.#count(piece)
    this.times.landed = performance.now()
    if (!this.open) return // the read-back moves the place
    if (index > 0) {
      this.stop(bug(`${this.where}: answers out of order at ${at}`))
      return
    }
    this.#proven = true
    this.setbacks = 0
    const count = BigInt(piece.count)
    this.#arrive({ ordinal: piece.ordinal + count, target: Offset(at + count) })
    if (this.#phase.at !== 'padding') return
    if (this.acked === this.start) this.#phase = { at: 'trimming' }
    else this.#pad()
  }

  /** The answer to a batch did not come, or was an error that says nothing of what the log holds. */
  lost(piece: Piece, why: string): void {
    if (this.#pending.came(piece) < 0) return
    if (this.#phase.at === 'stopped') {
      this.#pending.release(piece)
      return
    }
    this.#pending.back(piece)
    this.doubt(why)
  }

  /** How many markers may be written now: the hole in front is kept, and nothing is under way. */
  get fillable(): bigint {
    const { head } = this.#pending
    const may = this.sure && this.flying === 0 && head?.kind === 'hole' && this.#fills(head)
    return may && this.#kept(head.to) ? head.to - head.from : 0n
  }
  /** So many markers are under way. */
  fill(markers: number): void {
    if (BigInt(markers) > this.fillable) throw bug(`${this.where}: ${markers} markers for ${this.fillable}`)
    this.#filling = { to: Offset(this.acked + BigInt(markers)) }
  }
  /** The markers were taken, and the target's log ends at `end` now. */
  filled(end: bigint): void {
    const filling = this.#filling
    this.#filling = undefined
    if (!filling || !this.sure) return
    if (end !== filling.to) {
      this.doubt(`the target ends at ${end} after markers up to ${filling.to}`)
      return
    }
    this.counts.filled += filling.to - this.acked
    this.setbacks = 0
    this.#arrive({ ordinal: this.place.ordinal, target: filling.to })
    this.#chooseMode()
    this.#advance()
  }
  /** The target takes no markers of this mirror: none was written. */
  fillDenied(why: KmigError): void {
    this.#filling = undefined
    if (this.policy === 'identical') this.stop(why)
    else this.translate(why.message)
  }
  /** What became of the markers is not known. */
  unfilled(why: string): void {
    this.#filling = undefined
    this.doubt(why)
  }

  /** From the first hole that is still to be filled on, records stand elsewhere than on the source. */
  translate(why: string): void {
    const hole = this.#filling ? undefined : this.#pending.firstHole
    if (!hole || !this.#fills(hole)) return
    this.why = why
    this.map.shift({ source: hole.from, ordinal: this.map.runs.ordinalAt(hole.from), target: hole.from })
    this.#advance()
  }
  #chooseMode(): void {
    if (this.map.translated || this.policy === 'identical') return
    const ahead = (this.sourceStable ?? this.wanted) - this.wanted
    const why =
      this.policy === 'translated' ? '--offsets translated' : this.#cost.tooLong(ahead, this.#fillingLimitMs)
    if (why !== undefined) this.translate(why)
    if (ahead <= 0n && this.#pending.length === 0) this.#cost.caughtUp()
  }

  #arrive(at: Omit<Place, 'source'>): void {
    this.place = placeOf(this.map, at)
    this.#advance()
    if (!this.#wary) return
    this.#wary = false
    this.doubt('a batch of its owner before may have come between')
  }
  /** Passes holes that need no filling. */
  #advance(): void {
    this.place = placeOf(this.map, this.place)
    for (const piece of this.#pending.passed(this.place))
      throw bug(`${this.where}: ${piece.base} was passed unsent`)
    this.#endIfDone()
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
    if (lasts && this.flying === 0 && this.#pending.length > 0) this.#drop()
  }

  stop(error: KmigError): void {
    if (this.#phase.at === 'stopped') return
    this.#phase = { at: 'stopped', error }
    this.#drop()
  }

  /**
   * Ends a doubt: the target's log was read back up to its end and holds our chain only, `ordinal` records. Batches that
   * had landed leave; the rest keep their bounds (MIRROR.md 5.5). An end that fits no bound makes the lane ask the source
   * again. `shifts`: markers of ours were found that should not be there.
   */
  settled({ end, ordinal, shifts = [] }: Settled, epoch: number): void {
    if (this.#phase.at === 'stopped') return
    if (this.flying > 0) throw bug(`${this.where}: settled with ${this.flying} requests under way`)
    if (shifts.length > 0 && this.policy === 'identical') {
      this.stop(notIdentical(this, shifts))
      return
    }
    for (const shift of shifts) this.map.shift(shift)
    const why = this.strays?.length ? 'others wrote between' : 'a control record landed twice'
    if (shifts[0]) this.why ||= `${why}, up to offset ${shifts[0].target - 1n}`
    this.epoch = epoch
    this.anchor = { offset: end, ordinal, epoch }
    const gone = this.map.forgetShifts(end)
    if (this.map.targetOf(ordinal) < end) {
      // control records that the map has no shift for: it was not kept before a kill, or others that it counted are gone
      const shift = { source: this.map.runs.sourceOf(ordinal), ordinal, target: end }
      if (this.policy === 'identical') {
        this.stop(notIdentical(this, [shift]))
        return
      }
      this.map.shift(shift)
      this.why ||= `${why}, up to offset ${end - 1n}`
    }
    const place = placeOf(this.map, { ordinal, target: end })
    for (const piece of this.#pending.passed(place)) {
      this.#count(piece)
      this.#pending.release(piece)
    }
    if (gone || this.#pending.length === 0 || !this.#pending.follows(place, this.wanted)) {
      this.#drop()
      this.#ending = undefined
    }
    this.place = placeOf(this.map, { ordinal, target: end })
    if (this.sent.stale) {
      this.#drop()
      this.map.cut(this.place.source)
      this.sent.begun()
    }
    if (this.#pending.length === 0) {
      this.wanted = this.place.source
      this.wantedOrdinal = ordinal
    }
    this.#goOn()
    this.#chooseMode()
    if (this.#thins) this.#note()
    this.#advance()
  }

  /** From the place on: padding up to the start, then its deletion, then records. The first batch goes alone. */
  #goOn(): void {
    this.#proven = false
    this.#pads = false
    const begins = this.targetStart
    const on = this.place.target < begins ? 'padding' : begins > 0n ? 'trimming' : 'copying'
    this.#phase = { at: this.sent.shutting ? 'shutting' : on }
    if (this.#phase.at === 'copying') this.times.began ??= performance.now()
  }

  /** Whether it waits for its turn to pad, and whether it has it. */
  get padding(): 'waits' | 'pads' | undefined {
    return this.#phase.at !== 'padding' ? undefined : this.#pads ? 'pads' : 'waits'
  }
  /** Its turn to pad has come. */
  startPadding(): void {
    if (this.padding !== 'waits') return
    this.#pads = true
    this.#pad()
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

  /** The source's log start moved on while no record is on the target: the copy will begin there. */
  startMoves(to: Offset): void {
    if (this.#phase.at !== 'out-of-range') return
    this.#drop()
    this.#phase = { at: 'moving', to }
  }
  /** The new start has been remembered: from here on a crash can't take padding for records. */
  startMoved(): void {
    if (this.#phase.at !== 'moving') return
    this.start = this.#phase.to
    if (this.map.beginning.translated) this.map = new OffsetMap({ translated: true, start: this.start })
    this.place = placeOf(this.map, this.place)
    this.wanted = this.place.source
    this.wantedOrdinal = this.place.ordinal
    this.#goOn()
  }

  /** Whether the target holds nothing but padding (or nothing at all) yet. */
  get holdsOnlyPadding(): boolean {
    return !this.ground && this.place.target <= this.targetStart
  }

  #pad(): void {
    const most = PADS_AHEAD - this.#pending.length
    for (const pad of padsUp({ from: this.wanted, to: this.start, most, stamp: at => this.stampOf(at) })) {
      this.#pending.push(pad)
      this.wanted = pad.end
      this.wantedOrdinal = pad.end
    }
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
    if (this.#ending && this.idle && this.#phase.at === 'copying') this.stop(this.#ending)
  }

  #drop(): void {
    this.generation++
    this.#pending.drop()
  }
}
