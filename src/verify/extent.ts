import type { Difference } from './difference.ts'
import { range } from './difference.ts'
import type { PartitionScope } from './scope.ts'
import type { NotCompared } from './tally.ts'

/** How a partition is compared: at equal offsets, in order, or by the last value of each key. */
export type How = 'identical' | 'any' | 'latest'
/** What is known of who made the copy: nobody known, a mirror that may be running, a mirror that was cut over. */
export type Maker = 'unknown' | 'mirror' | 'cut-over'

export type Extent = {
  /** Offsets to read, the end outside. */
  source: { from: bigint; to: bigint }
  target: { from: bigint; to: bigint }
  /** Offsets that the mirror has not copied yet. */
  behind: bigint
  /** Offsets that clients wrote to the target since the cutover. */
  since: bigint
  /** What the ends alone tell. */
  differences: Difference[]
  notCompared: NotCompared[]
}

const least = (a: bigint, b: bigint): bigint => (a < b ? a : b)
const most = (a: bigint, b: bigint): bigint => (a > b ? a : b)

/**
 * Which part of a partition can be compared, and what of the rest is a difference, lag, or the work of retention.
 * `anchor`: up to there the mirror has seen its records acknowledged by the target.
 */
export const extentOf = (scope: PartitionScope, how: How, maker: Maker, anchor = 0n): Extent => {
  const { source, target } = scope
  const made = maker !== 'unknown'
  const behind = maker === 'mirror' && source.end > target.end ? source.end - target.end : 0n
  const since = maker === 'cut-over' && target.end > source.end ? target.end - source.end : 0n
  const differences: Difference[] = []
  const notCompared: NotCompared[] = []
  if (maker === 'mirror' && anchor > target.end) {
    const note = `the mirror had seen these acknowledged: the target lost them`
    differences.push(range(scope, 'missing', target.end, least(anchor, source.end), note))
  }
  const ends = {
    source: behind > 0n ? target.end : source.end,
    target: since > 0n ? source.end : target.end,
  }
  if (how === 'any' || (how === 'latest' && !made)) {
    return {
      source: { from: source.start, to: ends.source },
      target: { from: target.start, to: ends.target },
      ...{ behind, since, differences, notCompared },
    }
  }
  const from = least(most(source.start, target.start), most(ends.source, source.start))
  if (target.start > source.start) {
    const to = least(target.start, source.end)
    if (maker === 'mirror') {
      const note = "the target's log begins later, though the mirror keeps retention off there"
      differences.push(range(scope, 'missing', source.start, to, note))
    } else notCompared.push({ side: 'source', from: source.start, to, why: 'the target deleted it' })
  }
  if (source.start > target.start) {
    const to = least(source.start, target.end)
    notCompared.push({ side: 'target', from: target.start, to, why: 'the source deleted it' })
  }
  return {
    source: { from, to: most(from, ends.source) },
    target: { from, to: most(from, ends.target) },
    ...{ behind, since, differences, notCompared: notCompared.filter(({ from, to }) => to > from) },
  }
}
