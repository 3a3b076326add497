import { type Committed, commitWrite, refuseGit } from '../discovery/index.ts'
import { type ClusterAddress, partitionOf } from '../kafka/index.ts'
import { type During, LockFile, onAbort, parseBootstrap } from '../kit/index.ts'
import { Mirror } from '../mirror/index.ts'
import { lockOf } from './cutover.ts'
import type { CutoverEvent } from './events.ts'
import { livePorts } from './live.ts'
import { type RolledBack, rollBack } from './rollback.ts'
import { findRun, Run, type RunHeader } from './run-directory.ts'

export type RollbackReport = RolledBack & {
  run: string
  directory: string
  discovery: string
  from: Side
  to: Side
  /** With `git`: what was committed now. */
  commit: Committed
}
type Side = { name: string; clusterId: string }

export type TakeBackOptions = During<CutoverEvent> & {
  stateDir: string
  /** Default the newest. */
  run?: string | undefined
  /** Commits the files that were restored, and no others. */
  git?: boolean | undefined
  /** How a cluster of this name is spoken to, where it is not PLAINTEXT. */
  access?: ((name: string) => Pick<ClusterAddress, 'security' | 'clientId'>) | undefined
}

/**
 * Takes a run back, with nothing but its journal to know of clusters and files (and `access` for their credentials). Throws USAGE (no such run, or it wrote
 * nothing), ROLLBACK_REFUSED, DISCOVERY_CONFLICT, UNREACHABLE.
 */
export const takeBack = async ({
  stateDir,
  run: id,
  access,
  git,
  signal,
  on,
}: TakeBackOptions): Promise<RollbackReport> => {
  const record = findRun(stateDir, id)
  const { header, directory, last } = record
  if (git) await refuseGit(header.discovery, [])
  const cut = last && 'cut' in last ? Object.keys(last.cut).map(partitionOf) : []
  const life = new AbortController()
  using _ = onAbort(signal, reason => life.abort(reason))
  const during = { signal: life.signal }
  await using mirror = await Mirror.open({
    from: sideOf(header.from, access),
    to: sideOf(header.to, access),
    name: header.mirror,
    topics: cut.length > 0 ? [...new Set(cut.map(({ topic }) => topic))] : header.topics,
    groups: header.groups,
    stateDir,
    exclusive: true,
    ...during,
    on: on && (event => on({ kind: 'mirror', event })),
  })
  await using lock = await LockFile.take(lockOf(stateDir, mirror), `rollback of mirror ${mirror.name}`)
  await using run = await Run.open(record)
  const ports = livePorts({
    mirror,
    run: { id: header.id, directory },
    discovery: header.discovery,
    groups: header.groups,
    wheres: () => cut,
    ...during,
    life: life.signal,
  })
  const log = { id: header.id, last: run.last, append: run.append.bind(run) }
  const done = await rollBack({ run: log, ports, on, ...during })
  const { from, to, discovery } = header
  // Again at each later start, so that a kill in between is made good.
  const commit = git
    ? await commitWrite(directory, { run: header.id, what: `kmig: back to ${from.name}` })
    : undefined
  void lock
  return {
    ...done,
    ...{ run: header.id, directory, discovery, commit },
    from: { name: from.name, clusterId: from.clusterId },
    to: { name: to.name, clusterId: to.clusterId },
  }
}

const sideOf = (
  { name, bootstrap, protocol = 'PLAINTEXT' }: RunHeader['from'],
  access: TakeBackOptions['access'],
): ClusterAddress => ({
  ...(protocol === 'PLAINTEXT' ? {} : access?.(name)),
  name,
  bootstrap: parseBootstrap(bootstrap.join(',')),
})
