import { sleep } from './abort.ts'

/** Waits between tries: doubling from `firstMs` to `maxMs`, each with up to a quarter of jitter. */
export type Backoff = { firstMs: number; maxMs: number }
export const BACKOFF: Backoff = { firstMs: 50, maxMs: 2_000 }

export const backoffMs = (attempt: number, { firstMs, maxMs }: Backoff = BACKOFF): number =>
  Math.min(maxMs, firstMs * 2 ** attempt) * (1 - Math.random() / 4)

export type RetryOptions = {
  /** Gives up this many ms after the first try; the last error is thrown. */
  withinMs: number
  signal?: AbortSignal | undefined
  backoff?: Backoff
  /** Whether this error can pass by itself. */
  retriable: (error: unknown) => boolean
}

/** Runs `work` until it succeeds, fails for good, or the time is up. */
export const retry = async <T>(work: (attempt: number) => Promise<T>, options: RetryOptions): Promise<T> => {
  const end = performance.now() + options.withinMs
  for (let attempt = 0; ; attempt++) {
    try {
      return await work(attempt)
    } catch (e) {
      const pause = backoffMs(attempt, options.backoff)
      if (options.signal?.aborted || !options.retriable(e) || performance.now() + pause > end) throw e
      await sleep(pause, options.signal)
    }
  }
}
