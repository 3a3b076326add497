import type { FileChange } from '../discovery/index.ts'
import type { Told } from './doctor/index.ts'
import type { DriverName } from './fence-port.ts'
import type { LeftBehind } from './left-behind.ts'
import type { RunSubject } from './run-directory.ts'
import type { Seen } from './seen.ts'

/** One thing that the run does, how it is seen to be done, and what takes it back. */
export type PlannedAction = { id: string; effect: string; proof: string; inverse: string }

/** A setting, ACL or quota that the run changes. `prior` null: it is made. `next` null: it is taken away. */
export type PlannedChange = {
  cluster: 'old' | 'new'
  kind: 'config' | 'acl' | 'quota'
  /** `topic orders retention.ms`, the ACL in words, ... */
  name: string
  prior: string | null
  next: string | null
  /** The state in which it happens. */
  when: string
}

export type PlannedSide = {
  name: string
  clusterId: string
  bootstrap: readonly string[]
  /** The oldest broker's, as its APIs tell: a lower bound. */
  version: string
  /** `host:port` of each. */
  brokers: readonly string[]
}

/**
 * `plan.json` of a run: everything that `--execute` acts on. `hash` is sha256 over the canonical JSON (keys sorted, no
 * spaces) of the document without it. Source: CUTOVER.md 8.
 */
export type PlanDocument = {
  schemaVersion: 1
  run: string
  toolVersion: string
  madeAt: string
  expiresAt: string
  /** What the run is of, as its flags said. */
  subject: RunSubject
  from: PlannedSide
  to: PlannedSide
  mirror: string
  discovery: string
  topics: readonly {
    topic: string
    sourceId: string
    partitions: readonly { partition: number; mode: 'identical' | 'translated'; reason: string | null }[]
    action: string
    reason: string | null
  }[]
  groups: readonly { group: string; moves: boolean; reason: string | null }[]
  /** What the old cluster keeps, though its clients leave. */
  leftBehind: LeftBehind
  changes: readonly PlannedChange[]
  files: readonly FileChange[]
  hooks: readonly { name: string; sha256: string }[]
  /** Directory of the hooks, absolute. */
  hooksDirectory: string | null
  strategy: {
    driver: DriverName
    /** null: as the fence allows, 10 s or 1 s. */
    windowMs: number | null
    maxFenceMs: number | null
    /** How often the fence is tried in all, and the first pause between; it doubles. */
    fenceAttempts: number
    backoffMs: number
    readersWithinMs: number
    /** Patterns of groups whose readers move before the fence; absent: none. */
    readersFirst?: readonly string[] | undefined
    git: boolean
    check: boolean
    /** Whether ACLs are copied, those that let clients write at the switch. */
    acls: boolean
    /** Whether a copy back is armed at the cut. */
    wayBack: boolean
    /** A rehearsal must be younger; null: none is asked for. */
    rehearsedWithinMs: number | null
    /** How the old cluster is kept sealed after the switch, where the fence itself can't stay. */
    seal: DriverName | null
  }
  /** What the operator accepted, by id: `mention:<path>`, `check:<id of a check>`, `producer-errors`. */
  accepted: readonly string[]
  /** What the checks found when the plan was made, and which of it was accepted. */
  preflight: Told
  actions: readonly PlannedAction[]
  /** What all this rests on: `--execute` stops when it has changed. */
  seen: Seen
  hash: string
}
