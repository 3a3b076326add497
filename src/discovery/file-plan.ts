import { isSeq } from 'yaml'
import { brokerKeys, parseZkConnect } from './address.ts'
import { unifiedDiff } from './diff.ts'
import { type ByteEdit, sha256, splice, type TextEdit, toByteEdits } from './edit.ts'
import type { Finding, Rule } from './findings.ts'
import { type ClusterAddresses, matchOf } from './match.ts'
import { assertModelChange, type FieldChange } from './model.ts'
import { type DiscoveryFile, type Entry, markOf } from './parse.ts'
import { rewriteBrokers, rewriteZookeeper } from './rewrite.ts'

/** One file that shall change: from these bytes to those, by these edits, which mean these changes of values. */
export type FileChange = {
  path: string
  shaBefore: string
  shaAfter: string
  edits: ByteEdit[]
  fields: FieldChange[]
}

/** One value that shall change, with its place in the file as it is: bytes [from, to). */
export type PlannedEdit = {
  file: string
  /** `clusters.<name>.<key>`. */
  path: string
  range: [from: number, to: number]
  before: string | readonly string[]
  after: string | readonly string[]
  shaBefore: string
  shaAfter: string
}

/** Both clusters, with their brokers as they are compared. */
export type Known = {
  old: ClusterAddresses
  next: ClusterAddresses
  oldKeys: ReadonlySet<string>
  newKeys: ReadonlySet<string>
}

export type FilePlan = {
  change: Entry[]
  already: Entry[]
  findings: Finding[]
  made: { change: FileChange; edits: PlannedEdit[]; diff: string } | undefined
}

/** Plans one file. An error among the findings means that nothing was made of it. */
export const planFile = (file: DiscoveryFile, known: Known): FilePlan => {
  const findings: Finding[] = []
  const say: Say = (severity, rule, index, message) =>
    findings.push({ severity, rule, path: file.path, ...file.source.position(index), message })
  const matches = Map.groupBy(file.entries, entry => matchOf(entry, known.oldKeys, known.newKeys))
  const change = matches.get('old') ?? []
  const parts = change.flatMap(entry => [
    ...brokerPart(file, known, entry, say),
    ...zookeeperPart(file, known, entry, say),
  ])
  const broken = findings.some(f => f.severity === 'error')
  const made = broken ? undefined : make(file, parts)
  return { change, already: matches.get('new') ?? [], findings, made }
}

type Say = (severity: Finding['severity'], rule: Rule, index: number, message: string) => void
type Part = { edits: TextEdit[]; field: FieldChange }

const brokerPart = (
  file: DiscoveryFile,
  { next, oldKeys, newKeys }: Known,
  entry: Entry,
  say: Say,
): Part[] => {
  const { name, brokerList, dialect, keyAt } = entry
  const { node, items } = brokerList
  const [at] = node.range
  for (const key of brokerKeys(entry.brokers)) {
    if (newKeys.has(key)) say('warning', 'same-host', at, `${key} of ${name} belongs to the new cluster too`)
    else if (!oldKeys.has(key))
      say('warning', 'stray-broker', at, `${key} of ${name} is unknown to the old cluster; it goes too`)
  }
  if (dialect === 'older') {
    say(
      'error',
      'older-dialect',
      keyAt,
      `${name} names the old cluster in the older dialect, which kmig does not write`,
    )
    return []
  }
  for (const part of [node, ...items]) refuseMark(part, name, say)
  const edits = rewriteBrokers(file.source, brokerList, next.brokers)
  if (!edits) {
    say('error', 'layout', at, `broker_list of ${name} has a layout that kmig can't change`)
    return []
  }
  const [before, after] = isSeq(node)
    ? [items.map(item => item.value), [...next.brokers]]
    : [node.value, next.brokers.join(',')]
  return [{ edits, field: { cluster: name, key: 'broker_list', before, after } }]
}

const zookeeperPart = (
  file: DiscoveryFile,
  { old, next }: Known,
  { name, zookeeper }: Entry,
  say: Say,
): Part[] => {
  if (!zookeeper) return []
  const { node } = zookeeper
  const [at] = node.range
  if (next.zookeeper === undefined) {
    say(
      'warning',
      'zookeeper-kept',
      at,
      `${name} keeps its zookeeper: kmig.yaml gives none for the new cluster`,
    )
    return []
  }
  if (sameZk(node.value, next.zookeeper)) return []
  if (old.zookeeper !== undefined && !sameZk(old.zookeeper, node.value)) {
    say(
      'warning',
      'zookeeper-differs',
      at,
      `zookeeper of ${name} is not ${old.zookeeper}; it is replaced all the same`,
    )
  }
  refuseMark(node, name, say)
  const field: FieldChange = { cluster: name, key: 'zookeeper', before: node.value, after: next.zookeeper }
  return [{ edits: rewriteZookeeper(file.source, zookeeper, next.zookeeper), field }]
}

const refuseMark = (node: Parameters<typeof markOf>[0], name: string, say: Say): void => {
  const mark = markOf(node)
  if (mark) say('error', 'anchor', node.range[0], `a value of ${name} that must change has ${mark}`)
}

const sameZk = (a: string, b: string): boolean => {
  const [x, y] = [parseZkConnect(a), parseZkConnect(b)]
  return x.ok && y.ok && x.key === y.key
}

const make = ({ path, source, raw }: DiscoveryFile, parts: readonly Part[]): FilePlan['made'] => {
  const edits = toByteEdits(
    source,
    parts.flatMap(part => part.edits),
  )
  if (edits.length === 0) return undefined
  const fields = parts.map(part => part.field)
  const bytes = splice(raw.bytes, edits)
  const text = bytes.toString()
  assertModelChange(path, source.text, text, fields)
  const shas = { shaBefore: raw.sha, shaAfter: sha256(bytes) }
  return {
    change: { path, ...shas, edits, fields },
    edits: parts
      .filter(part => part.edits.length > 0)
      .map(({ edits: own, field: { cluster, key, before, after } }) => ({
        file: path,
        path: `clusters.${cluster}.${key}`,
        range: [
          source.byteAt(Math.min(...own.map(({ start }) => start))),
          source.byteAt(Math.max(...own.map(({ end }) => end))),
        ],
        ...{ before, after },
        ...shas,
      })),
    diff: unifiedDiff(path, source.text, text),
  }
}
