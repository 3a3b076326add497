import { type Committed, commitWrite, refuseGit } from '../discovery/index.ts'
import { Cluster, partitionOf } from '../kafka/index.ts'
import { type During, KmigError } from '../kit/index.ts'
import { alonePorts } from './alone-ports.ts'
import { isGone, whyAway } from './away.ts'
import { goBackAlone } from './back-alone.ts'
import { carryStranded } from './carry.ts'
import { type Certified, certify } from './certify.ts'
import type { CutoverEvent } from './events.ts'
import { type OpenRunOptions, openRun, sideOf, takeOver } from './open-run.ts'
import { backFrom, type RolledBack, rollBack } from './rollback.ts'
import { findRun, Run, type RunRecord } from './run-directory.ts'
import { certifyAfter } from './run-session.ts'
import { endStanding, standingIn } from './standing.ts'

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
    /** As of `goBack`; and goes back without the new cluster, if that is gone. */
    lossy?: boolean | undefined
    /** All clients have left the new cluster, or will have by the end: nothing need keep them off it any more. */
    clientsLeft?: boolean | undefined
    /** Copies what is stranded on the old cluster to the new one first. */
    carry?: boolean | undefined
  }

/**
 * Takes a run back, with nothing but its directory to know of clusters and files (and `access` for their credentials).
 * With the new cluster gone: UNREACHABLE, within a minute and before anything is changed; by consent without it
 * (`goBackAlone`). Throws USAGE (no such run, or it wrote nothing), ROLLBACK_REFUSED, DISCOVERY_CONFLICT.
 */
export const takeBack = async (options: TakeBackOptions): Promise<RollbackReport> => {
  const { git, lossy } = options
  const record = findRun(options.stateDir, options.run)
  const o = { ...options, run: record.id }
  if (git) await refuseGit(record.header.discovery, [])
  const { last } = record
  if (last?.at === 'back-lossy') return await alone(o)
  if (last?.at !== 'rolled-back') backFrom(record.id, last)
  const away = await newIsAway(record, o)
  // from `back-switching` on the old cluster has everything, and nobody is to be asked any more
  if (away && options.clientsLeft && standingIn(last)) throw away // it stands there
  if (away && (lossy || last?.at === 'back-switching' || last?.at === 'rolled-back')) return await alone(o)
  if (away) throw withoutNew(record, away)
  try {
    return await together(o)
  } catch (e) {
    const died = isGone(e) && (await newIsAway(record, o))
    if (!died) throw e
    if (!lossy) throw withoutNew(record, died)
    return await alone(o)
  }
}

const newIsAway = ({ header, last }: RunRecord, { access, signal }: TakeBackOptions) => {
  const wheres = last && 'cut' in last ? Object.keys(last.cut).map(partitionOf) : []
  const { to } = header
  return whyAway({ address: sideOf(to, access), clusterId: to.clusterId, wheres, signal })
}

const withoutNew = ({ header: { to } }: RunRecord, why: KmigError): KmigError =>
  new KmigError(
    'UNREACHABLE',
    `the new cluster '${to.name}' does not answer, and has what clients wrote there: ${why.message}`,
    {
      try: [
        'bring it back, then run the same command again: no file was changed',
        'or go back without it: kmig cutover rollback --lossy names what is lost',
      ],
      cause: why,
    },
  )

const together = async (options: TakeBackOptions): Promise<RollbackReport> => {
  const { lossy, carry, clientsLeft, signal, on } = options
  await using opened = await openRun('rollback', options)
  const { run, ports, budget, stillForMs } = opened
  if (carry) await carryStranded({ run, ports, on })
  if (clientsLeft) await endStanding(run, options.stateDir, { next: opened.mirror.target, signal, on })
  const done = await rollBack({ run, ports, budget, stillForMs, lossy, clientsLeft, signal, on })
  const commit = await committed(run, options)
  return reportOf(run, done, commit, await certifyAfter(run, opened.mirror, commit, { signal, on }))
}

const alone = async (options: TakeBackOptions): Promise<RollbackReport> => {
  const { stateDir, access, signal, on } = options
  await using _ = await takeOver('rollback', options)
  const record = findRun(stateDir, options.run) // as the runner left it
  await using run = await Run.open(record)
  await using old = await Cluster.open({ ...sideOf(record.header.from, access), signal })
  const done = await goBackAlone({ run, ports: alonePorts({ run, old }, options), signal, on })
  const commit = await committed(run, options)
  return reportOf(run, done, commit, await certify(run.record, { commit, signal }))
}

/** Again at each later start, so that a kill in between is made good. */
const committed = async ({ id, directory, header }: Run, { git }: TakeBackOptions): Promise<Committed> =>
  git ? await commitWrite(directory, { run: id, what: `kmig: back to ${header.from.name}` }) : undefined

const reportOf = (
  { id, directory, header: { from, to, discovery } }: Run,
  done: RolledBack,
  commit: Committed,
  certificate: Certified | undefined,
): RollbackReport => ({
  ...done,
  ...{ run: id, directory, discovery, commit, certificate },
  from: { name: from.name, clusterId: from.clusterId },
  to: { name: to.name, clusterId: to.clusterId },
})
