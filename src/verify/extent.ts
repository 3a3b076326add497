import type { Difference } from './difference.ts'
import { range } from './difference.ts'
import type { Places } from './places.ts'
import type { PartitionScope } from './scope.ts'
import type { NotCompared } from './tally.ts'

/** How a partition is compared: at equal offsets, at those of the mirror's map, in order, or by the last value of each key. */
export type How = 'identical' | 'mapped' | 'any' | 'latest'
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
 * `anchor`: up to that offset of the target the mirror has seen its records acknowledged. `bounded`: more may follow on
 * both sides, which is not looked at.
 */
export const extentOf = (
  scope: PartitionScope,
  {
    how,
    maker,
    places,
    anchor = 0n,
    bounded = false,
  }: {
    how: How
    maker: Maker
    places: Places
    anchor?: bigint | undefined
    bounded?: boolean | undefined
  },
): Extent => {
  const { source, target } = scope
  const differences: Difference[] = []
  const notCompared: NotCompared[] = []
  const copied = maker === 'mirror' ? least(source.end, places.toSource(target.end)) : source.end
  const open = maker === 'cut-over' || (bounded && how !== 'any')
  const cut = open ? least(target.end, places.toTarget(source.end)) : target.end
  const [behind, since] = [source.end - copied, target.end - cut]
  if (maker === 'mirror' && anchor > target.end) {
    const note = 'the mirror had seen these acknowledged: the target lost them'
    const lost = most(copied + 1n, least(places.toSource(anchor), source.end))
    differences.push(range(scope, 'missing', copied, lost, note))
  }
  if (how === 'any' || (how === 'latest' && maker === 'unknown')) {
    return {
      source: { from: source.start, to: copied },
      target: { from: target.start, to: cut },
      ...{ behind, since, differences, notCompared },
    }
  }
  const begun = places.toSource(target.start)
  const from = least(most(source.start, begun), most(copied, source.start))
  if (begun > source.start) {
    const to = least(begun, source.end)
    if (maker === 'mirror') {
      const note = "the target's log begins later, though the mirror keeps retention off there"
      differences.push(range(scope, 'missing', source.start, to, note))
    } else notCompared.push({ side: 'source', from: source.start, to, why: 'the target deleted it' })
  }
  const firstCopy = places.toTarget(source.start)
  if (firstCopy > target.start) {
    const to = least(firstCopy, target.end)
    notCompared.push({ side: 'target', from: target.start, to, why: 'the source deleted it' })
  }
  const there = places.toTarget(from)
  return {
    source: { from, to: most(from, copied) },
    target: { from: there, to: most(there, cut) },
    ...{
      behind,
      since,
      differences: differences.filter(({ length }) => length > 0n),
      notCompared: notCompared.filter(({ from, to }) => to > from),
    },
  }
}
