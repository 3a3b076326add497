import { createHash } from 'node:crypto'
import { bug } from '../kit/index.ts'
import type { SourceText } from './source-text.ts'

/** Lower-case hex. */
export const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

/** One replacement at a byte of a file: `before` stands there now, `after` shall. An insertion has an empty `before`. */
export type ByteEdit = { at: number; before: string; after: string }

/** The same in UTF-16 indices of the text, as the parser counts. */
export type TextEdit = { start: number; end: number; text: string }

export const toByteEdits = (source: SourceText, edits: readonly TextEdit[]): ByteEdit[] =>
  edits
    .filter(({ start, end, text }) => source.text.slice(start, end) !== text)
    .sort((a, b) => a.start - b.start || a.end - b.end)
    .map(({ start, end, text }) => ({
      at: source.byteAt(start),
      before: source.text.slice(start, end),
      after: text,
    }))

/** The bytes with all edits made; every byte outside them is the same one. Throws BUG when an edit does not fit. */
export const splice = (bytes: Buffer, edits: readonly ByteEdit[]): Buffer => {
  const parts: Buffer[] = []
  let from = 0
  for (const { at, before, after } of edits) {
    const found = bytes.subarray(at, at + Buffer.byteLength(before))
    if (at < from || !found.equals(Buffer.from(before)))
      throw bug(`an edit at byte ${at} does not fit the file`)
    parts.push(bytes.subarray(from, at), Buffer.from(after))
    from = at + found.length
  }
  return Buffer.concat([...parts, bytes.subarray(from)])
}

/** The edits that lead from the edited bytes back: `splice(splice(b, e), inverse(e))` is `b`. */
export const inverse = (edits: readonly ByteEdit[]): ByteEdit[] => {
  let shift = 0
  return edits.map(({ at, before, after }) => {
    const back = { at: at + shift, before: after, after: before }
    shift += Buffer.byteLength(after) - Buffer.byteLength(before)
    return back
  })
}
