import { partitionKey } from '../../kafka/index.ts'
import { plural } from '../../kit/index.ts'
import type { CertifiedPartition } from './shape.ts'

/** Log starts as they are now, by `topic-partition`. */
export type Starts = {
  old: ReadonlyMap<string, { offset: bigint }>
  next: ReadonlyMap<string, { offset: bigint }>
}

/** Windows that were digested in one go: read again from their beginning, they come out the same. */
export type Piece = {
  of: CertifiedPartition
  number: number
  from: bigint
  to: bigint
  windows: CertifiedPartition['windows']
}

const WINDOW = 65_536

/**
 * What can be digested again: the windows of which both sides still have all, in pieces that end where a digest ended
 * (before the fence, and at the cut). `gone`: what retention has taken since.
 */
export const piecesOf = (
  of: CertifiedPartition,
  starts: Starts,
): { pieces: Piece[]; gone: string | undefined } => {
  const where = partitionKey(of.topic, of.partition)
  const startOf = (side: Starts['old']) => side.get(where)?.offset ?? 0n
  const [old, next] = [startOf(starts.old), startOf(starts.next)]
  if (of.by === 'key') {
    const windows = of.windows.slice(0, 0)
    return { pieces: [{ of, number: 0, from: 0n, to: BigInt(of.cut), windows }], gone: undefined }
  }
  const kept = of.windows.filter(({ fromOld, fromNew }) => BigInt(fromOld) >= old && BigInt(fromNew) >= next)
  const pieces: Piece[] = []
  for (const window of kept) {
    const open = pieces.at(-1)
    const last = open?.windows.at(-1)
    if (open && last && follows(of, last, window)) open.windows.push(window)
    else pieces.push({ of, number: pieces.length, from: BigInt(window.fromOld), to: 0n, windows: [window] })
  }
  for (const piece of pieces) piece.to = BigInt(piece.windows.at(-1)?.toOld ?? piece.from)
  const lost = of.windows.length - kept.length
  const end = kept[0]?.fromOld ?? of.cut
  return {
    pieces,
    gone:
      lost > 0 ? `offsets before ${end}: retention has taken part of ${plural(lost, 'window')}` : undefined,
  }
}

type Window = CertifiedPartition['windows'][number]
const follows = ({ by }: CertifiedPartition, last: Window, window: Window): boolean =>
  by === 'offset' ? quotient(last.fromOld) !== quotient(window.fromOld) : last.records === WINDOW
const quotient = (offset: string): bigint => BigInt(offset) / BigInt(WINDOW)
