import { join } from 'node:path'
import { type During, isKmigError } from '../kit/index.ts'
import { brokerKeys, hostsOf } from './address.ts'
import { type Directory, readDirectory } from './directory.ts'
import type { Finding } from './findings.ts'
import { type Lookup, lookUp } from './lookup.ts'
import { type ClusterAddresses, findMentions, type Match, type Mention, matchOf } from './match.ts'

export type ShownEntry = {
  file: string
  line: number
  type: string
  cluster: string
  dialect: 'current' | 'older'
  brokers: string[]
  zookeeper: string | undefined
  /** Which cluster it names; undefined when no cluster was given to compare with. */
  names: Match | undefined
}

export type ShowReport = {
  lookup: Lookup
  entries: ShownEntry[]
  mentions: Mention[]
  findings: Finding[]
}

export type ShowOptions = Pick<During, 'signal'> & {
  /** Directories as readers look them up, in their order. */
  directories: readonly { path: string; why: string }[]
  followSymlinks?: boolean | undefined
  old?: ClusterAddresses | undefined
  next?: ClusterAddresses | undefined
}

/** What readers find, where, who wins, and which entries name which cluster. Paths are whole ones. Reads only. */
export const showDiscovery = async (options: ShowOptions): Promise<ShowReport> => {
  const { directories, old, next, signal } = options
  const report: ShowReport = { lookup: await lookUp(directories), entries: [], mentions: [], findings: [] }
  const keys = { old: brokerKeys(old?.brokers ?? []), next: brokerKeys(next?.brokers ?? []) }
  for (const { path, found } of report.lookup.directories) {
    if (!found) continue
    const directory = await readIfAny(path, options)
    if (!directory) continue
    const at = <A extends { path: string }>(one: A): A => ({ ...one, path: join(path, one.path) })
    const named = directory.files.flatMap(file =>
      file.entries.map(entry => ({ file, entry, names: matchOf(entry, keys.old, keys.next) })),
    )
    report.findings.push(...directory.findings.map(at))
    for (const { file, entry, names } of named) {
      report.entries.push({
        file: join(path, file.path),
        line: file.source.position(entry.keyAt).line,
        type: file.type,
        cluster: entry.name,
        dialect: entry.dialect,
        brokers: entry.brokers,
        zookeeper: entry.zookeeper?.node.value,
        names: old || next ? names : undefined,
      })
    }
    if (!old) continue
    const matched = new Set(named.filter(({ names }) => names !== 'neither').map(({ entry }) => entry))
    const { mentions, unread } = await findMentions(directory, { old: keys.old, matched, signal })
    const shared = hostsOf(keys.next)
    report.mentions.push(...mentions.filter(({ host }) => !shared.has(host)).map(at))
    report.findings.push(...unread.map(at))
  }
  return report
}

const readIfAny = async (
  path: string,
  { followSymlinks, signal }: ShowOptions,
): Promise<Directory | undefined> => {
  try {
    return await readDirectory(path, { followSymlinks, signal })
  } catch (e) {
    if (isKmigError(e, 'DISCOVERY_EMPTY')) return undefined
    throw e
  }
}
