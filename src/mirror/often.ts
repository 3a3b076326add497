import { type During, isKmigError, messageOf, sleep } from '../kit/index.ts'
import type { MirrorEvent } from './events.ts'

export type OftenOptions = During<MirrorEvent> & {
  everyMs: number
  /** Before the first time; default `everyMs`. */
  firstMs?: number | undefined
  where: string
}

/** Does this every so often until the signal is aborted; what fails is told and done again the next time. */
export const often = async (
  { everyMs, firstMs = everyMs, where, signal, on }: OftenOptions,
  work: () => Promise<unknown>,
): Promise<void> => {
  for (let wait = firstMs; !signal.aborted; wait = everyMs) {
    try {
      await sleep(wait, signal)
      await work()
    } catch (e) {
      if (signal.aborted) return
      if (!isKmigError(e)) throw e
      on?.({ kind: 'warning', where, text: messageOf(e) })
    }
  }
}
