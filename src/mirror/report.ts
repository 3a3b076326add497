import type { Entry } from '../inventory/index.ts'
import { ERRORS, EXIT, type Exit } from '../kit/index.ts'
import type { GroupReport } from '../offsets/index.ts'
import type { Refused } from './follow.ts'
import type { Lane } from './lane.ts'
import type { LaneCounts } from './lane-shape.ts'

export type PartitionReport = LaneCounts & {
  topic: string
  partition: number
  /** `identical`: every record has the offset it has on the source; `translated`: those from `translatedFrom` on have others. */
  mode: 'identical' | 'translated'
  translatedFrom: bigint | undefined
  /** Why it is translated. */
  modeWhy: string | undefined
  start: bigint
  /** Every offset before this is on the target. */
  end: bigint
  sourceEnd: bigint | undefined
  /** Source offsets without a record, and stretches of offsets without a hole. */
  holes: bigint
  runs: number
  /** What the source lost before it was copied, and the operator accepted: source offsets from `from` on, before `to`. */
  gaps: { from: bigint; to: bigint }[]
  stopped: { code: string; message: string; try: readonly string[]; exit: Exit } | undefined
}

export type MirrorReport = {
  name: string
  source: { name: string; clusterId: string }
  target: { name: string; clusterId: string }
  ms: number
  /** From the first question for records to the last that landed. */
  copyMs: number
  records: bigint
  bytes: bigint
  partitions: PartitionReport[]
  /** Topics that could not be mirrored, or grew on the source and could not be followed. */
  refused: Refused[]
  groups: GroupReport
  /** Everything that the source has, with what became of it, as of the last look. */
  inventory: readonly Entry[]
}

export const partitionReport = (lane: Lane): PartitionReport => {
  const { topic, partition, start, acked, sourceEnd, counts, stopped, map, why, gaps } = lane
  return {
    topic,
    partition,
    mode: map.translated ? 'translated' : 'identical',
    translatedFrom: map.shifts[0]?.source,
    modeWhy: map.translated ? why : undefined,
    start,
    end: acked,
    sourceEnd,
    ...counts,
    holes: map.runs.holes,
    runs: map.runs.runs,
    gaps: gaps.map(({ from, to }) => ({ from, to })),
    stopped: stopped && {
      code: stopped.code,
      message: stopped.message,
      try: stopped.suggestions,
      exit: stopped.exit,
    },
  }
}

type Counted = 'copyMs' | 'records' | 'bytes' | 'partitions'
export const reportOf = (lanes: readonly Lane[], rest: Omit<MirrorReport, Counted>): MirrorReport => {
  const partitions = lanes.map(partitionReport)
  return {
    ...rest,
    copyMs: copyMs(lanes),
    records: partitions.reduce((sum, each) => sum + each.records, 0n),
    bytes: partitions.reduce((sum, each) => sum + each.bytes, 0n),
    partitions,
  }
}

/** ms from the first question for records to the last record that landed. */
const copyMs = (lanes: readonly Lane[]): number => {
  const began = Math.min(...lanes.map(({ times }) => times.began ?? Number.POSITIVE_INFINITY))
  const landed = Math.max(...lanes.map(({ times }) => times.landed ?? 0))
  return landed > began ? Math.round(landed - began) : 0
}

/** Where several codes apply: loss, authorization, unreachable, partial. */
const GRAVEST: readonly Exit[] = [EXIT.loss, EXIT.auth, EXIT.unreachable, EXIT.refused]

export const exitOf = ({ partitions, refused }: Pick<MirrorReport, 'partitions' | 'refused'>): Exit => {
  const stops = partitions.flatMap(({ stopped }) => (stopped ? [stopped.exit] : []))
  // what is denied is part of the work, unless it is all of it
  const some = stops.length < partitions.length
  const exits = new Set(stops.map(exit => (exit === EXIT.auth && some ? EXIT.partial : exit)))
  for (const { code } of refused) exits.add(ERRORS[code].exit === EXIT.loss ? EXIT.loss : EXIT.partial)
  if (exits.size === 0) return EXIT.ok
  return GRAVEST.find(exit => exits.has(exit)) ?? EXIT.partial
}
