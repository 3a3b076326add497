import { type Cluster, type KafkaRecord, type Piece, partitionOf, recode, recordsOf } from '../kafka/index.ts'
import type { During, Offset } from '../kit/index.ts'
import type { Gap } from '../offsets/index.ts'
import type { Chain } from './chain.ts'
import { epochsIn, type SourceEpochs } from './epochs.ts'
import { fetchAt } from './fetch-at.ts'
import { gapsIn, type Item } from './pending.ts'

const RECODE = { passFrom: { plain: 0, packed: 0 }, mergeTo: 0, holes: 'split' as const }
const STAMP = { producerId: -1n, producerEpoch: -1, baseSequence: -1 }
const PURPOSE = 'compare'

export type Compared = During & { source: Cluster; target: Cluster; where: string; compacts: boolean }
type Range = During & { where: string; from: Offset; to: Offset; epochs?: SourceEpochs }

/** What the source has committed in [from, to), as pieces and holes in order; ends early where it holds no more. */
async function* itemsOf(
  cluster: Cluster,
  { where, from, to, epochs, signal }: Range,
): AsyncGenerator<Item, void> {
  for (let at = from; at < to; ) {
    const how = { committed: true, purpose: PURPOSE, what: 'reading', signal }
    const part = await fetchAt(cluster, { ...partitionOf(where), at, ...how })
    const aborted = part.abortedTransactions ?? []
    const set = part.records ?? Buffer.alloc(0)
    epochs?.saw(epochsIn(set, at))
    const { items, next, stop } = recode(set, {
      ...RECODE,
      where,
      from: at,
      ordinal: 0n,
      stamp: () => STAMP,
      aborted,
    })
    yield* items
    if (stop) throw stop
    if (next === at) return
    at = next
  }
}

type Seen = { offset: bigint; record: KafkaRecord }
const recordsIn = (piece: Piece): Seen[] =>
  [...recordsOf(piece.bytes)].map((record, i) => ({ offset: piece.base + BigInt(i), record }))

const textOf = ({ timestamp, key, value, headers }: KafkaRecord): string =>
  JSON.stringify([`${timestamp}`, key?.toString('base64'), value?.toString('base64'), headers])

/** Records of the last batches of data, by offset. */
const tailOf = async (
  { tail }: Chain,
  cluster: Cluster,
  { where, signal }: Compared,
): Promise<Map<bigint, string>> => {
  const found = new Map<bigint, string>()
  for (const { from, to } of tail)
    for await (const item of itemsOf(cluster, { where, from, to, signal }))
      if (item.kind === 'piece')
        for (const { offset, record } of recordsIn(item)) if (offset < to) found.set(offset, textOf(record))
  return found
}

/**
 * Why a copy whose state is gone can't be taken for one of this source at identical offsets; undefined if it is one. Its
 * last records must be the source's at the same offsets, and where it holds control records the source must hold none.
 * `epochs` learns of which leader epochs the source's are.
 */
export const unlikeSource = async (
  chain: Chain,
  { starts, epochs, ...o }: Compared & { starts: Offset; epochs: SourceEpochs },
): Promise<string | undefined> => {
  const { source, target, where, compacts, signal } = o
  if (chain.tail.length === 0 || chain.end <= chain.padded) return undefined
  const ours = await tailOf(chain, target, o)
  const theirs = new Map<bigint, string>()
  const [first] = chain.tail
  const from = first && first.from > starts ? first.from : starts
  if (from < chain.end)
    for await (const item of itemsOf(source, { where, from, to: chain.end, epochs, signal }))
      if (item.kind === 'piece')
        for (const { offset, record } of recordsIn(item)) theirs.set(offset, textOf(record))
  const common = [...ours.keys()].filter(offset => theirs.has(offset))
  const other = common.find(offset => ours.get(offset) !== theirs.get(offset))
  if (other !== undefined) return `its record at offset ${other} is not the one that the source has there`
  if (common.length === 0)
    return 'the source no longer has any of its last records, so they can’t be compared'
  const alike = new Set(ours.values()).size === 1
  return chain.holes.length > 0 || alike ? await unlikeHoles(chain, starts, { ...o, compacts }) : undefined
}

/** The first offset of `parts` that `cover` leaves out; both in order. */
export const uncovered = (parts: readonly Gap[], cover: readonly Gap[]): bigint | undefined => {
  let index = 0
  for (const { from, to } of parts) {
    for (let at: bigint = from; at < to; ) {
      while (index < cover.length && (cover[index]?.to ?? 0n) <= at) index++
      const next = cover[index]
      if (!next || next.from > at) return at
      at = next.to
    }
  }
  return undefined
}

/** The same, by the source's holes: read from its start, or from the copy's. */
const unlikeHoles = async (
  { holes, end, first, padded }: Chain,
  starts: Offset,
  { source, where, compacts, signal }: Compared,
): Promise<string | undefined> => {
  const begins = padded > first ? padded : first
  const from = starts > begins ? starts : begins
  const gaps: Gap[] = []
  for await (const item of itemsOf(source, { where, from, to: end, signal }))
    for (const gap of gapsIn(item))
      if (gap.from < end) gaps.push({ from: gap.from, to: gap.to < end ? gap.to : end })
  const seen = holes.flatMap(hole =>
    hole.to <= from ? [] : [{ ...hole, from: hole.from > from ? hole.from : from }],
  )
  const odd = uncovered(seen, gaps)
  if (odd !== undefined) return `a control record stands at offset ${odd}, where the source has a record`
  const extra = compacts ? undefined : uncovered(gaps, seen)
  return extra === undefined ? undefined : `it has a record at offset ${extra}, where the source has none`
}
