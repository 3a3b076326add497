import type { ProducerState } from '../../kafka/index.ts'

type Producers = ReadonlyMap<string, readonly ProducerState[]>
export type Moved = { where: string; producerId: bigint; from: number | undefined; to: number }

/**
 * Producers whose sequence moved, or that are new. The end of a transaction may raise the epoch, and then no sequence is
 * known: that is no write. One that the leader has forgotten is none either. Source: KIP-890, ProducerStateEntry.
 */
export const movedSequences = (before: Producers, now: Producers): Moved[] =>
  [...now].flatMap(([where, states]) => {
    const known = new Map((before.get(where) ?? []).map(each => [each.producerId, each]))
    return states.flatMap(({ producerId, epoch, lastSequence }) => {
      const old = known.get(producerId)
      const same = old?.epoch === epoch && old.lastSequence === lastSequence
      return same || lastSequence < 0
        ? []
        : [{ where, producerId, from: old?.lastSequence, to: lastSequence }]
    })
  })

export const movedText = (moved: readonly Moved[]): string =>
  moved
    .slice(0, 5)
    .map(({ where, producerId, from, to }) =>
      from === undefined
        ? `${where}: producer ${producerId} appeared with sequence ${to}`
        : `${where}: producer ${producerId}, sequence ${from} -> ${to}`,
    )
    .join('; ')

/** Distinct producer ids, and when the last of them wrote. */
export const knownProducers = (producers: Producers): { known: number; lastMs: number | undefined } => {
  const all = [...producers.values()].flat()
  const lastMs = all.reduce((last, each) => Math.max(last, each.lastMs), -1)
  return {
    known: new Set(all.map(({ producerId }) => producerId)).size,
    lastMs: lastMs < 0 ? undefined : lastMs,
  }
}
