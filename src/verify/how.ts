import { sameRecord } from './cursor.ts'
import type { How, Maker } from './extent.ts'
import type { Offsets } from './options.ts'
import type { OpenSide } from './partition.ts'
import type { Places } from './places.ts'
import type { PartitionScope } from './scope.ts'

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
