import { partitionOf } from '../kafka/index.ts'
import { meaningOf } from './meaning.ts'
import { timingsOf } from './report.ts'
import { findRun, listRuns } from './run-directory.ts'
import type { StateName } from './states.ts'

/** Where a run stands, read from its journal: no server is asked and no lock is taken. */
export type StatusReport = {
  run: string
  directory: string
  state: StateName | 'empty'
  means: string
  from: { name: string; clusterId: string }
  to: { name: string; clusterId: string }
  mirror: string
  discovery: string
  files: { path: string; shaBefore: string; shaAfter: string }[]
  partitions: { topic: string; partition: number; cut: string }[]
  timings: { state: StateName; at: string; ms: number }[]
  /** All runs in the state directory, oldest first. */
  runs: { run: string; state: StateName | 'empty' }[]
}

/** Throws USAGE when there is no such run. */
export const cutoverStatus = ({
  stateDir,
  run,
}: {
  stateDir: string
  run?: string | undefined
}): StatusReport => {
  const { id, directory, header, states, last } = findRun(stateDir, run)
  const { from, to, mirror, discovery } = header
  return {
    ...{ run: id, directory, mirror, discovery },
    state: last?.at ?? 'empty',
    means: meaningOf(last),
    from: { name: from.name, clusterId: from.clusterId },
    to: { name: to.name, clusterId: to.clusterId },
    files: (last?.plan.files ?? []).map(({ path, shaBefore, shaAfter }) => ({ path, shaBefore, shaAfter })),
    partitions:
      last && 'cut' in last
        ? Object.entries(last.cut).map(([where, cut]) => ({ ...partitionOf(where), cut }))
        : [],
    timings: timingsOf(states),
    runs: listRuns(stateDir).map(each => ({ run: each.id, state: each.last?.at ?? 'empty' })),
  }
}
