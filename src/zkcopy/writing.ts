import type { Acl } from '../zookeeper/index.ts'
import type { Change } from './change.ts'
import { type CommitOptions, commit } from './commit.ts'
import { raiseCounters } from './counters.ts'
import { deletions, guardDeletes, type MaxDelete } from './delete.ts'
import { isSpared } from './drain.ts'
import type { Ensembles } from './ensembles.ts'
import type { ZkCopyOptions } from './options.ts'
import { paced } from './pace.ts'
import type { Tally } from './tally.ts'
import { type WalkOptions, walk } from './walk.ts'

/** The server's own proposal is larger than the request, and has a limit of 1 MiB too. */
const MULTI_LIMIT = 512 << 10

/** How one run writes, in all its passes. */
export const committingOf = (sides: Ensembles, plan: WalkOptions, options: ZkCopyOptions): CommitOptions => {
  const { from, to, tally, signal } = plan
  const { mode, table, root } = plan.acls
  const { rate, on } = options
  return {
    session: sides.writer,
    target: sides.written,
    source: {
      from,
      toRoot: to.root,
      aclFor: (own: Acl, path: string): Acl => (mode === 'full' ? table.internSource(own, path) : root),
      keep: plan.keep,
    },
    acls: mode === 'full' ? table : undefined,
    pace: rate && paced(rate, pause => on?.({ kind: 'paused', ...pause })),
    limits: {
      ops: Math.min(options.batch ?? 500, rate?.operations ?? 1_000),
      bytes: Math.min(MULTI_LIMIT, plan.maxBytes, rate?.bytes ?? MULTI_LIMIT),
    },
    tally,
    signal,
  }
}

export type PassOptions = Pick<ZkCopyOptions, 'deleteUpTo'> & {
  committing: CommitOptions
  /** Default: as the walk finds them. */
  changes?: AsyncIterable<readonly Change[]>
}

/** One pass: what differs is written, then what only the target has is deleted if that was asked for, then counters are raised. */
export const pass = async (
  plan: WalkOptions,
  { committing, deleteUpTo, changes = walk(plan) }: PassOptions,
): Promise<void> => {
  await commit(changes, committing)
  if (deleteUpTo) await removeExtras(plan, { committing, deleteUpTo })
  await raiseCounters({ ...plan, committing })
}

const removeExtras = async (
  plan: WalkOptions,
  { committing, deleteUpTo }: { committing: CommitOptions; deleteUpTo: MaxDelete },
): Promise<void> => {
  const spares = (path: string): boolean => isSpared(plan, path)
  const going = await deletions(committing.target, plan.extras ?? [], { spares, signal: plan.signal })
  guardDeletes(going.length, deleteUpTo, plan.tally)
  await commit([going], committing)
}

/** Writes counted in a later pass belong to the run; what that pass found on the target only is what there is now. */
export const addWrites = (tally: Tally, later: Tally): number => {
  const before = writesOf(tally)
  for (const kind of [
    'created',
    'updated',
    'aclsSet',
    'deleted',
    'multis',
    'bytesWritten',
    'repaired',
  ] as const) {
    tally[kind] += later[kind]
  }
  tally.foreign.count += later.foreign.count
  tally.foreign.first.push(...later.foreign.first)
  tally.versionsLeft.count += later.versionsLeft.count
  tally.versionsLeft.first.push(...later.versionsLeft.first)
  tally.countersLeft = later.countersLeft
  tally.extra = later.extra
  tally.maxMtimeMs = Math.max(tally.maxMtimeMs, later.maxMtimeMs)
  return writesOf(tally) - before
}

const writesOf = ({ created, updated, aclsSet, deleted }: Tally): number =>
  created + updated + aclsSet + deleted
