import type { FileChange } from '../discovery/index.ts'
import type { DriverName } from './fence-port.ts'

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
  /** Version as its brokers tell it by their APIs; '' where they don't. */
  version: string
  brokers: number
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
  changes: readonly PlannedChange[]
  files: readonly FileChange[]
  hooks: readonly { name: string; sha256: string }[]
  strategy: {
    driver: DriverName
    windowMs: number
    maxFenceMs: number | null
    readersWithinMs: number
    git: boolean
    check: boolean
  }
  /** What the operator accepted, by id: `mention:<path>`, `fence:<problem>`, ... */
  accepted: readonly string[]
  actions: readonly PlannedAction[]
  hash: string
}
