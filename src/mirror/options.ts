import { SYNC, SYNC_DEFAULT, type Sync } from '../inventory/index.ts'
import type { Acl, ClusterAddress } from '../kafka/index.ts'
import type { During, HostPort } from '../kit/index.ts'
import type { MirrorEvent } from './events.ts'
import { FILLING_LIMIT_MS, OFFSETS, type OffsetsPolicy } from './filling.ts'

/** What a mirror is of. */
export type MirrorOptions = During<MirrorEvent> & {
  from: ClusterAddress
  to: ClusterAddress
  /** Name of the mirror; default the source's cluster id. Its state is in `__kmig.<name>` on the target. */
  name?: string | undefined
  /** Globs; default every topic that does not start with `__`. */
  topics?: readonly string[] | undefined
  exclude?: readonly string[] | undefined
  /** Globs of consumer groups; default all. */
  groups?: readonly string[] | undefined
  /** What is copied beside records and group offsets; default topics and configs. */
  sync?: readonly Sync[] | undefined
  /** Holds ACLs back that allow writing to mirrored topics, until `liftWriteHold`. */
  writeHold?: boolean | undefined
  /** ACLs of the source that are never copied, as a cutover's fence is. */
  ownAcl?: ((acl: Acl) => boolean) | undefined
  /** Directory of the lock file. */
  stateDir: string
  /** Takes the lock before looking: for those who start what they have opened at once. Default: the start takes it. */
  own?: boolean | undefined
  /** How offsets are kept; default `auto`: identical while filling holes does not take too long. */
  offsets?: OffsetsPolicy | undefined
  /** What filling the holes of one partition may take, in ms, before `auto` translates it. Default 10 minutes. */
  fillingLimitMs?: number | undefined
  /** How long a start waits for brokers that don't answer, in ms; default 0: one try. */
  patienceMs?: number | undefined
  /** Refuses to share the mirror with other processes. Default: partitions are shared with those that run it. */
  exclusive?: boolean | undefined
  /** Padding of more offsets than this on one partition needs consent. */
  paddingLimit?: bigint | undefined
  /** `topic-partition[:offset]`: partitions that go on without what the source deleted before it was copied. */
  acceptGaps?: readonly string[] | undefined
  /** Bytes of record batches a second, over all partitions; default no limit. */
  maxRate?: number | undefined
  /** Bytes of memory that the process is to stay within, about; default 256 MB. */
  memory?: number | undefined
  /** Where metrics for Prometheus are served; default nowhere. */
  metrics?: HostPort | undefined
}

/** What can be chosen of how a mirror copies, and what is chosen where nobody says. */
export const CHOICES = {
  sync: SYNC,
  syncDefault: SYNC_DEFAULT,
  offsets: OFFSETS,
  offsetsDefault: 'auto',
  fillingLimitMs: FILLING_LIMIT_MS,
} as const
