import type { Chain, Foreign } from './chain.ts'
import type { DifferenceKind } from './difference.ts'
import type { Digest } from './digest.ts'
import type { Extent, How } from './extent.ts'
import type { Digests, PartitionOptions } from './partition.ts'
import type { Ends } from './scope.ts'
import { type NotCompared, type Tally, WINDOW } from './tally.ts'

export type PartitionReport = {
  topic: string
  partition: number
  how: How | 'unread'
  source: Ends
  target: Ends
  records: number
  /** Batches that were equal as they are, and batches that had to be unpacked. */
  untouched: number
  unpacked: number
  windows: number
  differingWindows: number
  counts: Record<DifferenceKind, bigint>
  behind: bigint
  since: bigint
  open: bigint
  notCompared: NotCompared[]
  /** Batches of the target whose headers were held against the mirror's ids; none without a mirror. */
  headers: number
  foreign: Foreign[]
  /** For `latest`. */
  keys: { compared: number; superseded: number; passes: number } | undefined
  /** Where they were asked for: of what was compared, each side by itself. */
  digestOld: Digest | undefined
  digestNew: Digest | undefined
  /** Offsets that an earlier run compared. */
  earlier: bigint
  failed: { code: string; message: string; try: readonly string[]; exit: number } | undefined
}

type Outcome = Pick<PartitionReport, 'how' | 'keys' | 'failed'> & {
  extent: Extent | undefined
  tally: Tally
  chain: Chain | undefined
  digests: Digests | undefined
}

/** What became of one partition. */
export const reportOf = (
  { scope, earlier }: PartitionOptions,
  { how, extent, tally, chain, keys, digests, failed }: Outcome,
): PartitionReport => {
  const { records, untouched, unpacked, differingWindows, counts, notCompared } = tally.state
  const { from, to } = extent?.source ?? { from: 0n, to: 0n }
  const windows = to > from ? Number((to - 1n) / BigInt(WINDOW) - from / BigInt(WINDOW)) + 1 : 0
  const { topic, partition, source, target, open } = scope
  const before = earlier ? BigInt(earlier.reached.source) - from : 0n
  return {
    ...{
      topic,
      partition,
      how,
      source,
      target,
      records,
      untouched,
      unpacked,
      windows,
      differingWindows,
      counts,
    },
    behind: extent?.behind ?? 0n,
    since: extent?.since ?? 0n,
    open,
    notCompared,
    headers: chain?.batches ?? 0,
    foreign: chain?.foreign ?? [],
    keys,
    digestOld: digests?.source,
    digestNew: digests?.target,
    earlier: before > 0n ? before : 0n,
    failed,
  }
}
