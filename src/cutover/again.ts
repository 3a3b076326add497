import { isKmigError, messageOf } from '../kit/index.ts'
import { type ExecuteOptions, release } from './execute.ts'
import { type Attempt, engagedBy, type In, readersIn, type State, undoOf } from './states.ts'

/** How often a fence is tried where nobody says. */
export const FENCE_ATTEMPTS = 3
export const FENCE_BACKOFF_MS = 5_000
const LONGEST_MS = 300_000

/** What another attempt may come by without: time, and writers that take longer to end than was thought. */
const WORTH = ['FENCE_BUDGET', 'STILL_WRITTEN'] as const

/**
 * Lets the writers go on and says when to keep them off again, twice as late each time; undefined where another attempt
 * makes no sense, or there was the last one. No file is written then. Source: CUTOVER.md 5, "retry, backing off".
 */
export const again = async (
  from: State,
  e: unknown,
  { ports, signal, fenceAttempts = 1, backoffMs = FENCE_BACKOFF_MS }: ExecuteOptions,
): Promise<In<'backing-off'> | undefined> => {
  if (!isKmigError(e, ...WORTH) || signal.aborted || from.at === 'switching' || from.at === 'files-written')
    return undefined
  const { rights, ...undo } = undoOf(from)
  const { fence } = undo
  const before = triedIn(from)
  if (!fence || before.length + 1 >= fenceAttempts) return undefined
  if (!engagedBy(undo).every(plan => ports.fences.of(plan).releases)) return undefined
  await release(undo, ports)
  const releasedMs = ports.clock.wall()
  const attempt: Attempt = {
    ...{ driver: fence.plan.driver, sinceMs: fence.sinceMs, releasedMs, at: from.at },
    ...{ code: e.code, why: messageOf(e) },
  }
  const pauseMs = releasedMs - fence.sinceMs
  const waitMs = Math.min(LONGEST_MS, Math.max(backoffMs, pauseMs) * 2 ** before.length)
  return {
    at: 'backing-off',
    plan: from.plan,
    readers: readersIn(from),
    tried: [...before, attempt],
    untilMs: releasedMs + waitMs,
    ...(rights && { rights }),
  }
}

/** Fences of this run that were let go before. */
export const triedIn = (state: State): readonly Attempt[] => ('tried' in state ? (state.tried ?? []) : [])
