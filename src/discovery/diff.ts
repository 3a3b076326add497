import { type Block, diffLines, splitLines } from './lines.ts'

const CONTEXT = 3

/** A unified diff of one file, as `diff -u` and `patch` know it; empty when nothing differs. */
export const unifiedDiff = (path: string, before: string, after: string): string => {
  const [a, b] = [splitLines(before), splitLines(after)]
  const hunks = groups(diffLines(a, b)).map(blocks => hunk(a, b, blocks))
  return hunks.length === 0 ? '' : [`--- a/${path}`, `+++ b/${path}`, ...hunks, ''].join('\n')
}

const groups = (blocks: readonly Block[]): Block[][] => {
  const found: Block[][] = []
  for (const block of blocks) {
    const last = found.at(-1)
    const end = last?.at(-1)?.a[1]
    if (last && end !== undefined && block.a[0] - end <= 2 * CONTEXT) last.push(block)
    else found.push([block])
  }
  return found
}

const hunk = (a: readonly string[], b: readonly string[], blocks: readonly Block[]): string => {
  const [first, last] = [blocks[0], blocks.at(-1)]
  if (!first || !last) return ''
  const lead = Math.min(CONTEXT, first.a[0])
  const trail = Math.min(CONTEXT, a.length - last.a[1])
  const range = (from: number, to: number) => `${to > from ? from + 1 : from},${to - from}`
  const lines: string[] = []
  const put = (mark: string, some: readonly string[]) => lines.push(...some.map(line => shown(mark, line)))
  let at = first.a[0] - lead
  for (const {
    a: [a0, a1],
    b: [b0, b1],
  } of blocks) {
    put(' ', a.slice(at, a0))
    put('-', a.slice(a0, a1))
    put('+', b.slice(b0, b1))
    at = a1
  }
  put(' ', a.slice(at, at + trail))
  const from = range(first.a[0] - lead, last.a[1] + trail)
  const to = range(first.b[0] - lead, last.b[1] + trail)
  return [`@@ -${from} +${to} @@`, ...lines].join('\n')
}

const shown = (mark: string, line: string): string =>
  line.endsWith('\n') ? mark + line.slice(0, -1) : `${mark}${line}\n\\ No newline at end of file`
