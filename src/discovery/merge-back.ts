import { isKmigError } from '../kit/index.ts'
import { type ByteEdit, inverse, sha256, splice } from './edit.ts'
import type { FileChange } from './file-plan.ts'
import type { RawFile } from './files.ts'
import { type Block, diffLines, splitLines } from './lines.ts'
import { assertModelChange, reversed } from './model.ts'
import { SourceText } from './source-text.ts'

/**
 * The change that takes kmig's edits out of a file that others edited after it: each inverse edit moves with its lines.
 * `undefined` when those lines, or the values they hold, were changed: nobody can tell then what going back means.
 */
export const mergeBack = (change: FileChange, original: Buffer, current: RawFile): FileChange | undefined => {
  const [mine, theirs] = [SourceText.decode(splice(original, change.edits)), SourceText.decode(current.bytes)]
  if (!mine || !theirs) return undefined
  const edits = moved(inverse(change.edits), splitLines(mine.text), splitLines(theirs.text))
  if (!edits) return undefined
  const bytes = splice(current.bytes, edits)
  const fields = change.fields.map(reversed)
  try {
    assertModelChange(change.path, theirs.text, bytes.toString(), fields)
  } catch (e) {
    if (isKmigError(e, 'DISCOVERY_INVALID')) return undefined
    throw e
  }
  return { path: change.path, shaBefore: current.sha, shaAfter: sha256(bytes), edits, fields }
}

const moved = (
  edits: readonly ByteEdit[],
  mine: readonly string[],
  theirs: readonly string[],
): ByteEdit[] | undefined => {
  const blocks = diffLines(mine, theirs)
  const starts = startsOf(mine)
  const theirStarts = startsOf(theirs)
  const found = edits.map((edit): ByteEdit | undefined => {
    const first = lineAt(starts, edit.at)
    const last = lineAt(starts, edit.at + Buffer.byteLength(edit.before))
    if (blocks.some(block => touches(block, first, last))) return undefined
    const before = blocks.findLast(({ a }) => a[1] <= first)
    const line = before ? before.b[1] + (first - before.a[1]) : first
    return { ...edit, at: edit.at - (starts[first] ?? 0) + (theirStarts[line] ?? 0) }
  })
  return found.every(edit => edit !== undefined) ? found : undefined
}

/** Whether others changed a line from first to last, or put one between them. */
const touches = ({ a: [from, to] }: Block, first: number, last: number): boolean =>
  from === to ? from > first && from <= last : from <= last && to > first

/** Byte at which each line starts, and the end. */
const startsOf = (lines: readonly string[]): number[] => {
  const starts = [0]
  for (const line of lines) starts.push((starts.at(-1) ?? 0) + Buffer.byteLength(line))
  return starts
}

const lineAt = (starts: readonly number[], byte: number): number =>
  Math.max(
    0,
    starts.findLastIndex(start => start <= byte),
  )
