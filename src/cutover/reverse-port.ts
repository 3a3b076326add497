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
 * The copy from the new cluster back to the old one. `cut`: V by `topic-partition`; the new cluster's end at the cut,
 * image(V), it knows from the forward mirror's state.
 */
export type ReversePort = {
  /**
   * At the cut, under the fence, before the files are written: fixes where each partition goes on and remembers it on
   * the old cluster. Writes no record to a moved topic. Doing it again changes nothing; after `disarm` it arms anew.
   */
  arm(cut: ReadonlyMap<string, bigint>): Promise<ReverseArmed>
  /** Forgets an arming that nothing was copied by: the switch was taken back. */
  disarm(): Promise<void>
  /** Sets the lanes going, new -> old; after a crash it goes on. Needs `arm`. */
  start(): Promise<void>
  lag(): Promise<ReverseLag>
  /** Resolves when the old cluster holds all up to these ends of the new one; throws what stopped a partition. */
  reached(ends: ReadonlyMap<string, bigint>): Promise<void>
  /** Stops copying; connections stay. */
  stop(): Promise<void>
  /** Group offsets, new -> old, exact; groups with members on the old cluster are refused by name. */
  syncGroups(): Promise<GroupReport>
  /** The old cluster's ends that `ends` of the new one stand for there. */
  imageOf(ends: ReadonlyMap<string, bigint>): ReadonlyMap<string, bigint>
  /** The run was rolled back: the forward mirror of this name can start again at these ends of the new cluster. */
  handBack(ends: ReadonlyMap<string, bigint>): Promise<void>
}
