import type { FileChange } from '../discovery/index.ts'
import type { GroupReport } from '../offsets/index.ts'
import type { StillProof } from './fence-port.ts'
import type { LaggingGroup } from './ports.ts'

/** The cut, V: the old cluster's log end per `topic-partition`, below which everything is on the new one. */
export type Cut = Record<string, string>

/** What became of the groups: how many partitions were set, and what was left as it is and why. */
export type GroupsMoved = { groups: number; partitions: number; left: { group: string; why: string }[] }

/** What is to be written: enough to finish or take back after a crash. */
export type FilesPlan = { root: string; files: FileChange[] }

/**
 * Where a cutover stands. Up to `configs-released` no client sees a change: after a crash such a run starts over, for its
 * proofs are old. `switching` is the journaled intent to write the files: what it left is told by the files themselves.
 * Source: CUTOVER.md 3, first cut.
 */
export type State =
  | { at: 'planned' | 'mirroring' | 'caught-up'; plan: FilesPlan }
  | { at: 'still' | 'drained'; plan: FilesPlan; cut: Cut; proof: StillProof }
  | ({ at: 'offsets-set' | 'configs-released' | 'switching' | 'files-written' } & Proved)
  /** `stranded`: partitions where somebody wrote to the old cluster after the cut, while somebody wrote to the new one. */
  | ({ at: 'switched'; stranded: string[] } & Proved)
  /** Something failed, and what was changed is put back. */
  | { at: 'aborting' | 'aborted'; plan: FilesPlan; why: string; code: string }
  | { at: 'rolling-back'; plan: FilesPlan; cut: Cut; was: Proved & { stranded: string[] } }
  | { at: 'rolled-back'; plan: FilesPlan; cut: Cut; groups: GroupsMoved }
export type StateName = State['at']

/** What is known when everything is ready for the switch. */
export type Proved = { plan: FilesPlan; cut: Cut; proof: StillProof; groups: GroupsMoved }

/** Nothing follows by itself. */
export const isEnd = ({ at }: State): boolean => at === 'switched' || at === 'aborted' || at === 'rolled-back'

export const cutOf = (ends: ReadonlyMap<string, bigint>): Cut =>
  Object.fromEntries([...ends].map(([where, end]) => [where, String(end)]))

export const endsOf = (cut: Cut): Map<string, bigint> =>
  new Map(Object.entries(cut).map(([where, end]) => [where, BigInt(end)]))

export const laggingText = ({ group, members, lag }: LaggingGroup): string =>
  `${group} (${members} members, ${lag} records to read)`

/** Sums a sync up; what was neither set nor right already is listed. */
export const groupsMoved = ({ rows, refused }: GroupReport): GroupsMoved => {
  const done = rows.filter(({ outcome: { kind } }) => ['committed', 'unchanged', 'renewed'].includes(kind))
  const left = rows.flatMap(({ group, topic, partition, outcome }) => {
    if (outcome.kind === 'waiting') {
      return [{ group, why: `${topic}-${partition}: at ${outcome.at}, the copy ends at ${outcome.copied}` }]
    }
    return outcome.kind === 'refused' || outcome.kind === 'kept'
      ? [{ group, why: `${topic}-${partition}: ${outcome.why}` }]
      : []
  })
  return {
    groups: new Set(done.map(({ group }) => group)).size,
    partitions: done.length,
    left: [...refused, ...left],
  }
}
