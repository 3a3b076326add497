import type { Cut } from './states.ts'

/** Digests of one partition, of independent reads of both clusters over the same records. */
export type PartitionDigest = {
  topic: string
  partition: number
  /** Offsets of the old cluster: [from, to). */
  from: string
  to: string
  records: string
  digestOld: string
  digestNew: string
  equal: boolean
  /** What could not be compared, and why. */
  notComparable?: string | undefined
}

export type CheckReport = {
  partitions: readonly PartitionDigest[]
  /** The first differences, in words that name topic, partition and offset. */
  differences: readonly string[]
  bytes: string
  ms: number
}

/** Content checks of a run, by reads that are not the mirror's own. */
export type CheckPort = {
  /** All that is on both clusters now: VERIFIED. Kept, so that `delta` need not read it again. */
  base(): Promise<CheckReport>
  /** What lies between the base and the cut: FINAL_CHECK, inside the fence. Without a base: nothing, and it says so. */
  delta(cut: Cut): Promise<CheckReport>
}
