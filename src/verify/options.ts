import type { ClusterAddress } from '../kafka/index.ts'
import type { During } from '../kit/index.ts'
import type { VerifyEvent } from './events.ts'

/**
 * `auto`: as the mirror's state says; without one `identical` where the first records stand at equal offsets, else `any`.
 * `any`: only the order of the records counts.
 */
export const OFFSETS = ['auto', 'identical', 'any'] as const
export type Offsets = (typeof OFFSETS)[number]

export type Within = ReadonlyMap<string, { from?: bigint | undefined; to: bigint }>

export type VerifyOptions = During<VerifyEvent> & {
  from: ClusterAddress
  to: ClusterAddress
  /** Name of the mirror whose state is looked for on the target; default the source's cluster id. */
  name?: string | undefined
  /** Globs; default every topic that does not start with `__`. */
  topics?: readonly string[] | undefined
  exclude?: readonly string[] | undefined
  /** Globs of consumer groups; default all. */
  groups?: readonly string[] | undefined
  /** Default auto. */
  offsets?: Offsets | undefined
  /** Metadata and counts only: no record is read. */
  quick?: boolean | undefined
  /** What could not be compared counts as a difference. */
  strict?: boolean | undefined
  /** Differences that are listed; all are counted. Default 20. */
  first?: number | undefined
  showKeys?: boolean | undefined
  /** Bytes a second, read from both sides together. */
  maxRate?: number | undefined
  /** Neither settings nor group offsets count, and groups are not asked. */
  recordsOnly?: boolean | undefined
  /** Digest what is compared, each side by itself. */
  digests?: boolean | undefined
  /** Compare these partitions alone (`topic-partition`), and of them these offsets of the source, the end outside. */
  within?: Within | undefined
  /** File that keeps what has been compared, for the next run. */
  state?: string | undefined
  /** Keys of a compacted topic that are held at a time; default 400,000. */
  keysAtOnce?: number | undefined
}
