import type { DiscoveryStore } from '../discovery/index.ts'
import type { MovedReaders, ReadersMoved, ReadersSight } from '../mirror/index.ts'
import type { GroupReport } from '../offsets/index.ts'
import type { BesidePort } from './beside.ts'
import type { CheckPort } from './check-port.ts'
import type { FenceDriver, FencePlan, ProofPort } from './fence-port.ts'
import type { RightsPort } from './fences/rights.ts'
import type { ReversePort } from './reverse-port.ts'

/**
 * Log ends by `topic-partition`. `leo`: what the leader's log holds. `stable`: up to where it is replicated and no
 * transaction is open, so that every consumer may read it (last stable offset).
 */
export type End = { leo: bigint; stable: bigint }
export type Ends = ReadonlyMap<string, End>

/** A group with members on the old cluster that has not read everything yet. */
export type LaggingGroup = { group: string; members: number; lag: bigint }

/** What a cutover needs of the copying. */
export type MirrorPort = {
  /** Takes the mirror's lock and sets the lanes going. Doing it again after a crash goes on. */
  start(): Promise<void>
  caughtUp(): Promise<void>
  /** Resolves when every partition is on the new cluster up to these ends; throws what stopped one. */
  reached(ends: ReadonlyMap<string, bigint>): Promise<void>
  /** Stops copying; connections stay. */
  stop(): Promise<void>
  /** Where the new cluster's logs end when nobody but kmig has written: what was sent and acknowledged. */
  copied(): ReadonlyMap<string, bigint>
  /** Groups with members on the old cluster that have yet to read up to these ends. */
  lagging(ends: ReadonlyMap<string, bigint>): Promise<LaggingGroup[]>
  syncGroups(): Promise<GroupReport>
  /** Commits of the new cluster that are ahead, back to the old one. */
  syncGroupsBack(ends: ReadonlyMap<string, bigint>): Promise<GroupReport>
  /** What clients need at once when they come: log append times, the right to write. */
  open(): Promise<void>
  /** Gives topics all the settings that they had: retention deletes from here on. */
  release(): Promise<void>
  /** Takes them back to what mirroring needs. */
  hold(): Promise<void>
  /** Forbids (or with null allows) the mirror to write again. */
  mark(run: string | null): Promise<void>
}

/** Groups whose readers move before the writers do. Source and target are the old and the new cluster. */
export type ReadersPort = {
  /** What the operator named, and the plan found. */
  readonly wanted: readonly string[]
  /** Those that have moved, in this run or before, as the new cluster remembers. */
  moved(): Promise<readonly MovedReaders[]>
  look(groups: readonly string[]): Promise<readonly ReadersSight[]>
  /** See `moveReaders`. */
  move(group: string): Promise<ReadersMoved>
  /** See `readersBack`. */
  back(group: string): Promise<ReadersMoved>
  /** Of these, in words, which read or have committed on the old cluster since they left it. */
  again(moved: readonly MovedReaders[]): Promise<readonly string[]>
  /** They went back with all others. */
  forget(): Promise<void>
}

/** Where logs end. Each call asks all leaders anew. */
export type EndsPort = { old(): Promise<Ends>; next(): Promise<Ends> }

export type ClockPort = {
  /** ms since 1970, for people and journals. */
  wall(): number
  /** ms that only go forward. */
  now(): number
  sleep(ms: number): Promise<void>
}

/** Names of the files in `--hooks DIR`. */
export const HOOKS = [
  'stop-readers',
  'start-readers',
  'pre-fence',
  'fence',
  'unfence',
  'pre-switch',
  'reload-clients',
  'post-switch',
  'rollback',
] as const
export type HookName = (typeof HOOKS)[number]

/** A hook that was run. `writersLeft`: the number that its stdout told by `writers-left=N`. */
export type HookRun = {
  name: HookName
  sha256: string
  rc: number
  ms: number
  at: string
  attempt: number
  writersLeft?: number | undefined
}

export type HookAbout = { state: string; side: 'old' | 'new' }

/** The operator's programs. One that is not there is a step that is not needed. */
export type HookPort = {
  has(name: HookName): boolean
  /** undefined: there is none. Throws HOOK_FAILED with the end of its stderr. */
  run(name: HookName, about: HookAbout, only?: { group: string }): Promise<HookRun | undefined>
}

/** Whether the run may go on to the fence. */
export type GatePort = {
  /** Why it is closed, or undefined. */
  closed(): Promise<string | undefined>
}

/** A run's own files, beside its journal. */
export type RecordPort = {
  keep(name: string, value: unknown): Promise<void>
  /** Remembers where the new cluster's logs were seen to end, for when it is gone. */
  saw(ends: ReadonlyMap<string, bigint>, atMs: number): Promise<void>
  /**
   * Who is first decides what becomes of this fence: the runner that it switches, or the watchdog that it is released.
   * False: the other one was first.
   */
  decide(what: 'switch' | 'release', fence: { sinceMs: number }): Promise<boolean>
  /** What was decided so far. */
  decided(fence: { sinceMs: number }): Promise<'switch' | 'release' | undefined>
}

/** The world as a cutover sees it; the same in tests with a made-up one. */
export type Ports = {
  mirror: MirrorPort
  ends: EndsPort
  discovery: Pick<DiscoveryStore, 'commit' | 'recover' | 'revert'>
  clock: ClockPort
  hooks: HookPort
  gate: GatePort
  record: RecordPort
  fences: {
    /** Keeps writers off the old cluster before the cut; on the way back off the new one. */
    old: FenceDriver
    next: FenceDriver
    /** Keeps them off the old one after it, where the fence can not. */
    seal?: FenceDriver | undefined
    /** Whoever can take back what a process that has died may have engaged. */
    of(plan: FencePlan): FenceDriver
  }
  /** Copies the ACLs to the new cluster; undefined where the operator sees to that. */
  rights?: RightsPort | undefined
  proof: { old: ProofPort; next: ProofPort }
  readers?: ReadersPort | undefined
  /** Ends what ways back before have left standing on the new cluster: clients may come. */
  letIn?: (() => Promise<void>) | undefined
  check?: CheckPort | undefined
  beside?: BesidePort | undefined
  reverse?: ReversePort | undefined
  /** What is no longer as the plan found it, in words. `fenced`: but for what a fence that stands has changed. */
  drift(how: { fenced: boolean }): Promise<readonly string[]>
  /** What is no longer as the plan said, after the switch. */
  driftAfter?: (() => Promise<readonly string[]>) | undefined
  /** What keeps the run from going on, in words: the checks of `kmig doctor`, but for what is accepted. */
  unfit?: (() => Promise<readonly string[]>) | undefined
  /** Sees to it that the fence is released if this process dies before the switch. */
  watch?: ((fence: { sinceMs: number }) => Promise<void>) | undefined
}
