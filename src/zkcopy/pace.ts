import { sleep } from '../kit/index.ts'
import type { Rate } from './rate.ts'

/** Why writes were held back: the target answers slower than it did at the start. */
export type Pause = { forMs: number; p50Ms: number; startP50Ms: number }
export type Pace = {
  /** Waits until so much more may go out, in the order of the calls. */
  turn(size: { operations: number; bytes: number }, signal: AbortSignal): Promise<void>
  /** How long the answer to a multi took. */
  took(ms: number, operations: number): void
}

/** Answers that make the latency of the start, and those that make the latency of now. */
const AT_START = 12
const LATELY = 6
/** Slower than so many times the start, and by so much at least, is slow: noise of a quiet server is not. */
const TIMES = 3
const AT_LEAST_MS = 20
const FIRST_PAUSE_MS = 500
const LONGEST_PAUSE_MS = 8_000

export const UNPACED: Pace = { turn: () => Promise.resolve(), took: () => {} }

/** Within the rate, evenly spread; and a pause, longer each time, while the target is slower than it was at the start. */
export const paced = (rate: Rate, onPause?: (pause: Pause) => void): Pace => {
  const { operations: most = Number.POSITIVE_INFINITY, bytes: mostBytes = Number.POSITIVE_INFINITY } = rate
  let freeAt = 0
  let turn: Promise<void> = Promise.resolve()
  const latency = latencyWatch()
  return {
    took: latency.took,
    turn: (size, signal) => {
      const mine = turn.then(async () => {
        const pause = latency.pause()
        if (pause) onPause?.(pause)
        const waitMs = Math.max(freeAt - performance.now(), pause?.forMs ?? 0)
        if (waitMs > 0) await sleep(waitMs, signal)
        const takesMs = 1_000 * Math.max(size.operations / most, size.bytes / mostBytes)
        freeAt = Math.max(freeAt, performance.now()) + takesMs
      })
      turn = mine.catch(() => {}) // its own caller is told
      return mine
    },
  }
}

/** Multis are compared with multis of about their own number of operations only. */
export const latencyWatch = () => {
  const kinds = new Map<number, { start: number[]; lately: number[] }>()
  let pauseMs = FIRST_PAUSE_MS
  let slow: Omit<Pause, 'forMs'> | undefined
  return {
    took: (ms: number, operations: number): void => {
      const kind = Math.floor(Math.log2(Math.max(1, operations)))
      const { start, lately } = kinds.get(kind) ?? { start: [], lately: [] }
      kinds.set(kind, { start, lately })
      if (start.length < AT_START) {
        start.push(ms)
        return
      }
      lately.push(ms)
      if (lately.length < LATELY) return
      const [p50Ms, startP50Ms] = [median(lately.splice(0)), median(start)]
      if (p50Ms > TIMES * startP50Ms && p50Ms > startP50Ms + AT_LEAST_MS) slow = { p50Ms, startP50Ms }
      else pauseMs = FIRST_PAUSE_MS
    },
    /** Once for each time that it was found slow. */
    pause: (): Pause | undefined => {
      if (!slow) return undefined
      const pause = { forMs: pauseMs, ...slow }
      slow = undefined
      pauseMs = Math.min(LONGEST_PAUSE_MS, 2 * pauseMs)
      return pause
    },
  }
}

const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0
