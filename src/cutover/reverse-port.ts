import type { GroupReport } from '../offsets/index.ts'

/** Records of the old cluster that were written after the cut: [from, to) of a partition. */
export type Stranded = { topic: string; partition: number; from: string; to: string }

/** What arming has fixed; journaled, and enough to start with after a crash. */
export type ReverseArmed = {
  /** Producer id on the old cluster. */
  producerId: string
  /** Partitions whose old end was not V: the reverse goes on, but the partition is translated from there. */
  stranded: readonly Stranded[]
  /** Name of its state topic on the old cluster. */
  stateTopic: string
}

export type ReverseLag = { records: bigint; partitions: number; stopped: readonly string[] }

/**
 * The copy from the new cluster back to the old one. Ends are of the new cluster, by `topic-partition`.
 */
export type ReversePort = {
  /**
   * At the cut, under the fence, before the files are written: fixes where each partition goes on and remembers it on
   * the old cluster. Writes no record to a moved topic. Doing it again with the same cut changes nothing.
   * `old`: V; `next`: image(V).
   */
  arm(cut: ReadonlyMap<string, { old: bigint; next: bigint }>): Promise<ReverseArmed>
  /** Sets the lanes going, new -> old; after a crash it goes on. Needs `arm`. Started already: nothing. */
  start(): Promise<void>
  lag(): Promise<ReverseLag>
  /** Resolves when the old cluster holds all up to these ends of the new one; throws what stopped a partition. */
  drained(ends: ReadonlyMap<string, bigint>): Promise<void>
  /** Group offsets, new -> old, exact, once drained to these ends; groups with members on the old one are refused by name. */
  syncGroups(ends: ReadonlyMap<string, bigint>): Promise<GroupReport>
  /** Stops copying; connections stay. */
  stop(): Promise<void>
  /** Lets the forward mirror of this name start again at the drained ends. Once groups and files are back. */
  handBack(ends: ReadonlyMap<string, bigint>): Promise<void>
}
