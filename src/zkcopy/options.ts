import type { During } from '../kit/index.ts'
import type { SessionEvent } from '../zookeeper/index.ts'
import type { AclMap } from './acl-map.ts'
import type { AclMode } from './acls.ts'
import type { MaxDelete } from './delete.ts'
import type { End } from './ensembles.ts'
import type { Filter } from './filter.ts'

/** What a server takes in one request if nothing else is set. Source: jute.maxbuffer. */
export const JUTE_MAXBUFFER = 1_048_575

export type ZkCopyEvent =
  | { kind: 'progress'; scanned: number; created: number; updated: number; unchanged: number }
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
  /** Most operations written a second; undefined is no limit. */
  rate?: number | undefined
  /** Default full. */
  acl?: AclMode | undefined
  /** Ids of ACLs that are rewritten; all modes but open. */
  aclMap?: AclMap | undefined
  /** Removes what only the target has, up to a limit; undefined leaves it. */
  deleteUpTo?: MaxDelete | undefined
  /** Only compares: writes nothing. */
  check?: boolean | undefined
  /** Default 1,048,575. */
  juteMaxBuffer?: number | undefined
  /** How long an ensemble may be silent. Default 10,000. */
  withinMs?: number | undefined
}
