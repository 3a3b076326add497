import { isDeepStrictEqual } from 'node:util'
import { unifiedDiff } from './diff.ts'
import type { Directory } from './directory.ts'
import { sha256, splice, type TextEdit, toByteEdits } from './edit.ts'
import type { FileChange } from './file-plan.ts'
import type { DiscoveryFile } from './parse.ts'
import { type SourceText, tabs } from './source-text.ts'
import { type Model, modelOf, VERSIONS } from './yaml-text.ts'

/** Files whose tabs can become spaces, and those where nobody can tell what they mean. */
export type TabFixes = {
  root: string
  files: FileChange[]
  diff: string
  refused: { path: string; why: string }[]
}

/** How wide a tab may have been meant. The sizes that editors have; the first that parses is written. */
const WIDTHS = [2, 4, 8, 1, 3] as const

/**
 * Spaces for tabs outside quotes and comments. A tab at the start of a line can mean any indent: each width that makes
 * the file parse must give the same values, under both versions of YAML, or the file is left alone. Source: DISCOVERY.md 3.
 */
export const fixTabs = ({ root, files }: Directory): TabFixes => {
  const fixes: TabFixes = { root, files: [], diff: '', refused: [] }
  for (const file of files) {
    if (!file.findings.some(({ rule }) => rule === 'tab')) continue
    const fixed = fixFile(file)
    if ('why' in fixed) fixes.refused.push({ path: file.path, why: fixed.why })
    else {
      fixes.files.push(fixed.change)
      fixes.diff += fixed.diff
    }
  }
  return fixes
}

const fixFile = ({
  path,
  source,
  raw,
}: DiscoveryFile): { change: FileChange; diff: string } | { why: string } => {
  const found = tabs(source.text)
  const candidates = WIDTHS.map(width => editsOf(source, found, width))
    .map(edits => ({ edits: toByteEdits(source, edits) }))
    .map(({ edits }) => ({ edits, bytes: splice(raw.bytes, edits) }))
    .map(one => ({ ...one, models: modelsOf(one.bytes.toString()) }))
    .filter(({ models }) => models !== undefined)
  const [first] = candidates
  if (!first) return { why: 'with spaces for its tabs it does not parse either' }
  // Order of keys counts too: a reader that takes the first entry would take another one.
  const same = (models: readonly Model[] | undefined) =>
    isDeepStrictEqual(models && [...models], first.models) && orderOf(models) === orderOf(first.models)
  const asItIs = modelsOf(source.text)
  if (!candidates.every(({ models }) => same(models)) || (asItIs && !same(asItIs)))
    return { why: 'its tabs can mean several indents, and each gives other values' }
  const { edits, bytes } = first
  return {
    change: { path, shaBefore: raw.sha, shaAfter: sha256(bytes), edits, fields: [] },
    diff: unifiedDiff(path, source.text, bytes.toString()),
  }
}

const orderOf = (models: readonly Model[] | undefined): string =>
  JSON.stringify(models, (_, value) => (value instanceof Map ? [...value] : value))

/** Tabs that only spaces or tabs precede on their line are indent; any other becomes one space. */
const editsOf = (source: SourceText, found: readonly number[], width: number): TextEdit[] =>
  found.map(index => {
    const before = source.text.slice(source.lineStart(index), index)
    return { start: index, end: index + 1, text: /^[ \t]*$/.test(before) ? ' '.repeat(width) : ' ' }
  })

const modelsOf = (text: string): Model[] | undefined => {
  try {
    const models = VERSIONS.map(version => modelOf(text, version))
    return models.every(model => model !== undefined) ? models : undefined
  } catch {
    return undefined // aliases that multiply, a merge of no mapping: lint names them
  }
}
