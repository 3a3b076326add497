import { setTimeout as wait } from 'node:timers/promises'

/** Waits `ms` milliseconds; throws the signal's reason when it is aborted first. */
export const sleep = async (ms: number, signal?: AbortSignal | undefined): Promise<void> => {
  try {
    await wait(ms, undefined, signal ? { signal } : {})
  } catch (e) {
    signal?.throwIfAborted()
    throw e
  }
}

/** Calls `undo` once when the signal is aborted (at once if it already is). Returns what takes that back. */
export const onAbort = (signal: AbortSignal | undefined, undo: (reason: unknown) => void): Disposable => {
  const run = () => undo(signal?.reason)
  if (signal?.aborted) run()
  else signal?.addEventListener('abort', run, { once: true })
  return { [Symbol.dispose]: () => signal?.removeEventListener('abort', run) }
}

/** One signal of several; absent ones are left out. */
export const anySignal = (...signals: (AbortSignal | undefined)[]): AbortSignal =>
  AbortSignal.any(signals.filter(s => s !== undefined))

/** A promise with its two ends in the open. */
export type Deferred<T> = { promise: Promise<T>; resolve(value: T): void; reject(reason: unknown): void }
export const deferred = <T>(): Deferred<T> => Promise.withResolvers<T>()
