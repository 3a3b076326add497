import type { Env } from '../config/index.ts'
import type { ClusterAddress } from '../kafka/index.ts'
import { type During, formatDuration, KmigError } from '../kit/index.ts'
import { FENCE_ATTEMPTS, FENCE_BACKOFF_MS } from './again.ts'
import { DEFAULT_MAX_FENCE_MS, HARD_LIMIT_MS } from './budget.ts'
import type { CheckId } from './doctor/index.ts'
import type { CutoverEvent } from './events.ts'
import type { DriverName } from './fence-port.ts'
import { findHooks } from './hooks.ts'
import type { PlanDocument } from './plan-document.ts'
import { LEAST_WINDOW_MS } from './still.ts'

export type CutoverSide = ClusterAddress & { zookeeper?: string | undefined }

export type CutoverOptions = During<CutoverEvent> & {
  from: CutoverSide
  /** Its bootstrap is what `broker_list` gets; its zookeeper, if given, what `zookeeper` gets. */
  to: CutoverSide
  /** Directory of discovery files. */
  discovery: string
  stateDir: string
  /** As of the mirror. */
  name?: string | undefined
  topics?: readonly string[] | undefined
  exclude?: readonly string[] | undefined
  groups?: readonly string[] | undefined
  /** How long log ends of the old cluster must stand still, ms; at least 1000. Default 10000, behind a fence that proves itself 1000. */
  stillForMs?: number | undefined
  /** How long live readers of the old cluster get to read to the end, ms; default 30000. */
  readersWithinMs?: number | undefined
  /** Patterns of groups whose readers move before the fence. */
  readersFirst?: readonly string[] | undefined
  /** Files that may name hosts of the old cluster outside of the entries that move. */
  acceptMentions?: readonly string[] | undefined
  /** Commits the files that were written, and no others. */
  git?: boolean | undefined
  /** As of `readDirectory`. */
  followSymlinks?: boolean | undefined
  /** How writers are kept off; default `hook` where there is a hook `fence`, else `manual`. */
  driver?: DriverName | undefined
  /** How the old cluster is kept sealed after the switch, where the fence can't stay. Default: not. */
  seal?: DriverName | undefined
  /** Checks whose findings are accepted, by id. */
  accept?: readonly CheckId[] | undefined
  /** A rehearsal of these topics must be younger, ms; default: none is asked for. */
  rehearsedWithinMs?: number | undefined
  /** Risks of the fence that are accepted, by id. */
  acceptRisks?: readonly string[] | undefined
  /** How long a fence that kmig can release may stand, ms; default 45000, at most 60000. */
  maxFenceMs?: number | undefined
  /** How often a fence that was let go in time, or that somebody wrote through, is tried in all; default 3. */
  fenceAttempts?: number | undefined
  /** The first pause between attempts, ms; default 5000. */
  backoffMs?: number | undefined
  /** Directory of the operator's programs. */
  hooks?: string | undefined
  /** After so long a hook is killed and has failed, ms; default 30000. */
  hookTimeoutMs?: number | undefined
  /** What hooks inherit; default nothing. */
  env?: Env | undefined
  /** Compares contents of both clusters before the fence, and inside it what came since; default false. */
  check?: boolean | undefined
  /** Copies back what clients write after the switch, so that a rollback loses nothing; default true. */
  wayBack?: boolean | undefined
  /** Copies ACLs to the new cluster, those that let clients write once the files are written; default false. */
  acls?: boolean | undefined
  /** Waits before the fence until `go`. */
  postpone?: boolean | undefined
  /** Waits before the fence while this file exists. */
  postponeFile?: string | undefined
  /** The command that watches over the fence: its program and arguments; more are added. Default: nobody does. */
  watchdog?: readonly string[] | undefined
  toolVersion?: string | undefined
}

/** How a run is to be done, and kept in its plan. Throws USAGE for what can't be. */
export const strategyOf = (options: CutoverOptions): PlanDocument['strategy'] => {
  const { stillForMs, readersWithinMs = 30_000, maxFenceMs = DEFAULT_MAX_FENCE_MS } = options
  if (stillForMs !== undefined && stillForMs < LEAST_WINDOW_MS) {
    throw new KmigError(
      'USAGE',
      `log ends that stand still for ${stillForMs} ms prove nothing: ${LEAST_WINDOW_MS} ms is the least`,
    )
  }
  const { fenceAttempts = FENCE_ATTEMPTS, backoffMs = FENCE_BACKOFF_MS } = options
  if (fenceAttempts < 1)
    throw new KmigError('USAGE', 'a fence that is tried less than once keeps nobody off: --fence-attempts 1')
  const hooks = findHooks(options.hooks).map(({ name }) => name)
  const driver = options.driver ?? (hooks.includes('fence') ? 'hook' : 'manual')
  if (driver !== 'manual' && maxFenceMs > HARD_LIMIT_MS) {
    throw new KmigError(
      'USAGE',
      `clients give up when they can't write for ${formatDuration(HARD_LIMIT_MS)} (Kafka: max.block.ms): no fence may stand longer`,
    )
  }
  if (driver !== 'manual' && maxFenceMs < (stillForMs ?? LEAST_WINDOW_MS) + 2_000) {
    throw new KmigError(
      'USAGE',
      `a fence of ${formatDuration(maxFenceMs)} leaves no time for a window of ${formatDuration(stillForMs ?? LEAST_WINDOW_MS)}`,
      { try: ['a larger --max-fence, or a smaller --still-for'] },
    )
  }
  return {
    driver,
    windowMs: stillForMs ?? null,
    maxFenceMs: driver === 'manual' ? null : maxFenceMs,
    fenceAttempts: driver === 'manual' ? 1 : fenceAttempts, // whom kmig did not stop it can't let go on
    backoffMs,
    readersWithinMs,
    ...(options.readersFirst?.length && { readersFirst: options.readersFirst }),
    git: options.git ?? false,
    check: options.check ?? false,
    acls: options.acls ?? false,
    wayBack: options.wayBack ?? true,
    rehearsedWithinMs: options.rehearsedWithinMs ?? null,
    seal: options.seal ?? null,
  }
}
