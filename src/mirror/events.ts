import type { KmigError } from '../kit/index.ts'

/** Where a mirror stands; counts since its start. */
export type MirrorProgress = {
  kind: 'progress'
  partitions: { total: number; caughtUp: number; stopped: number }
  records: bigint
  bytes: bigint
  /** Per second, over the last interval. */
  recordRate: number
  byteRate: number
  /** Records on the source that are not on the target; of all partitions, and of the worst. */
  lag: bigint
  worst: { where: string; lag: bigint } | undefined
  /** Offsets of padding that are still to write. */
  padding: bigint
}

export type MirrorEvent =
  | MirrorProgress
  | { kind: 'topic-created'; topic: string; partitions: number; replicationFactor: number }
  | { kind: 'stopped'; where: string; error: KmigError }
  | { kind: 'groups'; copied: number; unchanged: number; refused: number }
  | { kind: 'warning'; where: string; text: string }
  | { kind: 'caught-up'; records: bigint; ms: number }
