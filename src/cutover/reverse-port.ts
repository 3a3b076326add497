import type { ReverseProblem } from '../mirror/index.ts'
import type { GroupReport } from '../offsets/index.ts'

/**
 * Records of the old cluster that were written after the cut: [from, to) of a partition. `carried`: where they stand on the
 * new one, if they were copied there.
 */
export type Stranded = {
  topic: string
  partition: number
  from: string
  to: string
  carried?: { from: string; to: string } | undefined
}

/** V, and where the new cluster ended with it, by `topic-partition`. */
export type CutPoints = ReadonlyMap<string, { old: bigint; next: bigint }>

/** What arming has fixed; journaled. */
export type ReverseArmed = {
  /** Producer id on the old cluster. */
  producerId: string
  /** Partitions whose old end was not V: the copy back goes on, but the partition is translated from there. */
  stranded: readonly Stranded[]
  /** Name of its state topic on the old cluster. */
  stateTopic: string
}

/**
 * `stopped`: partitions that do not go on, in words that name the range. `seen`: where the new cluster's logs end, of
 * those that answer.
 */
export type ReverseLag = {
  records: bigint
  stopped: readonly string[]
  seen: ReadonlyMap<string, bigint>
}

/**
 * The copy from the new cluster back to the old one, as the machine drives it: made of `ReverseMirror`. Ends are of the
 * new cluster, by `topic-partition`.
 */
export type ReversePort = {
  /** What can be done before the fence. Doing it again changes nothing. */
  prepare(): Promise<void>
  /** What would keep records from the old cluster. Looks only. */
  problems(topics: readonly string[]): Promise<readonly ReverseProblem[]>
  /**
   * At the cut, under the fence, before the files are written: fixes where each partition goes on and remembers it on
   * the old cluster. Writes no record to a moved topic. Doing it again with the same cut changes nothing.
   */
  arm(cut: CutPoints): Promise<ReverseArmed>
  /** Copies what is stranded to the new cluster, once, before the lanes go. Gives all that was stranded. */
  carry(cut: CutPoints): Promise<readonly Stranded[]>
  /** What others wrote to the old cluster since the cut; looks, whether or not the lanes go. */
  strays(cut: CutPoints): Promise<readonly Stranded[]>
  /** Sets the lanes going, new -> old, from that cut on; after a crash it goes on. Started already: nothing. */
  start(cut: CutPoints): Promise<void>
  lag(): Promise<ReverseLag>
  /**
   * Resolves when the old cluster holds all up to these ends of the new one; throws what stopped a partition, or with
   * `lossy` returns what is missing, in words that name the range.
   */
  drained(ends: ReadonlyMap<string, bigint>, how: { lossy: boolean }): Promise<readonly string[]>
  /** Group offsets, new -> old, exact, once drained to these ends; groups with members on the old one are refused by name. */
  syncGroups(ends: ReadonlyMap<string, bigint>): Promise<GroupReport>
  /** Stops copying; connections stay. */
  stop(): Promise<void>
  /** Lets the forward mirror of this name start again at the drained ends. Once groups and files are back. */
  handBack(ends: ReadonlyMap<string, bigint>, how: { lossy: boolean }): Promise<void>
}
