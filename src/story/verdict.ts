import {
  checkPartition,
  checkReads,
  faults,
  type PartitionFindings,
  placeKey,
  type ReadFindings,
  type ReadLog,
  readBack,
  type Totals,
  totals,
  unequal,
} from '../load/index.ts'
import type { Crowd } from './crowd.ts'
import type { World } from './world.ts'

/** What both clusters' logs say at the end, against what the clients know. */
export type LogVerdict = {
  /** Of the new cluster's logs, against the writers' journals. */
  totals: Totals
  /** Records of the old cluster. */
  oldRecords: number
  /** Whether each of them is on the new one at its own offset, with equal key, value, headers and timestamp. */
  offsetsIdentical: boolean
  /** Offsets that the readers skipped or read twice, old and new cluster taken together. */
  skipped: number
  reread: number
  /** Every fault in words. */
  faults: string[]
}

export type JudgeOptions = {
  topics: readonly string[]
  /** Where the records begin that the crowd wrote; below stand others', by `topic-partition`. Default: at the start. */
  from?: ReadonlyMap<string, bigint> | undefined
  /** Group that reads; default one of its own name. */
  group?: string | undefined
  signal: AbortSignal
}

/** Reads both clusters' logs back by an ordinary client, and judges. */
export const judge = async (
  world: Pick<World, 'old' | 'next'>,
  crowd: Crowd,
  { topics, from, group, signal }: JudgeOptions,
): Promise<LogVerdict> => {
  const [old, next] = await Promise.all(
    [world.old, world.next].map(({ bootstrap, security }) =>
      readBack({ bootstrap, security, topics, group, signal }),
    ),
  )
  const found = (next ?? []).map(log => {
    const first = from?.get(placeKey(log)) ?? 0n
    const records = log.records.filter(({ offset }) => offset >= first)
    return checkPartition({ ...log, records, run: crowd.run, accounts: crowd.accounts(log) })
  })
  const differing = compare(old ?? [], next ?? [])
  const reads = crowd.readers.flatMap(({ group, entries }) => checkReads(group, entries))
  const followed = new Set(crowd.readers.flatMap(reader => reader.topics))
  const unread = unreadOf(
    (next ?? []).filter(({ topic }) => followed.has(topic)),
    reads,
  )
  return {
    totals: totals(found),
    oldRecords: (old ?? []).reduce((sum, { records }) => sum + records.length, 0),
    offsetsIdentical: differing.length === 0,
    skipped: reads.reduce((sum, { skipped }) => sum + skipped.length, 0) + unread.length,
    reread: reads.reduce((sum, { reread }) => sum + reread.length, 0),
    faults: [...inWords(found, reads), ...differing, ...unread],
  }
}

/** What of the old logs the new ones do not have, in words. */
const compare = (old: readonly ReadLog[], next: readonly ReadLog[]): string[] => {
  const others = new Map(next.map(log => [placeKey(log), log]))
  return old.flatMap(log => {
    const where = placeKey(log)
    const other = others.get(where)
    if (!other) return [`${where} is not on the new cluster`]
    const lines = log.start === other.start ? [] : [`${where} starts at ${other.start}, not at ${log.start}`]
    const differing = unequal(log, other)
    if (differing.length === 0) return lines
    const some = differing.slice(0, 5).join(', ')
    return [...lines, `${differing.length} records of ${where} differ, at offsets ${some}`]
  })
}

/** Partitions that a reader did not read to the end. */
const unreadOf = (logs: readonly ReadLog[], reads: readonly ReadFindings[]): string[] =>
  logs.flatMap(log => {
    const read = reads.find(each => placeKey(each) === placeKey(log))
    const [from, to] = [read?.first ?? log.end, read?.next ?? log.start]
    if (log.start === log.end || (from <= log.start && to >= log.end)) return []
    return [`${placeKey(log)} was read from ${from} to ${to}, it holds ${log.start} to ${log.end}`]
  })

const inWords = (found: readonly PartitionFindings[], reads: readonly ReadFindings[]): string[] => [
  ...faults(found),
  ...reads.flatMap(({ group, skipped, reread, ...place }) => [
    ...skipped.map(range => `${group} skipped ${range} of ${placeKey(place)}`),
    ...reread.map(range => `${group} read ${range} of ${placeKey(place)} twice`),
  ]),
]
