import type { ClusterAddress } from '../kafka/index.ts'
import type { During, KmigError, Offset } from '../kit/index.ts'
import type { MirrorEvent } from './events.ts'
import type { OffsetsPolicy } from './filling.ts'

/**
 * Where one partition was cut: `old` is V, the old cluster's log end under the fence; `next` the new cluster's log end once
 * it held all of that, the image of V.
 */
export type CutPoint = { old: Offset; next: Offset }
/** By `topic-partition`: every partition that moves. */
export type CutPoints = ReadonlyMap<string, CutPoint>
/** The same, as it is armed: without `next` it is where the new cluster ends then. */
export type Cut = ReadonlyMap<string, { old: Offset; next?: Offset | undefined }>

export type ReverseOptions = During<MirrorEvent> & {
  /** The new cluster, that clients write to after the cut. */
  from: ClusterAddress
  /** The old one. */
  to: ClusterAddress
  /** Name of the mirror that was cut over. The way back keeps its state in `__kmig.<name>.back` on the old cluster. */
  name: string
  /** The cutover's run: an arming of another run is laid aside. */
  run: string
  stateDir: string
  /** As of the mirror. */
  groups?: readonly string[] | undefined
  offsets?: OffsetsPolicy | undefined
  fillingLimitMs?: number | undefined
  maxRate?: number | undefined
  memory?: number | undefined
}

/** What stands in the way of the way back, or will be seen on it; nothing of it is ever changed by kmig. */
export type ReverseProblem = {
  id:
    | 'topic-missing-on-old'
    | 'write-right-on-old'
    | 'state-right-on-old'
    | 'fill-right-on-old'
    | 'message-limit-on-old'
    | 'timestamp-limits-on-old'
    | 'timestamp-type-on-old'
    | 'compression-on-old'
    | 'compaction-on-old'
    | 'min-insync-on-old'
  /** `stop`: a record could not be taken back. `note`: it can, and what will be seen is said. */
  severity: 'stop' | 'note'
  topic?: string
  what: string
  try: string
}

/** Offsets [from, to) of the old cluster that hold what was written there after the cut, by somebody else than kmig. */
export type Stranded = {
  where: string
  from: Offset
  to: Offset
  /** Whether the new cluster has them too. */
  carried: boolean
  /** Who writes them there, after which offset; and where they end, once they are there. */
  carry?: { producerId: bigint; epoch: number; from: Offset; to?: Offset | undefined } | undefined
}

export type Armed = {
  /** Whether a process before had armed this run already. */
  already: boolean
  producerId: bigint
  partitions: number
  /** Partitions whose offsets after the cut differ between the two clusters, with the reason. */
  translated: { where: string; why: string }[]
  stranded: Stranded[]
}

export type ReverseLag = {
  /** Offsets that the new cluster has and the old one lacks. */
  records: bigint
  worst: { where: string; records: bigint } | undefined
  /** Where the new cluster's logs end, of partitions whose leader answers. */
  seen: ReadonlyMap<string, Offset>
  /** Partitions that do not go on: what is on the new cluster from `from` on is on the old one no more. */
  stopped: { where: string; from: Offset; error: KmigError }[]
  stranded: Stranded[]
  /** Topics of the new cluster that were made there after the cut, or have more partitions: nothing of that is taken back. */
  uncovered: string[]
}

/** Where one partition stood when all was taken back: R on the new cluster, and its image on the old one. */
export type DrainPoint = { next: Offset; old: Offset }
export type Drained = {
  points: ReadonlyMap<string, DrainPoint>
  /** With `lossy` only: offsets [from, to) of the new cluster that are not on the old one. */
  missing: { where: string; from: Offset; to: Offset | undefined; why: string }[]
}
