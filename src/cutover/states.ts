import type { FileChange } from '../discovery/index.ts'
import type { MovedReaders } from '../mirror/index.ts'
import type { GroupReport } from '../offsets/index.ts'
import type { Engaged, FencePlan, FenceProof } from './fence-port.ts'
import type { LaggingGroup } from './ports.ts'
import type { CutPoints, ReverseArmed, Stranded } from './reverse-port.ts'

/** The cut, V: the old cluster's log end per `topic-partition`, below which everything is on the new one. */
export type Cut = Record<string, string>

/** What became of the groups: how many partitions were set, and what was left as it is and why. */
export type GroupsMoved = { groups: number; partitions: number; left: { group: string; why: string }[] }

/** What is to be written: enough to finish or take back after a crash. */
export type FilesPlan = { root: string; files: FileChange[] }

/** A fence that is, or may be, engaged. `sinceMs`: when it was first; a run that goes on after a crash keeps it. */
export type FenceState = { plan: FencePlan; sinceMs: number }

/** A fence that was let go with nothing moved, for another attempt; `at`: how far it had come. */
export type Attempt = {
  driver: string
  sinceMs: number
  releasedMs: number
  at: StateName
  code: string
  why: string
}
/** `rights`: ACLs that this run makes on the new cluster, or means to. */
type Kept = { tried?: readonly Attempt[] | undefined; rights?: FencePlan | undefined }

/** Groups whose readers moved before the fence. `moving`: one that hooks have stopped, or are starting. */
export type ReadersState = { moved: readonly MovedReaders[]; moving?: string | undefined }

type OfRun = { plan: FilesPlan; readers?: ReadersState | undefined }
/** Before the cut. `fence`: one that a process engaged that has died since. */
export type Begun = OfRun & Kept & { fence?: FenceState | undefined }
export type Fenced = OfRun & Kept & { fence: FenceState; engaged: Engaged }
export type WithCut = Fenced & { cut: Cut; proof: FenceProof }
/** `next`: where the new cluster's logs end with the cut, and with nothing beyond it: image(V). */
export type Drained = WithCut & { next: Cut }
/** What is known when everything is ready for the switch. */
export type Proved = Drained & { groups: GroupsMoved; seal?: FencePlan | undefined }
/** `reverse`: how the copy back was armed; undefined where there is none. */
export type Committed = Proved & { reverse?: ReverseArmed | undefined }
/** `stranded`: records that somebody wrote to the old cluster after the cut. */
export type Switched = Committed & {
  stranded: string[]
  /** Those of them that were copied to the new cluster since. */
  carried?: readonly Stranded[] | undefined
}

/**
 * Where a cutover stands. Up to `sealing` no client sees a change but a fence: after a crash such a run starts over, for
 * its proofs are old. `switching` is the journaled intent to write the files: what it left is told by the files
 * themselves. `opening`: the files are written, clients are told. Source: CUTOVER.md 3.
 */
export type State =
  | ({ at: 'planned' | 'mirroring' | 'caught-up' | 'verified' | 'armed' } & Begun)
  /** Readers that the operator named move one group after the other, before any writer. */
  | ({ at: 'reads-moving'; readers: ReadersState } & Begun)
  | ({ at: 'reads-moved'; readers: ReadersState } & Begun)
  /** The intent to engage the fence. */
  | ({ at: 'fencing'; fence: FenceState } & OfRun & Kept)
  /** The fence was let go, and is engaged once more after `untilMs`. */
  | ({ at: 'backing-off'; tried: readonly Attempt[]; untilMs: number } & OfRun & Kept)
  | ({ at: 'fenced' } & Fenced)
  | ({ at: 'still' } & WithCut)
  | ({ at: 'drained' } & Drained)
  | ({ at: 'offsets-set' | 'checked' | 'sealing' } & Proved)
  | ({ at: 'switching' | 'files-written' } & Committed)
  | ({ at: 'opening' | 'switched' | 'target-live' | 'soaking' | 'completing' | 'complete' } & Switched)
  /** Something failed, and what was changed is put back. */
  | ({ at: 'aborting' | 'aborted'; why: string; code: string; undo?: Undo | undefined } & OfRun)
  /** The way back. */
  | ({ at: 'back-fencing' } & Back)
  | ({ at: 'back-still' | 'back-offsets' | 'back-switching' } & BackProved)
  /** The new cluster is gone: back without what only it has, by consent. */
  | ({ at: 'back-lossy' } & BackAlone)
  | {
      at: 'rolled-back'
      plan: FilesPlan
      cut: Cut
      groups: GroupsMoved
      lost?: readonly string[] | undefined
      undone?: readonly string[] | undefined
      /** What still keeps writers off the new cluster, as nobody said that all clients have left it. */
      standing?: FencePlan | undefined
    }
export type StateName = State['at']
/** The states of these names, each with what is known in it. */
export type In<N extends StateName, S = State> = S extends { at: infer A }
  ? N extends A
    ? Omit<S, 'at'> & { at: N }
    : never
  : never

/** The states of a run whose files name the new cluster. */
export type SwitchedName = 'opening' | 'switched' | 'target-live' | 'soaking'
export type Back = { plan: FilesPlan; cut: Cut; was: Switched; wasAt: SwitchedName; fence: FenceState }
/** `ends`: R, where the new cluster's logs end under its fence. */
export type BackProved = Back & {
  ends: Cut
  proof: FenceProof
  groups?: GroupsMoved | undefined
  /** What is on the new cluster only, and stays behind by consent. */
  lost?: readonly string[] | undefined
  /** Where partitions ended then that were made on the new cluster after the switch. */
  beside?: Cut | undefined
  /** The mirror can go on from here, nothing more is to be copied back: only the writers are to be let go. */
  handedBack?: true | undefined
}

/** `lost`: what the new cluster had, or may have had, and the old one has not. `undone`: what needs the new one. */
export type BackAlone = Back & {
  groups: GroupsMoved
  lost: readonly string[]
  undone: readonly string[]
}

/** What an abort has to take back beside the files. `reader`: a group that is to be started again. */
export type Undo = {
  fence?: FenceState | undefined
  seal?: FencePlan | undefined
  rights?: FencePlan | undefined
  armed: boolean
  reader?: string | undefined
}

/** Nothing follows by itself. */
export const isEnd = ({ at }: State): boolean => at === 'complete' || at === 'aborted' || at === 'rolled-back'

/** How a run can be taken back: at no cost, by the copy back, or not at all. */
export type RollbackClass = 'FREE' | 'REVERSE' | 'NONE'
const CLASSES: Readonly<Record<StateName, RollbackClass>> = {
  planned: 'FREE',
  mirroring: 'FREE',
  'caught-up': 'FREE',
  verified: 'FREE',
  'reads-moving': 'FREE',
  'reads-moved': 'FREE',
  armed: 'FREE',
  fencing: 'FREE',
  'backing-off': 'FREE',
  fenced: 'FREE',
  still: 'FREE',
  drained: 'FREE',
  'offsets-set': 'FREE',
  checked: 'FREE',
  sealing: 'FREE',
  switching: 'FREE',
  'files-written': 'FREE',
  opening: 'FREE',
  switched: 'FREE',
  'target-live': 'REVERSE',
  soaking: 'REVERSE',
  completing: 'NONE',
  complete: 'NONE',
  aborting: 'FREE',
  aborted: 'FREE',
  'back-fencing': 'REVERSE',
  'back-still': 'REVERSE',
  'back-offsets': 'REVERSE',
  'back-switching': 'REVERSE',
  'back-lossy': 'REVERSE',
  'rolled-back': 'FREE',
}
export const classOf = ({ at }: State): RollbackClass => CLASSES[at]
export const isStateName = (name: unknown): name is StateName =>
  typeof name === 'string' && Object.hasOwn(CLASSES, name)

const SWITCHED: readonly StateName[] = ['opening', 'switched', 'target-live', 'soaking']
export const isSwitched = (state: State | undefined): state is In<SwitchedName> =>
  state !== undefined && SWITCHED.includes(state.at)

const BACK: readonly StateName[] = ['back-fencing', 'back-still', 'back-offsets', 'back-switching']
export type BackState = In<'back-fencing' | 'back-still' | 'back-offsets' | 'back-switching'>
/** On the way back, with the new cluster there. */
export const isBack = (state: State | undefined): state is BackState =>
  state !== undefined && BACK.includes(state.at)

export const readersIn = (state: State | undefined): ReadersState | undefined =>
  state && 'readers' in state ? state.readers : undefined

/** Before anybody is kept off; a state that is added there belongs in this list. */
const PREPARING: ReadonlySet<StateName> = new Set<StateName>([
  'planned',
  'mirroring',
  'caught-up',
  'verified',
  'reads-moving',
  'reads-moved',
  'armed',
  'backing-off',
])
/** Whether nothing of the cutover proper has begun, and no fence stands. */
export const isBeforeFence = (state: State): boolean =>
  PREPARING.has(state.at) && undoOf(state).fence === undefined

/** What a state has engaged, for whoever has to take it back. */
export const undoOf = (state: State): Undo => ({
  fence: 'fence' in state ? state.fence : undefined,
  seal: 'seal' in state ? state.seal : undefined,
  rights: 'rights' in state ? state.rights : undefined,
  armed: 'reverse' in state && state.reverse !== undefined,
  reader: readersIn(state)?.moving,
})

/** What is to be released, in this order: the seal first, then the fence, for whom nobody waits last. */
export const engagedBy = (undo: Undo | undefined): FencePlan[] =>
  [undo?.seal, undo?.fence?.plan, undo?.rights].filter(plan => plan !== undefined)

export const cutOf = (ends: ReadonlyMap<string, bigint>): Cut =>
  Object.fromEntries([...ends].map(([where, end]) => [where, String(end)]))

/** Both sides of the cut, as the copy back takes it. */
export const pointsOf = ({ cut, next }: { cut: Cut; next: Cut }): CutPoints =>
  new Map(
    Object.entries(cut).map(([where, old]) => [
      where,
      { old: BigInt(old), next: BigInt(next[where] ?? old) },
    ]),
  )

export const endsOf = (cut: Cut): Map<string, bigint> =>
  new Map(Object.entries(cut).map(([where, end]) => [where, BigInt(end)]))

export const laggingText = ({ group, members, lag }: LaggingGroup): string =>
  `${group} (${members} members, ${lag} records to read)`

/** Groups by which kmig's own processes share a mirror. */
const OWN = '__kmig.'

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
    left: [...refused.filter(({ group }) => !group.startsWith(OWN)), ...left],
  }
}
