import { isAlias, isMap, isScalar, type Pair, type ParsedNode, visit } from 'yaml'
import { readEntry } from './entry.ts'
import type { RawFile } from './files.ts'
import type { Finding } from './findings.ts'
import {
  type DiscoveryFile,
  isCandidate,
  isMerge,
  pairOf,
  type Reading,
  reading,
  type StringNode,
  startOf,
  typeOf,
} from './parse.ts'
import { lintCharacters, SourceText } from './source-text.ts'
import { parseYaml, whyNoModel } from './yaml-text.ts'

/** What one `.yaml` file is: a discovery file, an empty file (readers crash on one), or something else. */
export type Looked =
  | { kind: 'discovery'; file: DiscoveryFile }
  | { kind: 'empty'; finding: Finding }
  | { kind: 'other' }

type Clusters = Pick<DiscoveryFile, 'entries' | 'local'>

/** Reads and lints one `.yaml` file. Nothing is thrown: what is wrong is a finding. Source: DISCOVERY.md 3. */
export const lintFile = (raw: RawFile): Looked => {
  const { path } = raw
  const source = SourceText.decode(raw.bytes)
  if (!source)
    return raw.bytes.includes('clusters') ? { kind: 'discovery', file: undecodable(raw) } : { kind: 'other' }
  const file = reading(path, source)
  if (file.documents.length === 0) {
    const message = 'the file holds no document: readers crash on it'
    return {
      kind: 'empty',
      finding: { severity: 'error', rule: 'document-count', path, line: 1, column: 1, message },
    }
  }
  if (!isCandidate(file)) return { kind: 'other' }
  const { entries, local } = lintDocument(file)
  if (raw.links > 1)
    file.say('warning', 'hard-links', 0, `the file has ${raw.links} hard links; the others keep the old text`)
  if (!/^[A-Za-z0-9._-]+$/.test(typeOf(path))) {
    file.say('warning', 'type-name', 0, `the type ${typeOf(path)} has characters outside A-Z a-z 0-9 . _ -`)
  }
  return {
    kind: 'discovery',
    file: { path, type: typeOf(path), raw, source, entries, local, findings: file.findings },
  }
}

const undecodable = (raw: RawFile): DiscoveryFile => ({
  path: raw.path,
  type: typeOf(raw.path),
  raw,
  source: new SourceText(''),
  entries: [],
  local: undefined,
  findings: [
    {
      severity: 'error',
      rule: 'encoding',
      path: raw.path,
      line: 1,
      column: 1,
      message: 'the file is no UTF-8',
    },
  ],
})

const NOTHING: Clusters = { entries: [], local: undefined }

const lintDocument = (file: Reading): Clusters => {
  const { source, documents } = file
  file.findings.push(...lintCharacters(file.path, source))
  const directive = /^%YAML.*$/m.exec(source.text)
  if (directive && documents.some(d => d.directives.yaml.explicit)) {
    file.say(
      'error',
      'yaml-directive',
      directive.index,
      `${directive[0].trim()}: some readers obey it, others do not`,
    )
  }
  const errors = [...documents, ...parseYaml(source.text, '1.2')].flatMap(d => d.errors)
  for (const { pos, code, message } of uniqueBy(errors, e => `${e.pos[0]} ${e.code}`)) {
    file.say('error', 'parse', pos[0], `${message} (${code})`)
  }
  if (documents.length !== 1) {
    const second = documents[1] ? source.text.indexOf('---', documents[0]?.range[1] ?? 0) : 0
    file.say(
      'error',
      'document-count',
      Math.max(0, second),
      `the file holds ${documents.length} documents, readers take exactly one`,
    )
  }
  for (const { pos, message } of documents.flatMap(d => d.warnings)) {
    file.say('warning', 'parse', pos[0], `${message}: PyYAML's safe loader refuses the file`)
  }
  if (file.findings.some(f => f.severity === 'error')) return NOTHING
  const why = whyNoModel(source.text)
  if (why) {
    file.say('error', 'parse', 0, why)
    return NOTHING
  }
  const root = documents[0]?.contents
  visit(root ?? null, {
    Scalar: (_, node) => {
      if (node.type === 'PLAIN' && (node.source === '=' || node.value === '<<')) {
        file.say(
          'error',
          'value-not-string',
          startOf(node),
          `a plain ${node.source} is an error to PyYAML: quote it`,
        )
      }
    },
  })
  return lintClusters(file, root)
}

const lintClusters = (file: Reading, root: ParsedNode | null | undefined): Clusters => {
  const clusters = pairOf(root, 'clusters')
  if (!clusters || !isMap(clusters.value)) {
    const rule = isAlias(clusters?.value) ? 'alias' : 'clusters-invalid'
    file.say('error', rule, startOf(clusters?.key ?? root), 'clusters is no mapping of names to entries')
    return NOTHING
  }
  const flow = (isMap(root) && root.flow === true) || clusters.value.flow === true
  const pairs = clusters.value.items as Pair<ParsedNode, ParsedNode | null>[]
  const entries = pairs.map(pair => readEntry(file, pair, flow)).filter(entry => entry !== undefined)
  return { entries, local: lintLocalConfig(file, root, pairs) }
}

const lintLocalConfig = (
  file: Reading,
  root: unknown,
  pairs: Pair<ParsedNode, ParsedNode | null>[],
): DiscoveryFile['local'] => {
  const local = pairOf(root, 'local_config')
  const older = pairOf(root, 'region_to_cluster')
  if (!local) {
    if (!older)
      file.say(
        'warning',
        'no-local-config',
        0,
        'no local_config: kafka-utils can do without, yelp_kafka can not',
      )
    return undefined
  }
  const cluster = pairOf(local.value, 'cluster')?.value
  const names = pairs
    .filter(({ key }) => isScalar(key) && !isMerge(key))
    .map(({ key }) => isScalar(key) && key.value)
  if (!isScalar(cluster) || !names.includes(cluster.value as string)) {
    const found = isScalar(cluster) ? String(cluster.source ?? cluster.value) : 'no name'
    file.say(
      'error',
      'dangling-local-config',
      startOf(cluster ?? local.key),
      `local_config.cluster is ${found}, which clusters does not define`,
    )
    return undefined
  }
  const flow = [root, local.value].some(node => isMap(node) && node.flow === true)
  return { node: cluster as StringNode, flow }
}

const uniqueBy = <T>(items: readonly T[], key: (item: T) => string): T[] => [
  ...new Map(items.map(i => [key(i), i])).values(),
]
