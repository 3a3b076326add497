import { formatDuration, KmigError } from '../kit/index.ts'
import type { StateName } from './states.ts'

/** Source: CUTOVER.md 5: clients give up after max.block.ms, 60 s. */
export const DEFAULT_MAX_FENCE_MS = 45_000
export const HARD_LIMIT_MS = 60_000

/** What is left to do in a state, ms, when nothing goes wrong: measured on the sandbox, rounded up. */
const REST_MS: Partial<Record<StateName, number>> = {
  still: 1_500,
  drained: 1_200,
  'offsets-set': 900,
  checked: 700,
  sealing: 400,
}
const WHOLE_MS = 2_000

/** What the rest takes, as far as it is known: the window, where it has yet to pass, and the steps behind it. */
export const restMs = (at: StateName, windowMs: number): number => REST_MS[at] ?? WHOLE_MS + windowMs

export type Budget = { sinceMs: number; maxMs: number; windowMs: number }

const elapsedMs = ({ sinceMs }: Budget, wallMs: number): number => Math.max(0, wallMs - sinceMs)

/** Whether what is left still fits. */
export const fits = (at: StateName, budget: Budget, wallMs: number): boolean =>
  elapsedMs(budget, wallMs) + restMs(at, budget.windowMs) <= budget.maxMs

/** How long a step that was begun may take: what has to follow it must fit too. */
export const stepMs = (at: StateName, budget: Budget, wallMs: number): number =>
  budget.maxMs - elapsedMs(budget, wallMs) - (REST_MS[at] ?? WHOLE_MS)

export const overBudget = (at: StateName, budget: Budget, wallMs: number): KmigError => {
  const elapsed = elapsedMs(budget, wallMs)
  return new KmigError(
    'FENCE_BUDGET',
    `writers have stood still for ${formatDuration(elapsed)} when ${at}, and what is left takes about ${formatDuration(restMs(at, budget.windowMs))}: more than the ${formatDuration(budget.maxMs)} that they may`,
    {
      try: [
        'kmig cutover status tells which step took how long',
        'run the same command again when the lag is small and the groups are few, or with a larger --max-fence',
      ],
    },
  )
}
