import { KmigError } from '../kit/index.ts'
import { brokerKeys, hostsOf, parseAddress, parseZkConnect } from './address.ts'
import type { Directory } from './directory.ts'
import { type EditKind, REPLACE } from './edit-kind.ts'
import { type FileChange, type PlannedEdit, planFile } from './file-plan.ts'
import { type Finding, refusal } from './findings.ts'
import { type ClusterAddresses, findMentions, type Mention } from './match.ts'
import type { DiscoveryFile, Entry } from './parse.ts'
import type { Known } from './parts.ts'

/** An entry that must change, or is as it shall be (`already`). */
export type PlannedEntry = {
  path: string
  line: number
  type: string
  cluster: string
  is: 'change' | 'already'
}

/** What would be done to a directory. JSON can hold it; applying needs nothing but this and the files. */
export type Plan = {
  root: string
  files: FileChange[]
  /** The same, value by value. */
  edits: PlannedEdit[]
  entries: PlannedEntry[]
  mentions: Mention[]
  /** Warnings; with an error there is no plan. */
  findings: Finding[]
  /** Unified diff of all files, in the order of their paths. */
  diff: string
}

export type PlanOptions = {
  old: ClusterAddresses
  next: ClusterAddresses
  /** Default: values of old entries are replaced in place. */
  kind?: EditKind | undefined
  signal?: AbortSignal | undefined
}

/**
 * Plans the edits that bring readers of the old cluster to the new one; nothing is written.
 * Throws DISCOVERY_INVALID when any file has an error, DISCOVERY_NO_MATCH when no entry names either cluster,
 * BAD_ADDRESS when an address is none that a discovery file can hold.
 */
export const planEdits = async (
  directory: Directory,
  { old, next, kind = REPLACE, signal }: PlanOptions,
): Promise<Plan> => {
  const refused = refusal(directory.findings)
  if (refused) throw refused
  checkAddresses(old)
  checkAddresses(next)
  const known: Known = { old, next, oldKeys: brokerKeys(old.brokers), newKeys: brokerKeys(next.brokers) }
  const plans = directory.files.map(file => ({ file, plan: planFile(file, known, kind) }))
  const findings = [...directory.findings, ...plans.flatMap(({ plan }) => plan.findings)]
  const unsafe = refusal(findings)
  if (unsafe) throw unsafe
  const entries = plans.flatMap(({ file, plan }) => [
    ...plan.change.map(entry => planned(file, entry, 'change')),
    ...plan.already.map(entry => planned(file, entry, 'already')),
  ])
  if (entries.length === 0) throw noMatch(directory, known.oldKeys)
  const matched = new Set(plans.flatMap(({ plan }) => [...plan.change, ...plan.already]))
  const { mentions, unread } = await findMentions(directory, { old: known.oldKeys, matched, signal })
  // Old and new may share a host; naming it is then no sign of being left behind.
  const shared = hostsOf(known.newKeys)
  const made = plans.map(({ plan }) => plan.made).filter(one => one !== undefined)
  return {
    root: directory.root,
    files: made.map(one => one.change),
    edits: made.flatMap(one => one.edits),
    entries,
    mentions: mentions.filter(({ host }) => !shared.has(host)),
    findings: [...findings, ...unread],
    diff: made.map(one => one.diff).join(''),
  }
}

const planned = (file: DiscoveryFile, entry: Entry, is: PlannedEntry['is']): PlannedEntry => ({
  path: file.path,
  line: file.source.position(entry.keyAt).line,
  type: file.type,
  cluster: entry.name,
  is,
})

const noMatch = ({ root, files }: Directory, old: ReadonlySet<string>): KmigError => {
  const names = files.flatMap(file => file.entries.map(entry => `${file.type}/${entry.name}`))
  return new KmigError(
    'DISCOVERY_NO_MATCH',
    `none of the ${names.length} entries under ${root} names a broker of the old cluster (${[...old].join(', ')}); entries: ${names.slice(0, 10).join(', ')}`,
    { try: ['compare broker_list with the bootstrap and the advertised listeners of the old cluster'] },
  )
}

const checkAddresses = ({ brokers, zookeeper }: ClusterAddresses): void => {
  const wrong = brokers.find(broker => !parseAddress(broker, 9092).ok)
  if (brokers.length === 0 || wrong !== undefined) {
    throw new KmigError('BAD_ADDRESS', `${wrong ?? 'an empty list'} is no host:port`)
  }
  if (zookeeper !== undefined && !parseZkConnect(zookeeper).ok) {
    throw new KmigError('BAD_ADDRESS', `${zookeeper} is no ZooKeeper connect string`)
  }
}
