import { brokerKeys, hostsOf } from './address.ts'
import type { Directory } from './directory.ts'
import { readFileIn, unreadFinding } from './files.ts'
import type { Finding } from './findings.ts'
import type { Entry } from './parse.ts'
import { SourceText } from './source-text.ts'

/** What is known of a cluster: its bootstrap and advertised listeners (host:port), and its ZooKeeper connect string. */
export type ClusterAddresses = { brokers: readonly string[]; zookeeper?: string | undefined }

/** Which cluster an entry names: its broker set overlaps old's, or is new's already. */
export type Match = 'old' | 'new' | 'neither'

export const matchOf = (entry: Entry, old: ReadonlySet<string>, next: ReadonlySet<string>): Match => {
  const brokers = brokerKeys(entry.brokers)
  if (brokers.size === next.size && [...brokers].every(key => next.has(key))) return 'new'
  return [...brokers].some(key => old.has(key)) ? 'old' : 'neither'
}

/** A place outside matched entries that names a host of the old cluster: whoever reads it will not move. */
export type Mention = { path: string; line: number; column: number; host: string }

/** What a search for left-behind hosts found, and the files that it could not look into. */
export type Search = { mentions: Mention[]; unread: Finding[] }

/**
 * Searches every file for hosts of the old cluster, outside matched entries: text of any form in other files, values
 * but no comments in discovery files.
 */
export const findMentions = async (
  directory: Directory,
  options: { old: ReadonlySet<string>; matched: ReadonlySet<Entry>; signal?: AbortSignal | undefined },
): Promise<Search> => {
  const hosts = [...hostsOf(options.old)].map(host => host.replace(/[.[\]]/g, '\\$&'))
  const pattern = new RegExp(`(?<![\\w.-])(?:${hosts.join('|')})(?![\\w-]|\\.[A-Za-z0-9])`, 'gi')
  const search = (path: string, source: SourceText, text: string, owned: readonly Range[]): Mention[] =>
    [...text.matchAll(pattern)]
      .filter(({ index }) => !owned.some(([from, to]) => index >= from && index < to))
      .map(m => ({ path, ...source.position(m.index), host: m[0].toLowerCase() }))
  const found: Search = { mentions: [], unread: [] }
  for (const { path, source, entries } of directory.files) {
    const values = source.text.replace(/(^|\s)#.*$/gm, comment => ' '.repeat(comment.length))
    const owned = entries.filter(entry => options.matched.has(entry)).flatMap(rangesOf)
    found.mentions.push(...search(path, source, values, owned))
  }
  for (const path of directory.others) {
    options.signal?.throwIfAborted()
    const raw = await readFileIn(directory.root, path)
    if ('why' in raw) found.unread.push(unreadFinding(raw))
    else {
      const source = new SourceText(raw.bytes.toString('latin1')) // any bytes will do: addresses are ASCII
      found.mentions.push(...search(path, source, source.text, []))
    }
  }
  return found
}

type Range = [from: number, to: number]

const rangesOf = (entry: Entry): Range[] =>
  [entry.brokerList.node, entry.zookeeper?.node]
    .filter(node => node !== undefined)
    .map(({ range: [from, to] }) => [from, to])
