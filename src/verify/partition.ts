import type { Cluster, FramePool } from '../kafka/index.ts'
import { bug, isKmigError, KmigError } from '../kit/index.ts'
import { Chain } from './chain.ts'
import { Comparison, type Reached } from './compare.ts'
import type { BatchSeen } from './cursor.ts'
import type { Difference } from './difference.ts'
import type { Digest, KeptDigests } from './digest.ts'
import { type Digesting, digestsOf } from './digesting.ts'
import { type Extent, extentOf, type How, type Maker } from './extent.ts'
import { Feed, type Side } from './feed.ts'
import { beginTogether, howOf, nothingIn } from './how.ts'
import type { KnownMirror } from './known-mirror.ts'
import { latest } from './latest-partition.ts'
import type { Offsets } from './options.ts'
import type { Pace } from './pace.ts'
import { type PartitionReport, reportOf } from './partition-report.ts'
import { type Places, SAME_PLACES } from './places.ts'
import type { PartitionScope } from './scope.ts'
import { Tally } from './tally.ts'
import { Walk } from './walk.ts'

/** What all partitions of a run share. */
export type Run = {
  source: Cluster
  target: Cluster
  mirror: KnownMirror | undefined
  /** Up to where the mirror had seen a partition's records acknowledged before the ends were taken. */
  anchorOf(place: { topic: string; partition: number }): bigint | undefined
  offsets: Offsets
  first: number
  showKeys: boolean
  keysAtOnce: number | undefined
  digests: boolean
  /** More may follow on both sides, which is not looked at. */
  bounded: boolean
  /** Bytes asked for at a time. */
  bytes: number
  pools: { source: FramePool; target: FramePool }
  pace: Pace
  signal: AbortSignal
}

/** How far a partition is, for the state file and for who watches. */
export type Standing = { how: How; reached: Reached; tally: Tally; digesting: Digesting | undefined }

export type PartitionOptions = {
  run: Run
  scope: PartitionScope
  compacted: boolean
  /** Names connections. */
  slot: number
  /** What an earlier run left. */
  earlier: { how: How; reached: Reached; tally: Tally['state']; kept: KeptDigests | undefined } | undefined
  on(standing: Standing): void
  difference(difference: Difference): void
}

/** Who made the copy of a topic, as far as is known. */
export const makerOf = (mirror: KnownMirror | undefined, topic: string): Maker =>
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

/** Compares what both sides hold of one partition. What goes wrong with it alone is in its report; throws on abort. */
export const verifyPartition = async (
  options: PartitionOptions,
): Promise<{ report: PartitionReport; first: Difference[] }> => {
  const { run, scope, earlier } = options
  let standing: Standing | undefined
  const on = (now: Standing) => {
    standing = now
    options.on(now)
  }
  const open = opener(options)
  const maker = makerOf(run.mirror, scope.topic)
  const tally = new Tally(run.first, options.difference, earlier?.tally)
  let how: How = options.compacted ? 'latest' : 'identical'
  let extent: Extent | undefined
  let chain: Chain | undefined
  let keys: PartitionReport['keys']
  let digests: Digests | undefined
  let failed: PartitionReport['failed']
  try {
    const places = run.mirror?.places(scope.topic, scope.partition) ?? SAME_PLACES
    if (how !== 'latest') how = await howOf(scope, { maker, places, offsets: run.offsets, open })
    if (earlier && earlier.how !== how) {
      const what = `${scope.topic}-${scope.partition} is compared as ${how} now, by the state file it was as ${earlier.how}`
      throw new KmigError('STATE_DAMAGED', what, { try: ['remove the file of --state, and compare anew'] })
    }
    extent = extentOf(scope, {
      how,
      maker,
      places: how === 'identical' ? SAME_PLACES : places,
      anchor: run.anchorOf(scope),
      bounded: run.bounded,
    })
    if (how === 'any' && maker === 'unknown' && !earlier) await beginTogether(extent, scope, run, open)
    if (extent.behind > 0n && (await nothingIn(open, extent.source.to, scope.source.end))) extent.behind = 0n
    if (!earlier) for (const each of extent.differences) tally.add(each, Number(each.source ?? 0n))
    if (!earlier) for (const { side, from, to, why } of extent.notCompared) tally.skip(side, from, to, why)
    chain = run.mirror && maker !== 'unknown' ? chainOf(run.mirror, scope, places, extent) : undefined
    const more = { ...options, on, open, extent, chain, tally, places }
    if (how === 'latest') ({ keys, digests } = await latest({ ...more, maker }))
    else digests = await inStep({ ...more, how })
    if (digests && tally.differences === 0n && digests.source.sha256 !== digests.target.sha256)
      throw bug(`${scope.topic}-${scope.partition}: nothing differs, but the digests do`)
  } catch (e) {
    if (run.signal.aborted) {
      const { source } = standing?.reached ?? { source: Number(extent?.source.from ?? 0n) }
      tally.skip('source', BigInt(source), extent?.source.to ?? scope.source.end, 'the work was interrupted')
      return {
        report: reportOf(options, { how, extent, tally, chain, keys, digests, failed }),
        first: tally.state.first,
      }
    }
    const error = isKmigError(e) ? e : bug(String(e), e)
    failed = { code: error.code, message: error.message, try: error.suggestions, exit: error.exit }
  }
  return {
    report: reportOf(options, { how, extent, tally, chain, keys, digests, failed }),
    first: tally.state.first,
  }
}

/** What both sides hold, each by itself. */
export type Digests = { source: Digest; target: Digest }

const chainOf = (
  { producers, control, theirs }: KnownMirror,
  { topic, partition }: PartitionScope,
  { ordinalAt }: Places,
  { target }: Extent,
): Chain =>
  new Chain({
    ...{ producers, control, ordinalAt },
    theirs: theirs(topic, partition),
    until: Number(target.to),
  })

type InStep = PartitionOptions & {
  open: OpenSide
  extent: Extent
  chain: Chain | undefined
  tally: Tally
  how: How
  places: Places
}

/** Where a source record's copy stands. */
export const imageOf = ({ identical, toTarget }: Places): ((offset: number) => number) =>
  identical ? offset => offset : offset => Number(toTarget(BigInt(offset)))

const inStep = async ({
  run,
  scope,
  open,
  extent,
  chain,
  tally,
  how,
  places,
  earlier,
  on,
}: InStep): Promise<Digests | undefined> => {
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
  const digesting = run.digests ? digestsOf(how, extent, earlier) : undefined
  const from = {
    source: least(BigInt(reached.source), digesting?.source.next),
    target: least(BigInt(reached.target), digesting?.target.next),
  }
  // the headers of what is only on the target are looked at too
  const scanFrom = chain && !earlier ? scope.target.start : from.target
  await using ours = open('source', { from: from.source, to: source.to })
  await using theirs = open('target', {
    from: scanFrom,
    records: from.target,
    to: target.to,
    ...(chain ? { saw: batch => chain.see(batch) } : {}),
  })
  if (digesting) await digesting.begin(ours, theirs, reached)
  const { topic, partition } = scope
  await new Comparison({
    naming: { topic, partition, showKeys: run.showKeys },
    source: ours,
    target: theirs,
    image: how === 'any' ? undefined : imageOf(how === 'identical' ? SAME_PLACES : places),
    ends: { source: source.to, target: target.to },
    reached,
    tally,
    on: () => on({ how, reached, tally, digesting: ours.digest && digesting }),
  }).run()
  const [a, b] = [ours.digest, theirs.digest]
  return a && b && { source: a.end(source.to), target: b.end(target.to) }
}

const least = (a: bigint, b: bigint | undefined): bigint => (b !== undefined && b < a ? b : a)
