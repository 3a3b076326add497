/**
 * Lets so many bytes a second through, with a second's worth at once after a rest. Bytes are counted when they have come,
 * so a large answer makes a debt that is waited for.
 */
export class TokenBucket {
  readonly #perMs: number
  readonly #most: number
  #tokens: number
  #at: number

  constructor(bytesPerSecond: number, now: number) {
    this.#perMs = bytesPerSecond / 1_000
    this.#most = bytesPerSecond
    this.#tokens = this.#most
    this.#at = now
  }

  take(bytes: number, now: number): void {
    this.#fill(now)
    this.#tokens -= bytes
  }

  /** How long until more may be asked for. */
  waitMs(now: number): number {
    this.#fill(now)
    return this.#tokens > 0 ? 0 : Math.ceil((1 - this.#tokens) / this.#perMs)
  }

  #fill(now: number): void {
    this.#tokens = Math.min(this.#most, this.#tokens + Math.max(0, now - this.#at) * this.#perMs)
    this.#at = now
  }
}

export type Side = 'source' | 'target'
/** A throttle is shown for this long after it ended, so that it can be read. */
const SHOWN_MS = 2_000

/** What slows a mirror on purpose: its own limit, and quotas of brokers, which are obeyed and shown. Source: KIP-219. */
export class Brakes {
  readonly maxRate: number | undefined
  readonly #bucket: TokenBucket | undefined
  readonly #throttled = new Map<Side, { until: number; ms: number }>()
  #limitedUntil = Number.NEGATIVE_INFINITY

  /** Bytes a second; default no limit. */
  constructor(maxRate?: number | undefined) {
    this.maxRate = maxRate
    this.#bucket = maxRate === undefined ? undefined : new TokenBucket(maxRate, performance.now())
  }

  /** Bytes that were fetched. */
  took(bytes: number): void {
    this.#bucket?.take(bytes, performance.now())
  }

  /** How long fetching must rest for the limit's sake. */
  restMs(): number {
    const now = performance.now()
    const ms = this.#bucket?.waitMs(now) ?? 0
    if (ms > 0) this.#limitedUntil = now + ms
    return ms
  }

  /** A broker asked for a rest of so many ms. */
  throttled(side: Side, ms: number): void {
    if (ms > 0) this.#throttled.set(side, { until: performance.now() + ms, ms })
  }

  /** What slows the mirror now; undefined if nothing does. */
  get reason(): string | undefined {
    const now = performance.now()
    const quotas = [...this.#throttled]
      .filter(([, { until }]) => now < until + SHOWN_MS)
      .map(([side, { ms }]) => `a quota of the ${side} (waits of ${ms} ms)`)
    const own = now < this.#limitedUntil + SHOWN_MS ? ['--max-rate'] : []
    const all = [...quotas, ...own]
    return all.length > 0 ? all.join(', ') : undefined
  }
}
