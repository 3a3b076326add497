import { KmigError, onAbort } from '../kit/index.ts'

export type InTime = {
  what: string
  /** Who is waited for. */
  server: string
  withinMs: number
  signal: AbortSignal
}

/** What `start` hands to one of its two ends; throws TIMEOUT when that takes too long, the signal's reason when it is aborted. */
export const inTime = <T>(
  { what, server, withinMs, signal }: InTime,
  start: (resolve: (value: T) => void, reject: (why: unknown) => void) => void,
): Promise<T> => {
  const done = Promise.withResolvers<T>()
  const timer = setTimeout(() => {
    done.reject(new KmigError('TIMEOUT', `${what} got no answer from ${server} in ${withinMs} ms`))
  }, withinMs)
  const undo = onAbort(signal, done.reject)
  start(done.resolve, done.reject)
  return done.promise.finally(() => {
    clearTimeout(timer)
    undo[Symbol.dispose]()
  })
}
