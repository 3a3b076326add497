import { type Committed, commitWrite, refuseGit } from '../discovery/index.ts'
import type { During } from '../kit/index.ts'
import type { Certified } from './certify.ts'
import type { CutoverEvent } from './events.ts'
import { type OpenRunOptions, openRun } from './open-run.ts'
import { type RolledBack, rollBack } from './rollback.ts'
import { findRun } from './run-directory.ts'
import { certifyAfter } from './run-session.ts'

export type RollbackReport = RolledBack & {
  run: string
  directory: string
  discovery: string
  from: Side
  to: Side
  /** With `git`: what was committed now. */
  commit: Committed
  certificate: Certified | undefined
}
type Side = { name: string; clusterId: string }

export type TakeBackOptions = OpenRunOptions &
  During<CutoverEvent> & {
    /** Commits the files that were restored, and no others. */
    git?: boolean | undefined
    /** As of `goBack`. */
    lossy?: boolean | undefined
  }

/**
 * Takes a run back, with nothing but its directory to know of clusters and files (and `access` for their credentials).
 * Throws USAGE (no such run, or it wrote nothing), ROLLBACK_REFUSED, DISCOVERY_CONFLICT, UNREACHABLE.
 */
export const takeBack = async (options: TakeBackOptions): Promise<RollbackReport> => {
  const { git, lossy, signal, on } = options
  if (git) await refuseGit(findRun(options.stateDir, options.run).header.discovery, [])
  await using opened = await openRun('rollback', options)
  const { run, ports, budget, stillForMs } = opened
  const done = await rollBack({ run, ports, budget, stillForMs, lossy, signal, on })
  const { from, to, discovery, id } = run.header
  // Again at each later start, so that a kill in between is made good.
  const commit = git
    ? await commitWrite(run.directory, { run: id, what: `kmig: back to ${from.name}` })
    : undefined
  return {
    ...done,
    ...{ run: id, directory: run.directory, discovery, commit },
    certificate: await certifyAfter(run, opened.mirror, commit, { signal, on }),
    from: { name: from.name, clusterId: from.clusterId },
    to: { name: to.name, clusterId: to.clusterId },
  }
}
