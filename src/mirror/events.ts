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
  | { kind: 'partitions-added'; topic: string; from: number; to: number }
  /** Settings that changed on the source; those of `later` reach the target's topic at the cutover. */
  | {
      kind: 'configs-followed'
      topic: string
      set: Record<string, string>
      removed: string[]
      later: string[]
    }
  /** A topic that appeared or grew on the source and can't be followed; the others go on. */
  | { kind: 'topic-refused'; topic: string; why: string }
  | { kind: 'stopped'; where: string; error: KmigError }
  | { kind: 'groups'; copied: number; unchanged: number; refused: number }
  | { kind: 'warning'; where: string; text: string }
  | { kind: 'caught-up'; records: bigint; ms: number }
