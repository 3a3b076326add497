import type { Cluster, FramePool } from '../kafka/index.ts'
import { bug, isKmigError, KmigError } from '../kit/index.ts'
import { Chain, type Foreign } from './chain.ts'
import { Comparison, type Reached } from './compare.ts'
import type { BatchSeen } from './cursor.ts'
import { sameRecord } from './cursor.ts'
import type { Difference } from './difference.ts'
import { type Extent, extentOf, type How, type Maker } from './extent.ts'
import { Feed, type Side } from './feed.ts'
import type { KnownMirror } from './known-mirror.ts'
import { latest } from './latest-partition.ts'
import type { Offsets } from './options.ts'
import type { Pace } from './pace.ts'
import type { Ends, PartitionScope } from './scope.ts'
import { type NotCompared, Tally, WINDOW } from './tally.ts'
import { Walk } from './walk.ts'

/** What all partitions of a run share. */
export type Run = {
  source: Cluster
  target: Cluster
  mirror: KnownMirror | undefined
  offsets: Offsets
  first: number
  showKeys: boolean
  keysAtOnce: number | undefined
  /** Bytes asked for at a time. */
  bytes: number
  pools: { source: FramePool; target: FramePool }
  pace: Pace
  signal: AbortSignal
}

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
  counts: Record<Difference['kind'], bigint>
  behind: bigint
  since: bigint
  open: bigint
  notCompared: NotCompared[]
  /** Batches of the target whose headers were held against the mirror's ids; none without a mirror. */
  headers: number
  foreign: Foreign[]
  /** For `latest`. */
  keys: { compared: number; superseded: number; passes: number } | undefined
  /** Offsets that an earlier run compared. */
  earlier: bigint
  failed: { code: string; message: string; try: readonly string[]; exit: number } | undefined
}

/** How far a partition is, for the state file and for who watches. */
export type Standing = { how: How; reached: Reached; tally: Tally }

export type PartitionOptions = {
  run: Run
  scope: PartitionScope
  compacted: boolean
  /** Names connections. */
  slot: number
  /** What an earlier run left. */
  earlier: { how: How; reached: Reached; tally: Tally['state'] } | undefined
  on(standing: Standing): void
  difference(difference: Difference): void
}

const makerOf = ({ mirror }: Run, topic: string): Maker =>
  mirror?.state.topic(topic) ? (mirror.cutOver ? 'cut-over' : 'mirror') : 'unknown'

type Opening = {
  from: bigint
  to: bigint
  bytes?: number
  saw?: (batch: BatchSeen) => void
  records?: bigint
}
export type OpenSide = (side: Side, opening: Opening) => Walk

const opener =
  ({ run, scope: { topic, partition }, slot }: PartitionOptions): OpenSide =>
  (side, { from, to, bytes = run.bytes, saw, records = from }) => {
    if (to > BigInt(Number.MAX_SAFE_INTEGER))
      throw new KmigError(
        'UNSUPPORTED',
        `${topic}-${partition} ends at offset ${to}: kmig compares up to 2^53`,
      )
    const { signal, pace } = run
    const purpose = `verify-${slot}`
    const feed = { topic, partition, from, to, purpose, bytes, pace, signal }
    const where = `${topic}-${partition} on the ${side}`
    return new Walk(new Feed({ ...feed, cluster: run[side], pool: run.pools[side] }), {
      where,
      from: Number(records),
      to: Number(to),
      saw,
    })
  }

const identity = (offset: number): number => offset

/** Compares what both sides hold of one partition. What goes wrong with it alone is in its report; throws on abort. */
export const verifyPartition = async (
  options: PartitionOptions,
): Promise<{ report: PartitionReport; first: Difference[] }> => {
  const { run, scope, earlier } = options
  const open = opener(options)
  const maker = makerOf(run, scope.topic)
  const anchor = run.mirror?.state.anchor(`${scope.topic}-${scope.partition}`)?.offset
  const tally = new Tally(run.first, options.difference, earlier?.tally)
  let how: How = options.compacted ? 'latest' : 'identical'
  let extent: Extent | undefined
  let chain: Chain | undefined
  let keys: PartitionReport['keys']
  let failed: PartitionReport['failed']
  try {
    if (how !== 'latest') how = earlier?.how ?? (await howOf(scope, maker, run.offsets, open))
    extent = extentOf(scope, how, maker, anchor)
    if (!earlier) for (const each of extent.differences) tally.add(each, Number(each.source ?? 0n))
    if (!earlier) for (const { side, from, to, why } of extent.notCompared) tally.skip(side, from, to, why)
    chain = run.mirror && maker !== 'unknown' ? chainOf(run.mirror, how, extent) : undefined
    if (how === 'latest') keys = await latest({ ...options, open, extent, chain, tally, maker })
    else await inStep({ ...options, open, extent, chain, tally, how })
  } catch (e) {
    run.signal.throwIfAborted()
    const error = isKmigError(e) ? e : bug(String(e), e)
    failed = { code: error.code, message: error.message, try: error.suggestions, exit: error.exit }
  }
  return { report: reportOf(options, { how, extent, tally, chain, keys, failed }), first: tally.state.first }
}

/** Without a mirror's word: equal offsets, if both end alike or the first records that both have stand at one offset. */
const howOf = async (scope: PartitionScope, maker: Maker, offsets: Offsets, open: OpenSide): Promise<How> => {
  if (offsets !== 'auto') return offsets
  const { source, target } = scope
  const from = source.start > target.start ? source.start : target.start
  if (maker !== 'unknown' || source.end === target.end || from >= source.end || from >= target.end)
    return 'identical'
  await using ours = open('source', { from, to: source.end, bytes: 64 << 10 })
  await using theirs = open('target', { from, to: target.end, bytes: 64 << 10 })
  for (const walk of [ours, theirs]) {
    while ((await walk.fill()) && walk.cursor.fresh) walk.cursor.open()
    if (!walk.cursor.ready) return 'any'
  }
  return ours.cursor.offset === theirs.cursor.offset && sameRecord(ours.cursor, theirs.cursor)
    ? 'identical'
    : 'any'
}

const chainOf = ({ producers, control }: KnownMirror, how: How, { target }: Extent): Chain =>
  new Chain({ producers, control, identical: how === 'identical', until: Number(target.to) })

type InStep = PartitionOptions & {
  open: OpenSide
  extent: Extent
  chain: Chain | undefined
  tally: Tally
  how: How
}

const inStep = async ({
  run,
  scope,
  open,
  extent,
  chain,
  tally,
  how,
  earlier,
  on,
}: InStep): Promise<void> => {
  const { source, target } = extent
  const reached: Reached = earlier
    ? { ...earlier.reached }
    : {
        source: Number(source.from),
        target: Number(target.from),
        shift: 0,
      }
  if (how === 'identical' && reached.source < Number(source.from)) {
    reached.target += Number(source.from) - reached.source // retention went past what an earlier run had reached
    reached.source = Number(source.from)
  }
  const from = { source: BigInt(reached.source), target: BigInt(reached.target) }
  // the headers of what is only on the target are looked at too
  const scanFrom = chain && !earlier ? scope.target.start : from.target
  await using ours = open('source', { from: from.source, to: source.to })
  await using theirs = open('target', {
    from: scanFrom,
    records: from.target,
    to: target.to,
    ...(chain ? { saw: batch => chain.see(batch) } : {}),
  })
  const { topic, partition } = scope
  await new Comparison({
    naming: { topic, partition, showKeys: run.showKeys },
    source: ours,
    target: theirs,
    image: how === 'identical' ? identity : undefined,
    ends: { source: source.to, target: target.to },
    reached,
    tally,
    on: () => on({ how, reached, tally }),
  }).run()
}

type Outcome = Pick<PartitionReport, 'how' | 'keys' | 'failed'> & {
  extent: Extent | undefined
  tally: Tally
  chain: Chain | undefined
}

const reportOf = (
  { scope, earlier }: PartitionOptions,
  { how, extent, tally, chain, keys, failed }: Outcome,
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
    earlier: before > 0n ? before : 0n,
    failed,
  }
}
