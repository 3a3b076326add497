import { CST, Lexer } from 'yaml'
import type { Finding } from './findings.ts'

/** A place in a text for people: 1-based line, 1-based column in UTF-16 units (a BOM has no column). */
export type Position = { line: number; column: number }

/** The text of a file with the way from an index of it to a line, and to a byte. */
export class SourceText {
  readonly text: string
  readonly #starts: number[]
  constructor(text: string) {
    this.text = text
    this.#starts = [0]
    for (let i = text.indexOf('\n'); i >= 0; i = text.indexOf('\n', i + 1)) this.#starts.push(i + 1)
  }

  /**
   * Strict UTF-8, the BOM kept, so that indices count it and encoding gives the same bytes back.
   * `undefined` when the bytes are no UTF-8.
   */
  static decode(bytes: Uint8Array): SourceText | undefined {
    try {
      return new SourceText(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes))
    } catch {
      return undefined
    }
  }

  position(index: number): Position {
    let low = 0
    for (let high = this.#starts.length; high - low > 1; ) {
      const mid = (low + high) >> 1
      if ((this.#starts[mid] ?? 0) <= index) low = mid
      else high = mid
    }
    const from = low === 0 && this.text.startsWith('\uFEFF') ? 1 : (this.#starts[low] ?? 0)
    return { line: low + 1, column: Math.max(0, index - from) + 1 }
  }

  byteAt(index: number): number {
    return Buffer.byteLength(this.text.slice(0, index))
  }

  /** Index of the first character of the line that holds `index`. */
  lineStart(index: number): number {
    return this.text.lastIndexOf('\n', index - 1) + 1
  }

  /** Index after the last character of the line that holds `index`, before its line break (LF or CRLF). */
  lineEnd(index: number): number {
    const newline = this.text.indexOf('\n', index)
    if (newline < 0) return this.text.length
    return newline > 0 && this.text[newline - 1] === '\r' ? newline - 1 : newline
  }
}

// What PyYAML's reader takes; everything else makes it throw. Source: PyYAML reader.py, printable characters.
const UNPRINTABLE = /[^\t\n\r\x20-\x7E\x85\xA0-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/gu
const FOREIGN_BREAK = /\r(?!\n)|[\x85\u2028\u2029]/g
const QUOTED = new Set(['comment', 'single-quoted-scalar', 'double-quoted-scalar'])

/** Characters that PyYAML and `yaml` read differently, or that one of them refuses, wherever they stand. */
export const lintCharacters = (path: string, source: SourceText): Finding[] => {
  const found = (index: number, rule: Finding['rule'], message: string): Finding => ({
    severity: 'error',
    rule,
    path,
    ...source.position(index),
    message,
  })
  const name = (c: string) => `U+${(c.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}`
  return [
    ...[...source.text.matchAll(FOREIGN_BREAK)].map(m =>
      found(m.index, 'foreign-break', `${name(m[0])} ends a line for some readers and not for others`),
    ),
    ...[...source.text.matchAll(UNPRINTABLE)].map(m =>
      found(m.index, 'unprintable', `${name(m[0])} is no printable character: PyYAML refuses the file`),
    ),
    ...tabs(source.text).map(index =>
      found(index, 'tab', 'a tab outside quotes and comments: PyYAML refuses the file'),
    ),
  ]
}

/** Tabs that are neither quoted, nor in a comment, nor in the content of a block scalar. */
export const tabs = (text: string): number[] => {
  const found: number[] = []
  let at = 0
  let [afterHeader, content] = [false, false]
  for (const lexeme of new Lexer().lex(text)) {
    const type = CST.tokenType(lexeme)
    if (lexeme === CST.SCALAR) {
      content = afterHeader // the next lexeme is a plain scalar or the content of a block scalar
      afterHeader = false
      continue
    }
    if (lexeme === CST.DOCUMENT || lexeme === CST.FLOW_END) continue // marks of the lexer, not of the text
    if (type === 'block-scalar-header') afterHeader = true
    if (!content && !(type && QUOTED.has(type))) {
      for (let i = lexeme.indexOf('\t'); i >= 0; i = lexeme.indexOf('\t', i + 1)) found.push(at + i)
    }
    content = false
    at += lexeme.length
  }
  return found
}
