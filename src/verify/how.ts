import { partitionKey } from '../kafka/index.ts'
import { sameRecord } from './cursor.ts'
import type { Extent, How, Maker } from './extent.ts'
import type { Offsets } from './options.ts'
import type { OpenSide, Run } from './partition.ts'
import type { Places } from './places.ts'
import type { Print } from './print.ts'
import type { PartitionScope } from './scope.ts'
import type { Walk } from './walk.ts'

type Judging = { maker: Maker; places: Places; offsets: Offsets; open: OpenSide }

/** Without a mirror's word: equal offsets, if both end alike or the first records that both have stand at one offset. */
export const howOf = async (
  scope: PartitionScope,
  { maker, places, offsets, open }: Judging,
): Promise<How> => {
  if (offsets !== 'auto') return offsets
  if (maker !== 'unknown') return places.identical ? 'identical' : 'mapped'
  const { source, target } = scope
  const from = source.start > target.start ? source.start : target.start
  if (source.end === target.end || from >= source.end || from >= target.end) return 'identical'
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

/** Whether the source has no record there: only what transactions and compaction leave. */
export const nothingIn = async (open: OpenSide, from: bigint, to: bigint): Promise<boolean> => {
  await using walk = open('source', { from, to, bytes: 256 << 10 })
  return !(await walk.fill())
}

/** Records of the other side among which the first one of a side is looked for, from its time on. */
const SEARCHED = 2_048

/**
 * Two logs that are compared in order and of which retention has cut one: moves the beginning of the longer one to the
 * first record of the other, which is found by its time. Where it is not found both begin at their own beginning.
 */
export const beginTogether = async (
  extent: Extent,
  { topic, partition }: PartitionScope,
  run: Pick<Run, 'source' | 'target' | 'signal'>,
  open: OpenSide,
): Promise<void> => {
  if (extent.source.from === 0n && extent.target.from === 0n) return
  for (const [shorter, longer] of [['source', 'target'] as const, ['target', 'source'] as const]) {
    const first = (await takeFrom(open(shorter, extent[shorter]), 1))[0]
    if (!first) return
    const ask = [{ topic, partition, timestamp: first.time }]
    const found = await run[longer].listOffsets(ask, { signal: run.signal })
    const at = found.get(partitionKey(topic, partition))?.offset ?? -1n
    if (at < 0n || first.time < 0n) continue
    const prints = await takeFrom(open(longer, { ...extent[longer], from: at }), SEARCHED)
    const same = prints.find(({ content }) => content === first.content)
    if (!same) continue
    const { from } = extent[longer]
    extent[longer].from = BigInt(same.offset)
    if (extent[longer].from > from)
      extent.notCompared.push({
        side: longer,
        from,
        to: extent[longer].from,
        why: `the ${shorter} deleted it`,
      })
    return
  }
}

const takeFrom = async (opened: Walk, count: number): Promise<Print[]> => {
  await using walk = opened
  const prints: Print[] = []
  await walk.take(prints, count)
  return prints
}
