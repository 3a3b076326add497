import { isSeq, type YAMLSeq } from 'yaml'
import type { TextEdit } from './edit.ts'
import type { Entry, StringNode } from './parse.ts'
import { quote } from './quote.ts'
import type { SourceText } from './source-text.ts'

/** Index after a scalar; the line break that ends a block scalar belongs to the line, not to the value. */
const endOf = (source: SourceText, node: StringNode): number => {
  const [start, end] = node.range
  return end - (/\r?\n$/.exec(source.text.slice(start, end))?.[0].length ?? 0)
}

const replaced = (source: SourceText, node: StringNode, text: string, flow: boolean): TextEdit => ({
  start: node.range[0],
  end: endOf(source, node),
  text:
    node.value === text
      ? source.text.slice(node.range[0], endOf(source, node))
      : quote(text, { type: node.type, flow }),
})

/** Edits that give an entry this `zookeeper`. */
export const rewriteZookeeper = (
  source: SourceText,
  { node, flow }: NonNullable<Entry['zookeeper']>,
  text: string,
): TextEdit[] => [replaced(source, node, text, flow)]

/**
 * Edits that give an entry this `broker_list`: item by item, so that comments stay with their lines; new items copy
 * the line of the last one, superfluous items go with their lines. undefined when the layout is none kmig can extend.
 */
export const rewriteBrokers = (
  source: SourceText,
  list: Entry['brokerList'],
  next: readonly string[],
): TextEdit[] | undefined => {
  const { node, items, flow } = list
  if (!isSeq(node)) return [replaced(source, node, next.join(','), flow)]
  const last = items.at(-1)
  if (!last) return undefined
  const kept = items.slice(0, next.length).map((item, i) => replaced(source, item, next[i] ?? '', flow))
  if (next.length > items.length) {
    const more = next.slice(items.length).map(text => quote(text, { type: last.type, flow }))
    const added = node.flow ? flowInsertion(source, items, more) : blockInsertion(source, node, last, more)
    return added && [...kept, added]
  }
  const superfluous = items.slice(next.length).map((item, i): TextEdit => {
    const before = items[next.length + i - 1]
    const from = node.flow ? undefined : dashOf(node, next.length + i)
    return removal(source, item, from ?? item.range[0], node.flow === true ? before : undefined)
  })
  return [...kept, ...superfluous]
}

/** Index of the dash of an item of a block list. */
const dashOf = (node: YAMLSeq.Parsed, index: number): number | undefined => {
  const token = node.srcToken
  if (token?.type !== 'block-seq') return undefined
  return token.items[index]?.start.find(t => t.type === 'seq-item-ind')?.offset
}

const breakOf = (source: SourceText): string => (source.text.includes('\r\n') ? '\r\n' : '\n')

const blockInsertion = (
  source: SourceText,
  node: YAMLSeq.Parsed,
  last: StringNode,
  more: string[],
): TextEdit | undefined => {
  const dash = dashOf(node, node.items.length - 1)
  if (dash === undefined) return undefined
  const indent = source.text.slice(source.lineStart(dash), dash)
  if (indent.trim() !== '') return undefined
  const gap = source.text.slice(dash + 1, last.range[0])
  const prefix = `${indent}-${/^ +$/.test(gap) ? gap : ' '}`
  const at = source.lineEnd(endOf(source, last))
  return { start: at, end: at, text: more.map(text => breakOf(source) + prefix + text).join('') }
}

const flowInsertion = (source: SourceText, items: StringNode[], more: string[]): TextEdit => {
  const [before, last] = items.slice(-2)
  const between = before && last ? source.text.slice(endOf(source, before), last.range[0]) : ''
  const separator = /^\s*,\s*$/.test(between) ? between : ', '
  const at = endOf(source, (last ?? before) as StringNode)
  return { start: at, end: at, text: more.map(text => separator + text).join('') }
}

/** An item alone on its line goes with the line and its comment; else it goes with the comma before it. */
const removal = (
  source: SourceText,
  item: StringNode,
  from: number,
  before: StringNode | undefined,
): TextEdit => {
  const end = endOf(source, item)
  const [head, tail] = [source.lineStart(from), source.lineEnd(end)]
  const alone =
    source.text.slice(head, from).trim() === '' && /^\s*,?\s*(?:#.*)?$/.test(source.text.slice(end, tail))
  if (!alone && before) return { start: endOf(source, before), end, text: '' }
  // The line break before it goes along: the last line of a file may have none behind.
  return { start: source.lineEnd(head - 1), end: tail, text: '' }
}
