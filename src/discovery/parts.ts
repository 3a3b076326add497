import { isSeq } from 'yaml'
import { brokerKeys, parseZkConnect } from './address.ts'
import type { TextEdit } from './edit.ts'
import type { Finding, Rule } from './findings.ts'
import type { ClusterAddresses } from './match.ts'
import type { FieldChange } from './model.ts'
import { type DiscoveryFile, type Entry, markOf } from './parse.ts'
import { rewriteBrokers, rewriteZookeeper } from './rewrite.ts'

/** Both clusters, with their brokers as they are compared. */
export type Known = {
  old: ClusterAddresses
  next: ClusterAddresses
  oldKeys: ReadonlySet<string>
  newKeys: ReadonlySet<string>
}

/** Says something about a place of the file that is planned. */
export type Say = (severity: Finding['severity'], rule: Rule, index: number, message: string) => void

/** Edits of a text, and what they mean. */
export type Part = { edits: TextEdit[]; field: FieldChange }

/** Gives an entry the brokers of the new cluster. */
export const brokerPart = (file: DiscoveryFile, { next }: Known, entry: Entry, say: Say): Part[] => {
  const { name, brokerList, dialect, keyAt } = entry
  const { node, items } = brokerList
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
    say('error', 'layout', node.range[0], `broker_list of ${name} has a layout that kmig can't change`)
    return []
  }
  const after = isSeq(node) ? [...next.brokers] : next.brokers.join(',')
  return [{ edits, field: { cluster: name, key: 'broker_list', before: brokersOf(entry), after } }]
}

/** `broker_list` as readers get it. */
export const brokersOf = ({ brokerList: { node, items } }: Entry): string | readonly string[] =>
  isSeq(node) ? items.map(item => item.value) : node.value

/** Warns of brokers that go with the old ones, and of new ones among them. */
export const noteBrokers = ({ oldKeys, newKeys }: Known, entry: Entry, say: Say): void => {
  const { name } = entry
  const [at] = entry.brokerList.node.range
  for (const key of brokerKeys(entry.brokers)) {
    if (newKeys.has(key)) say('warning', 'same-host', at, `${key} of ${name} belongs to the new cluster too`)
    else if (!oldKeys.has(key))
      say('warning', 'stray-broker', at, `${key} of ${name} is unknown to the old cluster; it goes too`)
  }
}

/** Gives an entry the zookeeper of the new cluster; without one it keeps its own, as readers need the key. */
export const zookeeperPart = (
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

export const refuseMark = (node: Parameters<typeof markOf>[0], name: string, say: Say): void => {
  const mark = markOf(node)
  if (mark) say('error', 'anchor', node.range[0], `a value of ${name} that must change has ${mark}`)
}

const sameZk = (a: string, b: string): boolean => {
  const [x, y] = [parseZkConnect(a), parseZkConnect(b)]
  return x.ok && y.ok && x.key === y.key
}
