import { type ParsedNode, visit } from 'yaml'
import type { TextEdit } from './edit.ts'
import type { EntryValue } from './model.ts'
import { type DiscoveryFile, type Entry, markOf } from './parse.ts'
import { brokerPart, brokersOf, type Known, type Part, refuseMark, type Say, zookeeperPart } from './parts.ts'
import { quote } from './quote.ts'

const heldBy = (entry: Entry): EntryValue => ({
  broker_list: brokersOf(entry),
  zookeeper: entry.zookeeper?.node.value ?? '',
})

/** The text of an entry with its whole lines, or between its commas. undefined for a layout that can't be cut there. */
const spanOf = (
  { source }: DiscoveryFile,
  { whole, inline }: Entry,
): [from: number, to: number] | undefined => {
  const [from, to] = whole
  if (inline) return [from, to]
  const head = source.lineStart(from)
  return source.text.slice(head, from).trim() === '' ? [head, source.lineEnd(to)] : undefined
}

const noLayout = ({ keyAt, name }: Entry, say: Say): Part[] => {
  say('error', 'layout', keyAt, `the entry ${name} has a layout that kmig can't cut out`)
  return []
}

/**
 * Adds an entry beside an old one: a copy of its text, comments and unknown keys too, under another name and with the
 * values of the new cluster, so that it looks like its neighbour.
 */
export const besidePart = (file: DiscoveryFile, known: Known, old: Entry, name: string, say: Say): Part[] => {
  refuseAnchors(old, say)
  const parts = [...brokerPart(file, known, old, say), ...zookeeperPart(file, known, old, say)]
  const span = spanOf(file, old)
  if (!span) return noLayout(old, say)
  const [from, to] = span
  const [start, end] = old.key.range
  const renamed = { start, end, text: quote(name, { type: old.key.type, flow: old.inline }) }
  const text = withEdits(file.source.text.slice(from, to), from, [renamed, ...parts.flatMap(p => p.edits)])
  const before = old.inline ? ', ' : file.source.text.includes('\r\n') ? '\r\n' : '\n'
  const after = heldBy(old)
  for (const { field } of parts) {
    if (field.key === 'broker_list') after.broker_list = field.after
    else if (field.key === 'zookeeper' && typeof field.after === 'string') after.zookeeper = field.after
  }
  const field = { cluster: name, key: 'entry', before: null, after, like: old.name } as const
  return [{ edits: [{ start: to, end: to, text: before + text }], field }]
}

/** Takes an entry out, with its lines or its comma. */
export const removalPart = (file: DiscoveryFile, old: Entry, gone: ReadonlySet<Entry>, say: Say): Part[] => {
  const span = spanOf(file, old)
  if (!span) return noLayout(old, say)
  const field = { cluster: old.name, key: 'entry', before: heldBy(old), after: null } as const
  return [{ edits: [old.inline ? commaCut(file, old, gone) : lineCut(file, span)], field }]
}

/** The line break before it goes along: the last line of a file may have none behind. */
const lineCut = ({ source }: DiscoveryFile, [from, to]: [number, number]): TextEdit => ({
  start: source.lineEnd(from - 1),
  end: to,
  text: '',
})

/** With the comma before it where an entry stays there, else with the one behind. */
const commaCut = ({ entries }: DiscoveryFile, old: Entry, gone: ReadonlySet<Entry>): TextEdit => {
  const at = entries.indexOf(old)
  const [before, behind] = [entries[at - 1], entries[at + 1]]
  return before && entries.slice(0, at).some(entry => !gone.has(entry))
    ? { start: before.whole[1], end: old.whole[1], text: '' }
    : { start: old.whole[0], end: behind?.whole[0] ?? old.whole[1], text: '' }
}

/** Makes an entry the default of the file. */
export const flipPart = ({ local }: DiscoveryFile, to: string, say: Say): Part[] => {
  if (!local || local.node.value === to) return []
  const { node, flow } = local
  refuseMark(node, 'local_config', say)
  const [start, end] = node.range
  const text = quote(to, { type: node.type, flow })
  return [{ edits: [{ start, end, text }], field: { key: 'local_config', before: node.value, after: to } }]
}

/** An anchor can't stand twice. */
const refuseAnchors = ({ value, name }: Entry, say: Say): void => {
  const look = (node: ParsedNode | null) => {
    if (node && 'anchor' in node && node.anchor)
      say('error', 'anchor', node.range[0], `${name} has ${markOf(node)}, which a copy of it would repeat`)
  }
  visit(value, { Node: (_, node) => look(node as ParsedNode) })
}

const withEdits = (text: string, from: number, edits: readonly TextEdit[]): string =>
  [...edits]
    .sort((a, b) => b.start - a.start)
    .reduce((t, { start, end, text: put }) => t.slice(0, start - from) + put + t.slice(end - from), text)
