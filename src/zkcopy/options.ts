import type { During } from '../kit/index.ts'
import type { SessionEvent } from '../zookeeper/index.ts'
import type { AclMap } from './acl-map.ts'
import type { AclMode } from './acls.ts'
import type { MaxDelete } from './delete.ts'
import type { End } from './ensembles.ts'
import type { Filter } from './filter.ts'
import type { Preset } from './kafka-preset.ts'
import type { Keep } from './keep.ts'
import type { Pause } from './pace.ts'
import type { Rate } from './rate.ts'
import type { TailEvent } from './tail.ts'

/** What a server takes in one request if nothing else is set. Source: jute.maxbuffer. */
export const JUTE_MAXBUFFER = 1_048_575

export type Progress = {
  kind: 'progress'
  scanned: number
  created: number
  updated: number
  unchanged: number
  /** Znodes that the source has, also those that are left out; undefined where its servers can't tell (before 3.6). */
  total: number | undefined
  etaMs: number | undefined
}
export type ZkCopyEvent =
  | TailEvent
  /** --rate only: the target got slow. */
  | ({ kind: 'paused' } & Pause)
  | Progress
  /** With --preset: what the operator should know. */
  | { kind: 'warning'; text: string }
  /** A state file could not be used: all is compared. */
  | { kind: 'state-set-aside'; why: string }
  | { kind: 'connection'; side: 'source' | 'target'; event: SessionEvent }

export type ZkCopyOptions = During<ZkCopyEvent> & {
  from: End
  to: End
  /** ms; copies what was modified then or later, less `overlapMs`. Undefined copies all. */
  sinceMs?: number | undefined
  /** Default 120,000: clocks differ, and a leader may have written late what it had timed early. */
  overlapMs?: number | undefined
  /** Default all. */
  filter?: Filter | undefined
  /** File that keeps how far the last pass got, so that the next reads the target only for what changed since. */
  state?: string | undefined
  /** Operations per multi, 1-1000. Default 500. */
  batch?: number | undefined
  /** Most that is written a second, with a pause while the target is slow; undefined is no limit and no pause. */
  rate?: Rate | undefined
  /** Follows the source after the bulk: until the signal is aborted, or it was quiet for `untilQuietMs`. */
  tail?: { untilQuietMs: number | undefined } | undefined
  /** Default full. */
  acl?: AclMode | undefined
  /** Ids of ACLs that are rewritten; all modes but open. */
  aclMap?: AclMap | undefined
  /** What the copy is of: adds what such a tree needs, and looks at both sides before and after. */
  preset?: Preset | undefined
  /** What is kept besides data and ACL. Default nothing. */
  keep?: Keep | undefined
  /** Removes what only the target has, up to a limit; undefined leaves it. */
  deleteUpTo?: MaxDelete | undefined
  /** File that gets every znode of the target before it is replaced or deleted, for `restore`. */
  backup?: string | undefined
  /** Only compares: writes nothing. */
  check?: boolean | undefined
  /** Default 1,048,575. */
  juteMaxBuffer?: number | undefined
  /** How long an ensemble may be silent. Default 10,000; once the copy runs with `tail`, 60,000. */
  withinMs?: number | undefined
}
