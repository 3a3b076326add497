import { backoffMs, type During, isKmigError, sleep } from '../kit/index.ts'
import type { MirrorEvent } from './events.ts'
import type { MirrorOptions } from './options.ts'
import { passes } from './passes.ts'

/** How long a start waits for brokers that don't answer, as the running mirror waits for ever. */
export const START_MS = 60_000
const TELL_AGAIN_MS = 10_000
const REST_MS = { firstMs: 200, maxMs: 2_000 }

export type PatienceOptions = During<MirrorEvent> & {
  /** 0: one try. */
  withinMs: number
  where: string
}

export const patienceOf = (
  { patienceMs: withinMs = 0, signal, on }: MirrorOptions,
  where: string,
): PatienceOptions => ({ withinMs, where, signal, on })

/** Does this again while its error can pass and time is left, and says so; then throws the last error. */
export const patiently = async <T>(
  { withinMs, where, signal, on }: PatienceOptions,
  work: () => Promise<T>,
): Promise<T> => {
  const end = performance.now() + withinMs
  let toldAt = Number.NEGATIVE_INFINITY
  for (let attempt = 0; ; attempt++) {
    try {
      return await work()
    } catch (e) {
      signal.throwIfAborted()
      const now = performance.now()
      if (!isKmigError(e) || !passes(e) || now >= end) throw e
      if (now - toldAt > TELL_AGAIN_MS) {
        toldAt = now
        const text = `${e.message}; it is tried again for up to ${Math.ceil((end - now) / 1_000)} s`
        on?.({ kind: 'warning', where, text })
      }
      await sleep(Math.min(backoffMs(attempt, REST_MS), end - now), signal)
    }
  }
}
