import { sleep } from '../kit/index.ts'

/** Holds reading back: all feeds of a run share one. */
export type Pace = {
  /** Resolves when the next request may go out. */
  ready(signal: AbortSignal): Promise<void>
  /** So many bytes came. */
  took(bytes: number): void
  /** All that came so far. */
  readonly bytes: number
}

/** At most so many bytes a second, over all that is read; undefined is no limit. An answer is paid for after it came. */
export const paced = (bytesPerSecond?: number | undefined): Pace => {
  let freeAt = 0
  let bytes = 0
  return {
    async ready(signal) {
      for (let waitMs = freeAt - performance.now(); waitMs > 0; waitMs = freeAt - performance.now())
        await sleep(waitMs, signal)
    },
    took(more) {
      bytes += more
      if (bytesPerSecond === undefined) return
      freeAt = Math.max(freeAt, performance.now()) + (more * 1_000) / bytesPerSecond
    },
    get bytes() {
      return bytes
    },
  }
}
