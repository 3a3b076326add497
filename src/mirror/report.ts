import { EXIT, type Exit } from '../kit/index.ts'
import type { GroupReport } from '../offsets/index.ts'
import type { Lane } from './lane.ts'

export type PartitionReport = {
  topic: string
  partition: number
  /** `identical`: every record has the offset it has on the source. */
  mode: 'identical'
  start: bigint
  /** Every offset before this is on the target. */
  end: bigint
  sourceEnd: bigint | undefined
  records: bigint
  bytes: bigint
  passed: number
  merged: number
  reencoded: number
  padded: bigint
  doubts: number
  stopped: { code: string; message: string; try: readonly string[]; exit: Exit } | undefined
}

export type MirrorReport = {
  name: string
  source: { name: string; clusterId: string }
  target: { name: string; clusterId: string }
  ms: number
  records: bigint
  bytes: bigint
  partitions: PartitionReport[]
  groups: GroupReport
}

export const partitionReport = (lane: Lane): PartitionReport => {
  const { topic, partition, start, acked, sourceEnd, counts, stopped } = lane
  return {
    topic,
    partition,
    mode: 'identical',
    start,
    end: acked,
    sourceEnd,
    ...counts,
    stopped: stopped && {
      code: stopped.code,
      message: stopped.message,
      try: stopped.suggestions,
      exit: stopped.exit,
    },
  }
}

/** Where several codes apply: loss, authorization, unreachable, partial. */
const GRAVEST: readonly Exit[] = [EXIT.loss, EXIT.auth, EXIT.unreachable, EXIT.refused]

export const exitOf = ({ partitions }: Pick<MirrorReport, 'partitions'>): Exit => {
  const exits = new Set(partitions.flatMap(({ stopped }) => (stopped ? [stopped.exit] : [])))
  if (exits.size === 0) return EXIT.ok
  return GRAVEST.find(exit => exits.has(exit)) ?? EXIT.partial
}
