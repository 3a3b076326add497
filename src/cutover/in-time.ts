import { type During, type KmigError, onAbort } from '../kit/index.ts'
import { type Budget, fits, overBudget, stepMs } from './budget.ts'
import type { Ports } from './ports.ts'
import type { FenceState, StateName } from './states.ts'

/** Waits for work that goes on by itself, but no longer than the operator wants. */
export const within = async <T>(signal: AbortSignal, work: Promise<T>): Promise<T> => {
  work.catch(() => {}) // it may fail when nobody waits any more
  const { promise, reject } = Promise.withResolvers<never>()
  using _ = onAbort(signal, reject)
  return await Promise.race([work, promise])
}

export type Timed = Pick<During, 'signal'> & Disposable
/** A signal that is aborted with `late` after so long, too; whoever asked for it disposes of the timer. */
export const timed = (ms: number, late: () => KmigError, { signal }: Pick<During, 'signal'>): Timed => {
  const timer = new AbortController()
  const timeout = setTimeout(() => timer.abort(late()), ms)
  return {
    signal: AbortSignal.any([signal, timer.signal]),
    [Symbol.dispose]: () => clearTimeout(timeout),
  }
}

export type InTime = {
  at: StateName
  fence: FenceState | undefined
  budget(fence: FenceState): Budget
  ports: Pick<Ports, 'clock' | 'fences'>
  signal: AbortSignal
}

/** Work that must end while writers may stand still; behind a fence that can't be released there is no such limit. */
export const inTime = async <T>(
  { at, fence, budget: budgetOf, ports, signal }: InTime,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> => {
  signal.throwIfAborted()
  if (!fence || !ports.fences.of(fence.plan).releases) return await within(signal, work(signal))
  const budget = budgetOf(fence)
  const late = () => overBudget(at, budget, ports.clock.wall())
  if (!fits(at, budget, ports.clock.wall())) throw late()
  using limit = timed(Math.max(0, stepMs(at, budget, ports.clock.wall())), late, { signal })
  return await within(limit.signal, work(limit.signal))
}
