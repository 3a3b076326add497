import { type During, isKmigError, LockFile, sleep } from '../kit/index.ts'
import { HARD_LIMIT_MS } from './budget.ts'
import { decideOn } from './decision.ts'
import type { FencePlan } from './fence-port.ts'
import { lockNamed } from './locks.ts'
import type { OpenRunOptions } from './open-run.ts'
import { releaseAlone } from './release-alone.ts'
import { findRun, Run, type RunRecord } from './run-directory.ts'
import { engagedBy, isBack, readersIn, type State, undoOf } from './states.ts'

export type WatchdogOptions = OpenRunOptions &
  During & {
    run: string
    /** The fence that is watched over, by when it was engaged. */
    sinceMs: number
    lookEveryMs?: number | undefined
  }

const LOOK_MS = 250

/** What a watchdog did: the run went on by itself, or its runner died or was too slow to keep its promise. */
export type Watched = 'not-needed' | 'released'

/**
 * Watches over one fence. The runner's lock tells whether it lives: who gets it knows that the runner is dead, and that no
 * other one begins meanwhile. A fence of a dead runner is released before the journaled intent to switch, and never after.
 * A runner that lives, but has stood still past the hard limit, finds that it may not switch any more when it goes on.
 */
export const watchdog = async (options: WatchdogOptions): Promise<Watched> => {
  const { stateDir, run: id, sinceMs, lookEveryMs = LOOK_MS, signal } = options
  const { header, directory } = findRun(stateDir, id)
  const lock = lockNamed(stateDir, header.to.clusterId, header.mirror)
  for (;;) {
    const record = findRun(stateDir, id)
    const plans = standing(record.last, sinceMs)
    if (plans.length === 0) return 'not-needed'
    try {
      await using _ = await LockFile.take(lock, `watchdog of run ${id}`)
      return await afterDeath(options)
    } catch (e) {
      if (!isKmigError(e, 'LOCKED')) throw e
    }
    if (Date.now() - sinceMs > HARD_LIMIT_MS && decideOn(directory, { sinceMs }, 'release')) {
      await releaseAlone(plans, record, options)
      return 'released'
    }
    await sleep(lookEveryMs, signal)
  }
}

/** What may still be engaged, and is to be released by whoever finds its runner dead. */
const standing = (last: State | undefined, sinceMs: number): FencePlan[] => {
  if (!last || AFTER.has(last.at)) return []
  const undo = isBack(last) ? { fence: last.fence, armed: true } : undoOf(last)
  return undo.fence?.sinceMs === sinceMs ? engagedBy(undo) : []
}

const AFTER: ReadonlySet<State['at']> = new Set([
  ...(['switching', 'files-written', 'opening', 'switched', 'target-live', 'soaking'] as const),
  ...(['completing', 'complete', 'back-lossy', 'back-switching', 'rolled-back', 'aborted'] as const),
])

/** The lock is held: nobody writes to the journal but this process. */
const afterDeath = async (options: WatchdogOptions): Promise<Watched> => {
  const record = findRun(options.stateDir, options.run)
  const plans = standing(record.last, options.sinceMs)
  if (!record.last || plans.length === 0) return 'not-needed'
  await releaseAlone(plans, record, options)
  await endAs(record, `its process died when it was ${record.last.at}; its watchdog let the writers go on`)
  return 'released'
}

/** Journals the end of a run that had not come to its files; on the way back it soaks on. */
export const endAs = async (record: RunRecord, why: string): Promise<State> => {
  const { last } = record
  await using run = await Run.open(record)
  const end: State = isBack(last)
    ? { at: last.wasAt, ...last.was }
    : {
        at: 'aborted',
        plan: last?.plan ?? { root: record.header.discovery, files: [] },
        why,
        code: 'ABORTED',
        readers: readersIn(last),
      }
  await run.append(end, Date.now())
  return end
}
