import { basename, extname } from 'node:path'
import {
  type Document,
  isMap,
  isPair,
  isScalar,
  type Pair,
  type ParsedNode,
  type Scalar,
  type YAMLSeq,
} from 'yaml'
import type { RawFile } from './files.ts'
import type { Finding, Rule } from './findings.ts'
import type { SourceText } from './source-text.ts'
import { parseYaml } from './yaml-text.ts'

/** A string in the file and the node that holds it. */
export type StringNode = Scalar.Parsed & { value: string }

/** A cluster of a discovery file that was read without an error. `flow` marks nodes inside braces or brackets. */
export type Entry = {
  name: string
  keyAt: number
  key: StringNode
  /** From the key to the last character of the value, the comment of its last line included. */
  whole: [from: number, to: number]
  /** Between braces, with its neighbours. */
  inline: boolean
  /** What stands in the entry, to look for anchors before it is copied. */
  value: ParsedNode
  /** The older dialect names a ZooKeeper cluster instead of its hosts: read, never written. */
  dialect: 'current' | 'older'
  brokers: string[]
  brokerList: { node: YAMLSeq.Parsed | StringNode; items: StringNode[]; flow: boolean }
  zookeeper: { node: StringNode; flow: boolean } | undefined
}

/** One `<type>.yaml` with a top-level `clusters`. */
export type DiscoveryFile = {
  path: string
  /** Cluster type: the file's name without `.yaml`. */
  type: string
  raw: RawFile
  source: SourceText
  entries: Entry[]
  /** `local_config.cluster`: what readers take that name no cluster. */
  local: { node: StringNode; flow: boolean } | undefined
  findings: Finding[]
}

/** A document with its place in a file, and a way to say something about an index of it. */
export type Reading = {
  path: string
  source: SourceText
  documents: Document.Parsed<ParsedNode>[]
  say: (severity: Finding['severity'], rule: Rule, index: number, message: string) => void
  findings: Finding[]
}

export const reading = (path: string, source: SourceText): Reading => {
  const findings: Finding[] = []
  return {
    path,
    source,
    documents: parseYaml(source.text, '1.1'),
    findings,
    say: (severity, rule, index, message) =>
      findings.push({ severity, rule, path, ...source.position(index), message }),
  }
}

/** Pairs of a mapping whose key is a scalar with this source text. */
export const pairOf = (map: unknown, key: string): Pair<ParsedNode, ParsedNode | null> | undefined =>
  isMap(map)
    ? (map.items.find(pair => isPair(pair) && isScalar(pair.key) && pair.key.value === key) as
        | Pair<ParsedNode, ParsedNode | null>
        | undefined)
    : undefined

/** Whether readers would take the file for a discovery file: a top-level `clusters`, or a broken file that seems to have one. */
export const isCandidate = ({ documents, source }: Reading): boolean =>
  documents.some(({ contents }) => pairOf(contents, 'clusters')) ||
  (documents.some(({ errors }) => errors.length > 0) && /(?:^|[\s{,"'])clusters["']?\s*:/.test(source.text))

export const startOf = (node: unknown): number =>
  ((node as { range?: [number, number, number] | null } | null)?.range ?? [0])[0]

export const isMerge = (key: unknown): boolean =>
  isScalar(key) && (key.source === '<<' || typeof key.value === 'symbol')

export const typeOf = (path: string): string => basename(path, extname(path))

/** The anchor or tag of a node as it is written; undefined for a node that can be edited. */
export const markOf = (node: ParsedNode): string | undefined =>
  'anchor' in node && node.anchor
    ? `the anchor &${node.anchor}`
    : node.tag
      ? `the tag ${node.tag}`
      : undefined
