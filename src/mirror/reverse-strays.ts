import { type Cluster, partitionOf } from '../kafka/index.ts'
import { type During, Offset } from '../kit/index.ts'
import { logEndsOf } from './log-ends.ts'
import { headersIn } from './read-back.ts'
import type { ProducerIds } from './state.ts'

export type StraysOptions = During & {
  /** The old cluster. */
  target: Cluster
  where: string
  ids: ProducerIds
  /** Where the way back begins there. */
  from: Offset
}

/** Offsets of the old cluster from the cut on that others than kmig have written. */
export const findStrays = async (o: StraysOptions): Promise<{ from: Offset; to: Offset }[]> => {
  const { target, where, ids, from, signal } = o
  const to = (await logEndsOf(target, [where], { signal })).get(where)?.leo ?? from
  const found: { from: Offset; to: Offset }[] = []
  for await (const header of headersIn({ target, ...partitionOf(where), from, to, signal })) {
    const { producerId, baseOffset, lastOffset } = header
    if (ids.data.has(producerId) || ids.control.has(producerId)) continue
    const [first, end] = [baseOffset < from ? from : baseOffset, Offset(lastOffset + 1n)]
    const last = found.at(-1)
    if (last?.to === first) last.to = end
    else found.push({ from: first, to: end })
  }
  return found
}

/** Ranges, in order, without what lies in others. */
export const without = <R extends { from: Offset; to: Offset }>(
  ranges: readonly R[],
  others: readonly { from: Offset; to: Offset }[],
): { from: Offset; to: Offset }[] =>
  others.reduce<{ from: Offset; to: Offset }[]>(
    (left, other) =>
      left.flatMap(range => {
        if (other.to <= range.from || other.from >= range.to) return [range]
        const before = { from: range.from, to: other.from }
        const after = { from: other.to, to: range.to }
        return [before, after].filter(({ from, to }) => from < to)
      }),
    ranges.map(({ from, to }) => ({ from, to })),
  )

/** 'offsets 12 to 14 and 20 to 20' */
export const strayText = (ranges: readonly { from: bigint; to: bigint }[]): string =>
  `offsets ${ranges.map(({ from, to }) => `${from} to ${to - 1n}`).join(' and ')}`
