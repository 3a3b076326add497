import { onAbort } from '../kit/index.ts'
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
  const timer = new AbortController()
  const timeout = setTimeout(() => timer.abort(late()), Math.max(0, stepMs(at, budget, ports.clock.wall())))
  const both = AbortSignal.any([signal, timer.signal])
  try {
    return await within(both, work(both))
  } finally {
    clearTimeout(timeout)
  }
}
