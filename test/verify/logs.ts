import { createHash } from 'node:crypto'
import { type Codec, encodeBatch, type NewRecord } from '../../src/kafka/index.ts'
import { Comparison } from '../../src/verify/compare.ts'
import { type Digest, SideDigest } from '../../src/verify/digest.ts'
import type { Fed } from '../../src/verify/feed.ts'
import { Tally } from '../../src/verify/tally.ts'
import { Walk } from '../../src/verify/walk.ts'

export type Placed = NewRecord & { offset: number }

/** A log's batches as a fetch brings them: `cuts` says after how many records a batch ends. Offsets within a batch are dense. */
export const batchesOf = (
  records: readonly Placed[],
  cuts: readonly number[],
  codec: Codec = 0,
): Buffer[] => {
  const batches: Buffer[] = []
  for (let from = 0, turn = 0; from < records.length; turn++) {
    let to = from + 1
    const most = cuts.length > 0 ? (cuts[turn % cuts.length] ?? 1) : records.length
    while (
      to < records.length &&
      to - from < most &&
      records[to]?.offset === (records[to - 1]?.offset ?? 0) + 1
    )
      to++
    batches.push(
      encodeBatch(records.slice(from, to), { codec, baseOffset: BigInt(records[from]?.offset ?? 0) }),
    )
    from = to
  }
  return batches
}

/** Sets of two batches each. */
export const walkOf = (
  batches: readonly Buffer[],
  { from = 0, to = 1_000_000, where = 'log' } = {},
): Walk => {
  const sets = Array.from({ length: Math.ceil(batches.length / 2) }, (_, i) =>
    Buffer.concat(batches.slice(2 * i, 2 * i + 2)),
  )
  const next = async (): Promise<Fed> => {
    const bytes = sets.shift()
    return bytes ? { kind: 'set', set: { bytes, aborted: [], done() {} } } : { kind: 'end' }
  }
  return new Walk({ next, async [Symbol.asyncDispose]() {} }, { where, from, to })
}

export const compared = async (
  source: readonly Buffer[],
  target: readonly Buffer[],
  { ordered = false, keep = 50 } = {},
): Promise<Tally['state'] & { digests: { source: Digest; target: Digest } | undefined }> => {
  const tally = new Tally(keep)
  const endOf = (batches: readonly Buffer[]) => {
    const last = batches.at(-1)
    return last ? last.readBigInt64BE(0) + BigInt(last.readInt32BE(23)) + 1n : 0n
  }
  const [ours, theirs] = [walkOf(source), walkOf(target)]
  const by = ordered ? 'ordinal' : 'offset'
  ours.digest = new SideDigest(by, { from: 0n, windows: [] })
  theirs.digest = new SideDigest(by, { from: 0n, windows: [] })
  const ends = { source: endOf(source), target: endOf(target) }
  await new Comparison({
    naming: { topic: 't', partition: 0, showKeys: true },
    source: ours,
    target: theirs,
    image: ordered ? undefined : offset => offset,
    ends,
    reached: { source: 0, target: 0, shift: 0 },
    tally,
    on() {},
  }).run()
  const [a, b] = [ours.digest, theirs.digest]
  const digests = a && b && { source: a.end(ends.source), target: b.end(ends.target) }
  return { ...tally.state, digests }
}

const varintOf = (n: number): Buffer => {
  const bytes: number[] = []
  for (let left = n < 0 ? -n * 2 - 1 : n * 2; ; left = Math.floor(left / 128)) {
    bytes.push(left < 128 ? left : (left % 128) + 128)
    if (left < 128) return Buffer.from(bytes)
  }
}
const field = (bytes: Buffer | null | undefined): Buffer[] =>
  bytes == null ? [varintOf(-1)] : [varintOf(bytes.length), bytes]
const int64 = (n: bigint): Buffer => {
  const bytes = Buffer.alloc(8)
  bytes.writeBigInt64BE(n)
  return bytes
}

/** A record as docs/verify.md says that digests are made of: written from that page, not from the code. */
export const canonical = (
  { timestamp = 0n, key = null, value = null, headers = [] }: NewRecord,
  place: number | undefined,
): Buffer =>
  Buffer.concat([
    ...(place === undefined ? [] : [int64(BigInt(place))]),
    int64(timestamp),
    ...field(key),
    ...field(value),
    varintOf(headers.length),
    ...headers.flatMap(header => [...field(header.key), ...field(header.value)]),
  ])

const sha256 = (bytes: Buffer): Buffer => createHash('sha256').update(bytes).digest()

/** The digest of a side by that page. */
export const digestOf = (records: readonly Placed[], by: 'offset' | 'ordinal' | 'key'): string => {
  if (by === 'key') {
    const last = new Map(records.map(each => [String(each.key), each]))
    const sum = [...last.values()]
      .filter(({ value }) => value != null)
      .reduce((sum, each) => sum + BigInt(`0x${sha256(canonical(each, undefined)).toString('hex')}`), 0n)
    return (sum % 2n ** 256n).toString(16).padStart(64, '0')
  }
  const numbered = records.map((record, i) => ({
    record,
    place: by === 'offset' ? record.offset : i % 65_536,
    i,
  }))
  const windows = Map.groupBy(numbered, ({ place, i }) => Math.floor((by === 'offset' ? place : i) / 65_536))
  const digests = [...windows.values()].map(window =>
    sha256(Buffer.concat(window.map(({ record, place }) => canonical(record, place)))),
  )
  return sha256(Buffer.concat(digests)).toString('hex')
}
