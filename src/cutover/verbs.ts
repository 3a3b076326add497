import { partitionOf } from '../kafka/index.ts'
import { type During, KmigError, LockFile, sleep } from '../kit/index.ts'
import { whyAway } from './away.ts'
import { carriedText, carryStranded, strandedIn } from './carry.ts'
import { complete, completeAlone } from './complete.ts'
import { type Order, tell } from './control.ts'
import { tellDrift } from './drift.ts'
import type { CutoverEvent } from './events.ts'
import { putBack } from './execute.ts'
import { lockNamed } from './locks.ts'
import { meaningOf } from './meaning.ts'
import { type OpenRunOptions, openHeld, openRun, sideOf } from './open-run.ts'
import { abortedBack } from './readers-back.ts'
import { releaseAlone } from './release-alone.ts'
import { findRun, Run, type RunRecord } from './run-directory.ts'
import { certifyAfter } from './run-session.ts'
import { classOf, engagedBy, isEnd, isSwitched, type RollbackClass, type State, undoOf } from './states.ts'
import { endAs } from './watchdog.ts'

/** What an order did. `by`: whether a runner took it, or the journal of one that is dead. */
export type VerbReport = {
  run: string
  state: string
  class: RollbackClass
  means: string
  by: 'runner' | 'journal'
  /** What the old cluster alone has, and what was carried to the new one. */
  stranded: string[]
  carried: string[]
  /** What could not be done, as a cluster was gone. */
  undone: string[]
}

const reportOf = (
  { id, last }: Pick<RunRecord, 'id' | 'last'>,
  by: VerbReport['by'],
  undone: string[] = [],
): VerbReport => ({
  run: id,
  state: last?.at ?? 'empty',
  class: last ? classOf(last) : 'FREE',
  means: meaningOf(last),
  by,
  stranded: last && 'stranded' in last ? strandedIn(last) : [],
  carried: last && 'stranded' in last ? (last.carried ?? []).map(carriedText) : [],
  undone,
})

export type GateOptions = { stateDir: string; run?: string | undefined }

/** Opens or closes the gate before the fence. Throws WRONG_STATE from the fence to the switch, and after it. */
export const setGate = async (
  order: Extract<Order, 'go' | 'pause'>,
  { stateDir, run: wanted }: GateOptions,
): Promise<VerbReport> => {
  const { id, directory, header } = findRun(stateDir, wanted)
  if (await tell(directory, order)) return reportOf(findRun(stateDir, id), 'runner')
  await using _ = await LockFile.take(
    lockNamed(stateDir, header.to.clusterId, header.mirror),
    `${order} of run ${id}`,
  )
  const record = findRun(stateDir, id)
  if (!record.last || !BEFORE.has(record.last.at)) throw wrong(record, order)
  await using run = await Run.open(record)
  await run.note({ kind: 'gate', closed: order === 'pause', atMs: Date.now() })
  return reportOf(record, 'journal')
}

/** What the operator types to agree. */
export const nameOf = (side: 'from' | 'to', { stateDir, run }: GateOptions): string =>
  findRun(stateDir, run).header[side].name

/** States in which nobody waits behind a fence, and no file is written. */
const BEFORE: ReadonlySet<string> = new Set([
  ...['planned', 'mirroring', 'caught-up', 'verified', 'reads-moving', 'reads-moved', 'armed'],
  'backing-off',
])
/** Too late to end a run as if nothing had been. */
const LATE: ReadonlySet<string> = new Set(['switching', 'files-written', 'opening'])

const wrong = ({ id, last }: Pick<RunRecord, 'id' | 'last'>, order: string): KmigError =>
  new KmigError('WRONG_STATE', `run ${id} is ${last?.at ?? 'empty'}: ${order} does nothing there`, {
    try: [`${meaningOf(last)}`],
  })

const LOOK_MS = 100
const ENDED = 'kmig cutover abort ended it'

export type AbortOptions = OpenRunOptions &
  During<CutoverEvent> & {
    /** Readers that moved first go back too. */
    readersBack?: boolean | undefined
  }

/**
 * Ends a run that has not come to its switch: the fence is released, everything is as it was, but that readers
 * which moved first stay. Throws WRONG_STATE after it: that is what `rollback` is for.
 */
export const abortRun = async (options: AbortOptions): Promise<VerbReport> => {
  const { id, last } = findRun(options.stateDir, options.run)
  const over = options.readersBack && last?.at === 'aborted'
  const report = over ? reportOf({ id, last }, 'journal') : await endRun({ ...options, run: id })
  if (!options.readersBack) return report
  const now = await abortedBack({ ...options, run: id })
  return reportOf({ id, last: now }, report.by)
}

const endRun = async (options: AbortOptions): Promise<VerbReport> => {
  const { stateDir, signal } = options
  const { id, directory, header, last } = findRun(stateDir, options.run)
  if (last && (isEnd(last) || isSwitched(last) || LATE.has(last.at))) throw wrong({ id, last }, 'abort')
  if (await tell(directory, 'abort')) {
    for (;;) {
      const now = findRun(stateDir, id)
      if (now.last && isEnd(now.last)) return reportOf(now, 'runner')
      if (isSwitched(now.last)) throw wrong(now, 'abort') // it was faster
      await sleep(LOOK_MS, signal)
    }
  }
  const lock = lockNamed(stateDir, header.to.clusterId, header.mirror)
  await using _ = await LockFile.take(lock, `abort of run ${id}`)
  const record = findRun(stateDir, id)
  const state = record.last
  if (state && (isEnd(state) || isSwitched(state) || LATE.has(state.at) || state.at === 'aborting'))
    throw wrong({ id, last: state }, 'abort')
  if (state && undoOf(state).reader !== undefined) {
    await using opened = await openHeld({ ...options, run: id })
    const { run, ports } = opened
    await putBack(state, new KmigError('ABORTED', ENDED), { run, ports, on: options.on })
    return reportOf({ id, last: run.last }, 'journal')
  }
  // needs no cluster but for a fence that is one's own: a run can be ended while they are away
  await releaseAlone(engagedBy(state && undoOf(state)), record, options)
  return reportOf({ id, last: await endAs(record, ENDED) }, 'journal')
}

export type CompleteOptions = OpenRunOptions &
  During<CutoverEvent> & {
    /** Copies what is stranded on the old cluster first. */
    carry?: boolean | undefined
  }

/**
 * The one step that can't be taken back. With the old cluster gone does what can be done, and says what it could not.
 * Throws WRONG_STATE before the switch, UNREACHABLE (the new cluster is gone), STRANDED.
 */
export const completeRun = async (options: CompleteOptions): Promise<VerbReport> => {
  const { stateDir, access, carry, signal, on } = options
  const before = findRun(stateDir, options.run)
  const { id, header, last } = before
  if (last?.at === 'complete') return reportOf(before, 'journal')
  const ready = isSwitched(last) && last.at !== 'opening'
  if (!ready && last?.at !== 'completing') throw wrong(before, 'complete')
  const o = { ...options, run: id }
  const wheres = Object.keys(last.cut).map(partitionOf)
  const awayOf = ({ clusterId, ...side }: typeof header.to) =>
    whyAway({ address: sideOf({ clusterId, ...side }, access), clusterId, wheres, signal })
  const [old, next] = await Promise.all([awayOf(header.from), awayOf(header.to)])
  if (next) throw nothingCompleted(before, next)
  if (old) {
    if (carry)
      throw new KmigError(
        'UNREACHABLE',
        `what is stranded on '${header.from.name}' can't be carried: ${old.message}`,
      )
    const done = await completeAlone(old, o)
    if (!done) throw wrong(findRun(stateDir, id), 'complete')
    return reportOf({ id, last: done.last }, 'journal', done.undone)
  }
  await using opened = await openRun('complete', o)
  const { run, ports, mirror } = opened
  if (carry) await carryStranded({ run, ports, on })
  await tellDrift({ run, ports, on })
  const done: State | undefined = await complete({ run, ports, on })
  if (!done) throw wrong({ id, last: run.last }, 'complete')
  await certifyAfter(run, mirror, undefined, options)
  return reportOf({ id, last: done }, 'journal')
}

const nothingCompleted = ({ header: { to } }: RunRecord, why: KmigError): KmigError =>
  new KmigError(
    'UNREACHABLE',
    `the new cluster '${to.name}' does not answer, nothing was completed: ${why.message}`,
    {
      try: [
        'bring it back, then run the same command again',
        'or go back without it: kmig cutover rollback --lossy',
      ],
      cause: why,
    },
  )
