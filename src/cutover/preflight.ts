import type { During } from '../kit/index.ts'
import type { Mirror } from '../mirror/index.ts'
import { blocking, CHECKS, type CheckId, preflight, type Told, told } from './doctor/index.ts'
import type { FenceProblem } from './fence-port.ts'
import type { CutoverOptions } from './options.ts'
import type { PlanDocument } from './plan-document.ts'
import { isBeforeFence, readersIn, type State } from './states.ts'
import { LEAST_WINDOW_MS } from './still.ts'

/** A plan tells these by itself, and nothing moves until they are put right: there is nothing to accept. */
const FIRM: readonly CheckId[] = [
  'same-cluster-id',
  'partition-count',
  'topic-refused',
  'fence-driver-probe',
  'git-clean',
]
/** What `--accept` takes. */
export const ACCEPTABLE = CHECKS.filter(id => !FIRM.includes(id))

const ACCEPTED = 'check:'
/** Checks among what a plan accepted. */
export const acceptedChecks = (accepted: readonly string[]): string[] =>
  accepted.flatMap(id => (id.startsWith(ACCEPTED) ? [id.slice(ACCEPTED.length)] : []))

/** What the operator accepts, by id, as a plan keeps it. */
export const acceptedOf = ({
  acceptMentions = [],
  acceptRisks = [],
  accept = [],
}: Pick<CutoverOptions, 'acceptMentions' | 'acceptRisks' | 'accept'>): string[] => [
  ...acceptMentions.map(path => `mention:${path}`),
  ...acceptRisks,
  ...accept.map(id => `${ACCEPTED}${id}`),
]

/** How long log ends stand still where nobody said it, and no fence proves itself. */
const WINDOW_MS = 10_000

export type LookBefore = During & {
  options: CutoverOptions
  mirror: Mirror
  strategy: PlanDocument['strategy']
  /** Ids of checks. */
  accept: readonly string[]
  /** What stands in the way of the fence, where that was looked at already. */
  fence: readonly FenceProblem[]
  /** Where the run is that goes on, if one does. */
  last?: State | undefined
}

/** Looks at everything that the run rests on, as it will be done. Source: CUTOVER.md 11. */
export const lookBefore = async ({
  options,
  mirror,
  strategy,
  accept,
  fence,
  last,
  signal,
}: LookBefore): Promise<Told> => {
  const { from, to, groups, discovery, followSymlinks, git, stateDir, hooks: hooksDir } = options
  const { driver, windowMs, maxFenceMs, wayBack, rehearsedWithinMs, acls } = strategy
  const readers = last && readersIn(last)
  const checks = await preflight({
    ...{ mirror, groups, discovery, followSymlinks, git, stateDir, hooksDir, wayBack, signal },
    names: { old: from.name, next: to.name },
    ...{ old: from, next: to },
    windowMs: windowMs ?? (driver === 'hook' ? LEAST_WINDOW_MS : WINDOW_MS),
    maxFenceMs: maxFenceMs ?? undefined,
    rehearsedWithinMs: rehearsedWithinMs ?? undefined,
    syncAcls: acls,
    moved: readers?.moved.map(({ group }) => group),
    driver: { probe: async () => [...fence] },
  })
  return told(checks, accept)
}

/** What of it keeps a run from going on, one line each. */
export const unfit = ({ findings }: Told): string[] =>
  blocking(findings)
    .filter(({ id }) => !FIRM.includes(id))
    .map(({ id, evidence, fix }) => `${id}: ${evidence}: ${fix}; or --accept ${id}`)

/** Whether a run is to be looked at before it goes on: behind a fence that stands each second counts, after it it is too late. */
export const isBefore = (last: State | undefined): boolean => last === undefined || isBeforeFence(last)
