import { KmigError } from '../kit/index.ts'
import { besidePart, flipPart, removalPart } from './entry-edit.ts'
import type { DiscoveryFile, Entry } from './parse.ts'
import { brokerPart, type Known, noteBrokers, type Part, type Say, zookeeperPart } from './parts.ts'

/** How readers come to the new cluster. Source: DISCOVERY.md 2, "Edits". */
export type EditKind =
  /** Entries that name the old cluster get the values of the new one, all of them or some. */
  | { kind: 'replace'; keys: readonly ('broker_list' | 'zookeeper')[] }
  /** An entry for the new cluster is added beside each; `*` in the name stands for the name of the old entry. */
  | { kind: 'beside'; name: string; flip: boolean }
  /** Where an old entry is the default, the entry that names the new cluster becomes it: for readers that name none. */
  | { kind: 'flip' }
  /** Entries that name the old cluster go; the file must have one that names the new one. */
  | { kind: 'remove' }

export const REPLACE: EditKind = { kind: 'replace', keys: ['broker_list', 'zookeeper'] }

const NAME = /^[A-Za-z0-9*][A-Za-z0-9*._-]*$/

/** The flags of `set` as a kind. Throws USAGE when they don't go together. */
export const editKindOf = (flags: {
  only?: string | undefined
  beside?: string | undefined
  flip?: boolean | undefined
  removeOld?: boolean | undefined
}): EditKind => {
  const { only, beside, flip = false, removeOld = false } = flags
  if (beside !== undefined && !NAME.test(beside)) {
    throw new KmigError(
      'USAGE',
      `--beside ${beside} is no name: letters, digits, . _ - and * for the old name`,
    )
  }
  if (beside !== undefined) return { kind: 'beside', name: beside, flip }
  if (flip) return { kind: 'flip' }
  if (removeOld) return { kind: 'remove' }
  return only === 'broker_list' || only === 'zookeeper' ? { kind: 'replace', keys: [only] } : REPLACE
}

type Matched = { known: Known; kind: EditKind; old: readonly Entry[]; next: readonly Entry[]; say: Say }

/** What each entry that names one of the clusters brings about in its file. */
export const partsOf = (file: DiscoveryFile, matched: Matched): Map<Entry, Part[]> => {
  const { kind } = matched
  switch (kind.kind) {
    case 'replace':
      return replaced(file, kind.keys, matched)
    case 'beside':
      return beside(file, kind, matched)
    case 'flip':
      return flipped(file, matched)
    case 'remove':
      return removed(file, matched)
    default:
      return kind satisfies never
  }
}

const replaced = (
  file: DiscoveryFile,
  keys: readonly string[],
  { known, old, next, say }: Matched,
): Map<Entry, Part[]> => {
  // Alone, the zookeeper of an entry whose brokers were moved before is still to do.
  const chosen = keys.includes('broker_list') ? old : [...old, ...next]
  return new Map(
    chosen.map(entry => {
      if (keys.includes('broker_list')) noteBrokers(known, entry, say)
      return [
        entry,
        [
          ...(keys.includes('broker_list') ? brokerPart(file, known, entry, say) : []),
          ...(keys.includes('zookeeper') ? zookeeperPart(file, known, entry, say) : []),
        ],
      ]
    }),
  )
}

const beside = (
  file: DiscoveryFile,
  { name: pattern, flip }: Extract<EditKind, { kind: 'beside' }>,
  { known, old, next, say }: Matched,
): Map<Entry, Part[]> => {
  const names = new Set<string>()
  return new Map(
    old.map(entry => {
      const name = pattern.replaceAll('*', entry.name)
      const there = file.entries.find(other => other.name === name)
      if (names.has(name) || (there && !next.includes(there))) {
        const message = `${name} can't be added beside ${entry.name}: the file has an entry of that name`
        say('error', 'name-taken', there?.keyAt ?? entry.keyAt, `${message}; a * in --beside is the old name`)
      }
      names.add(name)
      const isDefault = flip && file.local?.node.value === entry.name
      return [
        entry,
        [
          ...(there ? [] : besidePart(file, known, entry, name, say)),
          ...(isDefault ? flipPart(file, name, say) : []),
        ],
      ]
    }),
  )
}

const flipped = (file: DiscoveryFile, { old, next, say }: Matched): Map<Entry, Part[]> => {
  const now = old.find(({ name }) => name === file.local?.node.value)
  if (!now || !file.local) return new Map()
  const [to, ...more] = next
  const at = file.local.node.range[0]
  if (!to || more.length > 0) {
    const found = to ? `${next.length} entries name` : 'no entry names'
    const message = `the default is ${now.name}, and ${found} the new cluster${to ? `: ${next.map(({ name }) => name).join(', ')}` : '; --beside adds one'}`
    say('error', 'no-new-entry', at, message)
    return new Map()
  }
  return new Map([[now, flipPart(file, to.name, say)]])
}

const removed = (file: DiscoveryFile, { old, next, say }: Matched): Map<Entry, Part[]> =>
  new Map(
    old.map(entry => {
      if (next.length === 0)
        say('error', 'no-new-entry', entry.keyAt, `${entry.name} can't go: no entry names the new cluster`)
      if (file.local?.node.value === entry.name)
        say(
          'error',
          'dangling-local-config',
          file.local.node.range[0],
          `${entry.name} is still the default: --flip`,
        )
      return [entry, removalPart(file, entry, new Set(old), say)]
    }),
  )
