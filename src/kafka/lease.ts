/** A moment by both clocks: the monotonic one stands still while a machine sleeps, the other one can be set. */
export type Moment = { monotonicMs: number; wallMs: number }
export const moment = (): Moment => ({ monotonicMs: performance.now(), wallMs: Date.now() })

/**
 * The right to act for a group, which ends by itself: it is good for `validMs` from the moment at which the last heartbeat
 * that was answered was SENT, by whichever clock says that more time has passed. Once it has ended it stays ended, also
 * when a late answer comes: a process that was asleep and finds one in its buffer is no owner. Source: MIRROR.md 5.6.
 */
export class Lease {
  readonly #validMs: number
  readonly #now: () => Moment
  #sent: Moment
  #why: string | undefined

  constructor(validMs: number, sent: Moment, now: () => Moment = moment) {
    this.#validMs = validMs
    this.#now = now
    this.#sent = sent
  }

  /** A heartbeat that was sent at this moment has been answered. */
  renew(sent: Moment): void {
    if (this.holds && sent.monotonicMs > this.#sent.monotonicMs) this.#sent = sent
  }
  /** Ends it for good. */
  end(why: string): void {
    this.#why ??= why
  }

  get holds(): boolean {
    if (this.#why !== undefined) return false
    const now = this.#now()
    const ageMs = Math.max(now.monotonicMs - this.#sent.monotonicMs, now.wallMs - this.#sent.wallMs)
    if (ageMs < this.#validMs) return true
    this.end(`no heartbeat of the last ${Math.round(ageMs)} ms was answered`)
    return false
  }
  /** Why it ended; undefined while it holds. */
  get why(): string | undefined {
    return this.holds ? undefined : this.#why
  }
}
