import type { Committed } from '../discovery/index.ts'
import { partitionOf } from '../kafka/index.ts'
import { bug } from '../kit/index.ts'
import type { Certified } from './certify.ts'
import type { FenceProof } from './fence-port.ts'
import type { Ends } from './ports.ts'
import type { RunHeader, StateLine } from './run-directory.ts'
import { type Attempt, type GroupsMoved, isSwitched, type StateName } from './states.ts'

/** What a cutover did, each field measured or journaled. */
export type CutoverReport = {
  run: string
  directory: string
  state: StateName
  /** An earlier execution did it all; this one changed nothing. */
  already: boolean
  from: { name: string; clusterId: string }
  to: { name: string; clusterId: string }
  mirror: string
  discovery: string
  files: { path: string; shaBefore: string; shaAfter: string }[]
  /** `cut`: V, the old log end below which everything moved; `old` and `new`: the log ends when the report was made. */
  partitions: {
    topic: string
    partition: number
    cut: string
    old: string | undefined
    new: string | undefined
  }[]
  groups: GroupsMoved
  /** Groups whose readers moved before the fence. */
  readersFirst: string[]
  proof: FenceProof
  /** When each state began, and how long it took to the next one. */
  timings: { state: StateName; at: string; ms: number }[]
  /** From the fence, or where kmig engaged none the first look at which nobody wrote any more, until the files were written. */
  pauseMs: number
  /** Fences that were let go before, with nothing moved. */
  attempts: Attempt[]
  stranded: string[]
  /** What is no longer as the plan said, seen after the switch. */
  drift: string[]
  /** With `--git`: what was committed now; undefined when nothing was left to commit. */
  commit: Committed
  /** Written beside the journal; undefined when it could not be made. */
  certificate: Certified | undefined
}

export type ReportInput = {
  header: RunHeader
  directory: string
  states: readonly StateLine[]
  already: boolean
  old: Ends
  next: Ends
  commit: Committed
  certificate: Certified | undefined
  drift: string[]
}

export const makeReport = ({
  header,
  directory,
  states,
  already,
  old,
  next,
  commit,
  certificate,
  drift,
}: ReportInput): CutoverReport => {
  const last = states.at(-1)
  const now = last?.state
  if (!last || (!isSwitched(now) && now?.at !== 'complete')) throw bug(`a report of a run that is ${now?.at}`)
  const { plan, cut, groups, proof, stranded, fence, tried = [], readers } = now
  const { id: run, from, to, mirror } = header
  const began = states.findLastIndex(({ state }) => state.at === 'planned')
  const own = states.slice(Math.max(0, began))
  const written = own.find(({ state }) => state.at === 'files-written') ?? last
  return {
    ...{ run, directory, state: now.at, already },
    from: { name: from.name, clusterId: from.clusterId },
    to: { name: to.name, clusterId: to.clusterId },
    mirror,
    discovery: plan.root,
    files: plan.files.map(({ path, shaBefore, shaAfter }) => ({ path, shaBefore, shaAfter })),
    partitions: Object.entries(cut).map(([where, end]) => ({
      ...partitionOf(where),
      cut: end,
      old: old.get(where)?.leo.toString(),
      new: next.get(where)?.leo.toString(),
    })),
    groups,
    readersFirst: (readers?.moved ?? []).map(({ group }) => group),
    proof,
    timings: timingsOf(own),
    pauseMs: written.atMs - (fence.plan.driver === 'manual' ? proof.fromMs : fence.sinceMs),
    attempts: [...tried],
    ...{ stranded, drift },
    commit,
    certificate,
  }
}

export const timingsOf = (states: readonly StateLine[]): CutoverReport['timings'] =>
  states.map(({ state, atMs }, i) => ({
    state: state.at,
    at: new Date(atMs).toISOString(),
    ms: Math.max(0, (states[i + 1]?.atMs ?? atMs) - atMs),
  }))
