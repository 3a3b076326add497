import { partitionOf } from '../kafka/index.ts'
import { triedIn } from './again.ts'
import { carriedText, strandedIn } from './carry.ts'
import { tell } from './control.ts'
import { readDocument } from './document.ts'
import { driftIn } from './drift.ts'
import type { ReadersAwaited } from './events.ts'
import { meaningOf } from './meaning.ts'
import { wantedIn } from './readers-port.ts'
import { timingsOf } from './report.ts'
import { findRun, listRuns, type RunRecord } from './run-directory.ts'
import { type Standing, standingOn } from './standing.ts'
import {
  type Attempt,
  classOf,
  isEnd,
  type RollbackClass,
  readersIn as readersOf,
  type StateName,
  undoOf,
} from './states.ts'

/** Where a run stands, by its journal and by its runner if that lives: no server is asked and no lock is taken. */
export type StatusReport = {
  run: string
  directory: string
  state: StateName | 'empty'
  /** How it can be taken back: at no cost, by copying back, or not at all. */
  class: RollbackClass
  means: string
  /** The process that runs it. */
  runner: number | undefined
  /** Why it waits before the fence. */
  held: string | undefined
  /** How long writers have been kept off, ms, and how long they may be. */
  fence: { driver: string; elapsedMs: number; maxMs: number | undefined } | undefined
  /** When nobody was seen to write, ms ago. */
  proofAgeMs: number | undefined
  /** What was seen last after the switch. */
  /** What the old cluster alone has, and what was carried to the new one. */
  stranded: string[]
  carried: string[]
  /** What still keeps writers off the new cluster after a way back, this run's or another's. */
  standing: Standing[]
  watch: { agoMs: number; lag: string | undefined; oldQuietMs: number; stranded: string[] } | undefined
  /** Groups whose readers move first: those that have, and those that are waited for, as they were seen last. */
  readers: {
    group: string
    state: 'moved' | 'waiting'
    partitions: { topic: string; partition: number; from: string; to: string }[]
    members: { old: string[]; new: string[] }
    why: string | undefined
  }[]
  /** What is no longer as the plan said, as it was seen after the switch. */
  drift: { at: string; found: string[] }[]
  from: { name: string; clusterId: string }
  to: { name: string; clusterId: string }
  mirror: string
  discovery: string
  files: { path: string; shaBefore: string; shaAfter: string }[]
  partitions: { topic: string; partition: number; cut: string }[]
  /** Fences that were let go before, with nothing moved. */
  attempts: Attempt[]
  timings: { state: StateName; at: string; ms: number }[]
  hooks: { name: string; at: string; rc: number; ms: number }[]
  /** All runs in the state directory, oldest first. */
  runs: { run: string; state: StateName | 'empty' }[]
}

export type StatusOptions = { stateDir: string; run?: string | undefined }

/** Throws USAGE when there is no such run. */
export const cutoverStatus = async ({ stateDir, run }: StatusOptions): Promise<StatusReport> => {
  const record = findRun(stateDir, run)
  const { id, directory, header, states, last, notes } = record
  const { from, to, mirror, discovery } = header
  const live = last && isEnd(last) ? undefined : await tell(directory, 'status').catch(() => undefined)
  const nowMs = Date.now()
  const watch = notes.findLast(note => note.kind === 'watch')?.watch
  return {
    ...{ run: id, directory, mirror, discovery },
    state: last?.at ?? 'empty',
    class: last ? classOf(last) : 'FREE',
    means: meaningOf(last),
    runner: live?.pid,
    held: live ? live.gate : heldBy(record),
    fence: fenceOf(record, nowMs),
    proofAgeMs: last && 'proof' in last ? nowMs - last.proof.toMs : undefined,
    stranded: last && 'stranded' in last ? strandedIn(last) : [],
    carried: last && 'stranded' in last ? (last.carried ?? []).map(carriedText) : [],
    standing: standingOn(stateDir, to.clusterId),
    watch: watch && {
      agoMs: nowMs - watch.atMs,
      lag: watch.lag,
      oldQuietMs: watch.oldQuietMs,
      stranded: [...watch.stranded],
    },
    readers: readersIn(record, live?.readers),
    drift: driftIn(notes),
    from: { name: from.name, clusterId: from.clusterId },
    to: { name: to.name, clusterId: to.clusterId },
    files: (last?.plan.files ?? []).map(({ path, shaBefore, shaAfter }) => ({ path, shaBefore, shaAfter })),
    partitions:
      last && 'cut' in last
        ? Object.entries(last.cut).map(([where, cut]) => ({ ...partitionOf(where), cut }))
        : [],
    attempts: [...(states.map(({ state }) => triedIn(state)).findLast(tried => tried.length > 0) ?? [])],
    timings: timingsOf(states),
    hooks: notes.flatMap(note =>
      note.kind === 'hook'
        ? [{ name: note.hook.name, at: note.hook.at, rc: note.hook.rc, ms: note.hook.ms }]
        : [],
    ),
    runs: listRuns(stateDir).map(each => ({ run: each.id, state: each.last?.at ?? 'empty' })),
  }
}

/** A runner knows who it waits for; the journal of a dead one, which groups are left. */
const readersIn = (
  { directory, last }: RunRecord,
  seen: readonly ReadersAwaited[] | undefined = [],
): StatusReport['readers'] => {
  const moved = readersOf(last)?.moved ?? []
  const before = last !== undefined && BEFORE_FENCE.has(last.at)
  const left = (before ? wantedIn(readDocument(directory)) : []).filter(
    group => !moved.some(each => each.group === group),
  )
  return [
    ...moved.map(({ group, partitions }) => ({
      ...{ group, state: 'moved' as const, partitions: [...partitions], members: { old: [], new: [] } },
      why: undefined,
    })),
    ...left.map(group => {
      const sight = seen.find(each => each.group === group)
      return {
        ...{ group, state: 'waiting' as const, partitions: [], why: sight?.why },
        members: { old: [...(sight?.source ?? [])], new: [...(sight?.target ?? [])] },
      }
    }),
  ]
}
const BEFORE_FENCE: ReadonlySet<StateName> = new Set([
  ...(['planned', 'mirroring', 'caught-up', 'verified', 'reads-moving'] as const),
])

const heldBy = ({ last, notes }: RunRecord): string | undefined =>
  (!last || !isEnd(last)) && notes.findLast(note => note.kind === 'gate')?.closed
    ? 'kmig cutover go opens it'
    : undefined

/** A fence that stands now: up to the switch, and on the way back. */
const fenceOf = ({ last, directory }: RunRecord, nowMs: number): StatusReport['fence'] => {
  if (!last || isEnd(last) || !STANDING.has(last.at)) return undefined
  const { fence } = undoOf(last)
  if (!fence) return undefined
  const maxMs = readDocument(directory)?.strategy.maxFenceMs ?? undefined
  return { driver: fence.plan.driver, elapsedMs: nowMs - fence.sinceMs, maxMs }
}
const STANDING: ReadonlySet<StateName> = new Set([
  ...(['fencing', 'fenced', 'still', 'drained', 'offsets-set', 'checked', 'sealing', 'switching'] as const),
  ...(['files-written', 'opening', 'aborting', 'back-fencing', 'back-still', 'back-offsets'] as const),
  'back-switching',
])
