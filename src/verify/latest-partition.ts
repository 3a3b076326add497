import { LATEST, partitionKey } from '../kafka/index.ts'
import type { Chain } from './chain.ts'
import { explain, moved } from './difference.ts'
import { SetDigest } from './digest.ts'
import type { Extent, Maker } from './extent.ts'
import { SIDES, type Side } from './feed.ts'
import { compareLatest, type LatestDifference } from './latest.ts'
import { type Digests, imageOf, type OpenSide, type PartitionOptions } from './partition.ts'
import type { PartitionReport } from './partition-report.ts'
import type { Places } from './places.ts'
import type { Print } from './print.ts'
import type { Tally } from './tally.ts'

export type LatestPartition = PartitionOptions & {
  open: OpenSide
  extent: Extent
  chain: Chain | undefined
  tally: Tally
  maker: Maker
  places: Places
}

/** The last value of each key, on both sides; those that differ are read again to say in what. */
export const latest = async (
  options: LatestPartition,
): Promise<{ keys: PartitionReport['keys']; digests: Digests | undefined }> => {
  const { run, scope, open, extent, chain, tally, maker, places, on } = options
  const { topic, partition } = scope
  const reached = { source: Number(extent.source.from), target: Number(extent.target.from), shift: 0 }
  const image = maker === 'unknown' ? undefined : imageOf(places)
  const digests = run.digests ? { source: new SetDigest(), target: new SetDigest() } : undefined
  const standing = { how: 'latest' as const, reached, tally, digesting: undefined }
  let scanned = false
  const openNow = async (side: Side) => {
    const ask = [{ topic, partition, timestamp: LATEST }]
    const ends = await run[side].listOffsets(ask, { signal: run.signal, isolation: 'read_committed' })
    const to = ends.get(partitionKey(topic, partition))?.offset ?? extent[side].to
    const saw = side === 'target' && !scanned && chain
    scanned ||= side === 'target'
    return open(side, { from: scope[side].start, to, ...(saw ? { saw: batch => saw.see(batch) } : {}) })
  }
  const found = compareLatest({
    open: openNow,
    ends: { source: Number(extent.source.to), target: Number(extent.target.to) },
    image,
    ...(run.keysAtOnce === undefined ? {} : { keysAtOnce: run.keysAtOnce }),
    digests,
    on: () => on(standing),
  })
  for (;;) {
    const next = await found.next()
    if (next.done) {
      tally.state.records += next.value.records
      reached.source = Number(extent.source.to)
      reached.target = Number(extent.target.to)
      on(standing)
      const { keys: compared, superseded, passes } = next.value
      const { source, target } = extent
      return {
        keys: { compared, superseded, passes },
        digests: digests && {
          source: digests.source.end(source.from, source.to),
          target: digests.target.end(target.from, target.to),
        },
      }
    }
    await tell(next.value, options)
  }
}

const tell = async (where: LatestDifference, { scope, run, open, tally }: LatestPartition): Promise<void> => {
  const { source, target } = where
  const { topic, partition } = scope
  const naming = { topic, partition, showKeys: run.showKeys }
  const near = source ?? target ?? 0
  if (tally.state.first.length >= run.first) {
    tally.count(source === undefined ? 'extra' : target === undefined ? 'missing' : 'changed', near)
    return
  }
  const prints = { source: [] as Print[], target: [] as Print[] }
  for (const side of SIDES) {
    const at = where[side]
    if (at === undefined) continue
    await using walk = open(side, { from: BigInt(at), to: BigInt(at) + 1n, bytes: 64 << 10 })
    await walk.take(prints[side], 1)
  }
  const [a, b] = [prints.source[0], prints.target[0]]
  // both hold the last record of one key: it is compared in place wherever it stands
  if (a && b && a.content === b.content) {
    if (a.offset !== b.offset) tally.add(moved(naming, a, b, b.offset - a.offset), near)
    return
  }
  for (const each of explain(prints.source, prints.target, undefined, naming)) tally.add(each, near)
}
