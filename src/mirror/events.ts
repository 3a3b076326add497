import type { ErrorCode, KmigError, Offset } from '../kit/index.ts'

/** Where a mirror stands; counts since its start. */
export type MirrorProgress = {
  kind: 'progress'
  /** `waiting`: nothing is known of them yet, as no broker of the source has told. */
  partitions: { total: number; caughtUp: number; stopped: number; waiting: number }
  records: bigint
  bytes: bigint
  /** Per second, over the last 10 s. */
  recordRate: number
  byteRate: number
  /** When the lag will be gone if it goes on shrinking as it did over the last 10 s; undefined if it does not shrink. */
  etaMs: number | undefined
  /** Committed records on the source that are not on the target (last stable offset less position); of all partitions. */
  lag: bigint
  /** The same in bytes, by what records were like so far, and as the age of the last record copied of the oldest. */
  lagBytes: bigint
  lagMs: number
  /** Records of the source behind open transactions (high watermark less last stable offset): not committed yet. */
  open: bigint
  worst: { where: string; lag: bigint } | undefined
  /** Offsets of padding that are still to write. */
  padding: bigint
  /** What slows the mirror on purpose: quotas of brokers, --max-rate. */
  throttle: string | undefined
}

export type MirrorEvent =
  | MirrorProgress
  | { kind: 'topic-created'; topic: string; partitions: number; replicationFactor: number }
  | { kind: 'partitions-added'; topic: string; from: number; to: number }
  /** Settings that changed on the source; those of `later` reach the target's topic at the cutover. */
  | {
      kind: 'configs-followed'
      topic: string
      set: Record<string, string>
      removed: string[]
      later: string[]
    }
  /** A topic that can't be mirrored, or grew and can't be followed; the others go on. */
  | { kind: 'topic-refused'; topic: string; code: ErrorCode; why: string; try: readonly string[] }
  /** From this source offset on its records stand at other offsets on the target. */
  | { kind: 'translated'; where: string; from: Offset; why: string }
  /** ACLs that were made and quotas that were set on the target. */
  | { kind: 'inventory'; acls: number; quotas: number }
  | { kind: 'stopped'; where: string; error: KmigError }
  | { kind: 'groups'; copied: number; unchanged: number; refused: number }
  | { kind: 'warning'; where: string; text: string }
  | { kind: 'caught-up'; records: bigint; ms: number }
  /** Other processes run this mirror too, or did. */
  | { kind: 'share'; partitions: number; leads: boolean; alone: boolean }
  | { kind: 'lapsed'; why: string }
