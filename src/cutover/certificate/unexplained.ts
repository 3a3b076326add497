import type { Certificate, CertifiedPartition } from './shape.ts'

type Facts = Omit<Certificate, 'unexplained' | 'verdict'>

/**
 * Whatever a certificate can't account for, in words: exit 0 is only for none. What retention deleted and what the operator
 * left out is accounted for, by being named; `checked: false` says that contents were left out on purpose.
 */
export const unexplainedIn = (facts: Facts, { checked }: { checked: boolean }): string[] => [
  ...facts.differences,
  ...facts.partitions.flatMap(each => [...contentOf(each, checked), ...endsOf(each, facts)]),
  ...facts.groups.flatMap(({ id, refusedWhy }) =>
    refusedWhy ? [`group ${id} was not moved: ${refusedWhy}`] : [],
  ),
  ...facts.stranded
    .filter(({ carried }) => !carried)
    .map(
      ({ topic, partition, from, to }) =>
        `stranded ${topic}-${partition}: offsets ${from} to ${BigInt(to) - 1n} were written to the old cluster after the cut`,
    ),
  ...facts.hooks.flatMap(({ name, rc }) => (rc === 0 ? [] : [`hook ${name} ended with ${rc}`])),
  ...(facts.rollbackClass === 'REVERSE' && !facts.reverse
    ? ['the way back is said to be the reverse copy, but none is armed']
    : []),
  ...(facts.fence.ends.asked || facts.fence.sweeps > 1 ? [] : ['the fence was not proved by log ends']),
]

const contentOf = (each: CertifiedPartition, checked: boolean): string[] => {
  const where = `${each.topic}-${each.partition}`
  if (each.digestOld !== each.digestNew) return [`${where}: the digests of both sides differ`]
  if (!checked || BigInt(each.cut) === 0n) return []
  const begun = BigInt(each.startOld ?? 0n)
  if (BigInt(each.cut) <= begun) return []
  if (!each.compared || !each.digestOld) return [`${where}: no contents were compared`]
  const { from, to } = each.compared
  return [
    ...(BigInt(to) < BigInt(each.cut) ? [`${where}: offsets ${to} to ${each.cut} were not compared`] : []),
    ...gaps(each, BigInt(from), begun).map(text => `${where}: ${text}`),
  ]
}

/** Offsets that the old cluster still has before those that were compared, and that nothing speaks of. */
const gaps = ({ notComparable }: CertifiedPartition, from: bigint, begun: bigint): string[] => {
  if (begun >= from) return []
  const named = notComparable.some(
    range => range.side === 'old' && BigInt(range.from) <= begun && BigInt(range.to) >= from,
  )
  return named ? [] : [`offsets ${begun} to ${from} were not compared`]
}

const endsOf = (
  { topic, partition, cut, mode, endOld, endNew }: CertifiedPartition,
  { stranded, reverse, state }: Facts,
): string[] => {
  const where = `${topic}-${partition}`
  const told = stranded.some(each => each.topic === topic && each.partition === partition)
  const grows = reverse !== undefined && state !== 'switched'
  return [
    ...(endOld !== undefined && BigInt(endOld) > BigInt(cut) && !told && !grows
      ? [`${where}: the old cluster ends at ${endOld}, the cut was ${cut}`]
      : []),
    ...(endOld !== undefined && BigInt(endOld) < BigInt(cut)
      ? [`${where}: the old cluster ends at ${endOld}, before the cut ${cut}: it lost records`]
      : []),
    ...(mode === 'identical' && endNew !== undefined && BigInt(endNew) < BigInt(cut)
      ? [`${where}: the new cluster ends at ${endNew}, before the cut ${cut}: it lost records`]
      : []),
  ]
}
