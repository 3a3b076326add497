import { isAlias, isMap, isScalar, isSeq, type Pair, type ParsedNode, type YAMLMap } from 'yaml'
import { parseAddress, parseZkConnect } from './address.ts'
import { type Entry, isMerge, markOf, pairOf, type Reading, type StringNode, startOf } from './parse.ts'
import { isStringToAll } from './yaml-text.ts'

type Lookup = { node: ParsedNode | null; key: ParsedNode } | undefined

/** A key of the entry that stands in the entry itself; what comes by `<<` or an alias can't be edited there. */
const ownValue = (file: Reading, entry: YAMLMap.Parsed, name: string, key: string): Lookup => {
  const pair = pairOf(entry, key)
  if (!pair) {
    const merge = entry.items.find(item => isMerge(item.key))
    if (merge) file.say('error', 'alias', startOf(merge.key), `${key} of ${name} may come through <<`)
    return undefined
  }
  if (isAlias(pair.value)) {
    file.say('error', 'alias', startOf(pair.value), `${key} of ${name} is an alias`)
    return undefined
  }
  return { node: pair.value, key: pair.key }
}

/** Reads one pair of `clusters`; says what is wrong with it. undefined when nothing can be made of it. */
export const readEntry = (
  file: Reading,
  pair: Pair<ParsedNode, ParsedNode | null>,
  flow: boolean,
): Entry | undefined => {
  const { key, value } = pair
  if (isMerge(key)) {
    file.say('error', 'alias', startOf(key), 'clusters has entries that come through <<')
    return undefined
  }
  if (isAlias(value)) {
    file.say('error', 'alias', startOf(value), 'an entry of clusters is an alias')
    return undefined
  }
  if (!isStringToAll(key)) {
    const text = isScalar(key) ? (key.source ?? '') : ''
    file.say(
      'error',
      'name-not-string',
      startOf(key),
      `the name ${text} is no string to every reader: quote it`,
    )
    return undefined
  }
  const name = key.value
  if (!isMap(value)) {
    file.say('error', 'clusters-invalid', startOf(key), `the entry ${name} is no mapping`)
    return undefined
  }
  const map = value as YAMLMap.Parsed
  const fields = readFields(file, name, startOf(key), map, flow || map.flow === true)
  const [from, to] = [startOf(key), map.range[1]]
  const end = from + file.source.text.slice(from, to).trimEnd().length
  return fields && { ...fields, key: key as StringNode, whole: [from, end], inline: flow, value: map }
}

type Fields = Omit<Entry, 'key' | 'whole' | 'inline' | 'value'>

const readFields = (
  file: Reading,
  name: string,
  keyAt: number,
  map: YAMLMap.Parsed,
  flow: boolean,
): Fields | undefined => {
  splitKeys(file, name, map)
  const older = pairOf(map, 'zookeeper_cluster') !== undefined && pairOf(map, 'zookeeper') === undefined
  const brokerList = ownValue(file, map, name, 'broker_list')
  const zookeeper = ownValue(file, map, name, 'zookeeper')
  const merged = map.items.some(item => isMerge(item.key))
  for (const key of ['broker_list', ...(older ? [] : ['zookeeper'])]) {
    if (!pairOf(map, key) && !merged)
      file.say('error', 'missing-key', keyAt, `the entry ${name} has no ${key}`)
  }
  if (older)
    file.say('warning', 'older-dialect', keyAt, `${name} is of the older dialect: read, never written`)
  const list = brokerList && readBrokers(file, name, brokerList, flow)
  const zk = zookeeper && readZookeeper(file, name, zookeeper)
  if (!list || (!older && !zk)) return undefined
  return {
    name,
    keyAt,
    dialect: older ? 'older' : 'current',
    ...list,
    zookeeper: zk && { node: zk, flow },
  }
}

/** A plain multi-host string in braces falls apart at its commas: the rest become keys without a value. */
const splitKeys = (file: Reading, name: string, map: YAMLMap.Parsed): void => {
  for (const { key, value } of map.items) {
    if (!isScalar(key) || (isScalar(value) && value.value !== null) || (value && !isScalar(value))) continue
    const text = String(key.source ?? key.value)
    if (/^[^/]+:\d+(?:\/.*)?$/.test(text)) {
      file.say(
        'error',
        'split-zookeeper',
        startOf(key),
        `${text} of ${name} is a key without a value: quote the string it was split from`,
      )
    }
  }
}

type Brokers = Pick<Entry, 'brokers' | 'brokerList'>

const readBrokers = (
  file: Reading,
  name: string,
  { node, key }: NonNullable<Lookup>,
  flow: boolean,
): Brokers | undefined => {
  if (isStringToAll(node)) {
    const brokers = node.value.split(',').map(broker => broker.trim())
    checkBrokers(
      file,
      name,
      brokers.map(text => ({ text, index: startOf(node) })),
    )
    noteAnchor(file, name, node)
    return { brokers, brokerList: { node, items: [], flow } }
  }
  if (!isSeq(node)) {
    file.say(
      'error',
      'broker-not-string',
      startOf(node ?? key),
      `broker_list of ${name} is neither a list nor a string`,
    )
    return undefined
  }
  const items = node.items as (ParsedNode | null)[]
  const pairs = items.map(pairText)
  const wrong = items.find((item, i) => pairs[i] === undefined && !isStringToAll(item))
  if (wrong !== undefined) {
    const rule = isAlias(wrong) ? 'alias' : 'broker-not-string'
    file.say(
      'error',
      rule,
      startOf(wrong ?? node),
      `a broker of ${name} is no host:port string to every reader`,
    )
    return undefined
  }
  if (pairs.some(text => text !== undefined)) {
    file.say(
      'warning',
      'older-dialect',
      startOf(node),
      `brokers of ${name} are [host, port] pairs: read, never written`,
    )
    return {
      brokers: pairs.map((text, i) => text ?? (items[i] as StringNode).value),
      brokerList: { node, items: [], flow },
    }
  }
  const strings = items as StringNode[]
  checkBrokers(
    file,
    name,
    strings.map(item => ({ text: item.value, index: startOf(item) })),
  )
  for (const item of [node, ...strings]) noteAnchor(file, name, item)
  return {
    brokers: strings.map(item => item.value.trim()),
    brokerList: { node, items: strings, flow: flow || node.flow === true },
  }
}

/** host:port of a [host, port] pair of the older dialect. */
const pairText = (item: ParsedNode | null): string | undefined => {
  if (!isSeq(item) || item.items.length !== 2) return undefined
  const [host, port] = item.items
  return isScalar(host) && isScalar(port) ? `${host.value}:${port.value}` : undefined
}

const checkBrokers = (file: Reading, name: string, brokers: { text: string; index: number }[]): void => {
  const seen = new Set<string>()
  for (const { text, index } of brokers) {
    if (text.trim() === '') {
      file.say('warning', 'empty-broker', index, `a broker of ${name} is empty`)
      continue
    }
    const address = parseAddress(text.trim(), 9092)
    if (!address.ok) {
      file.say(
        'error',
        address.why === 'port' ? 'port' : 'broker-not-string',
        index,
        `${text} of ${name} is no host:port with a port of 1-65535`,
      )
      continue
    }
    if (seen.has(address.key))
      file.say('warning', 'duplicate-broker', index, `${text} stands twice in ${name}`)
    seen.add(address.key)
  }
}

const ZK_TROUBLE = {
  whitespace: ['zookeeper-whitespace', 'holds white space (a folded string?)'],
  chroot: ['chroot-not-last', 'has a chroot before its last host; one chroot stands at the very end'],
  port: ['port', 'has a port outside 1-65535'],
  form: ['value-not-string', 'is no host:port[,host:port...][/chroot]'],
} as const

const readZookeeper = (
  file: Reading,
  name: string,
  { node, key }: NonNullable<Lookup>,
): StringNode | undefined => {
  if (!isStringToAll(node)) {
    file.say(
      'error',
      'value-not-string',
      startOf(node ?? key),
      `zookeeper of ${name} is no string to every reader`,
    )
    return undefined
  }
  const parsed = parseZkConnect(node.value)
  if (!parsed.ok) {
    const [rule, text] = ZK_TROUBLE[parsed.why]
    file.say('error', rule, startOf(node), `zookeeper of ${name} ${text}`)
    return undefined
  }
  noteAnchor(file, name, node)
  return node
}

/** A node with an anchor or a tag can't be edited: what else hangs on it is not in this place. */
const noteAnchor = (file: Reading, name: string, node: ParsedNode): void => {
  const mark = markOf(node)
  if (mark)
    file.say('warning', 'anchor', startOf(node), `a value of ${name} has ${mark}: kmig does not edit it`)
}
