import type { Entry, EntryKind } from '../inventory/index.ts'
import { formatCount } from '../kit/index.ts'

const NAMES: Readonly<Record<EntryKind, readonly [one: string, many: string]>> = {
  topic: ['topic', 'topics'],
  config: ['setting of topics', 'settings of topics'],
  group: ['group', 'groups'],
  acl: ['ACL', 'ACLs'],
  quota: ['quota', 'quotas'],
  user: ['SCRAM user', 'SCRAM users'],
  'broker-config': ['setting of brokers', 'settings of brokers'],
  'delegation-tokens': ['delegation tokens', 'delegation tokens'],
  'client-metrics': ['subscription of client metrics', 'subscriptions of client metrics'],
  'group-config': ['setting of groups', 'settings of groups'],
  'transactional-id': ['transactional id', 'transactional ids'],
}
const OUTCOMES = ['copied', 'changed', 'refused', 'excluded', 'extra'] as const
const SAID: Readonly<Record<Entry['outcome'], string>> = {
  copied: 'copied',
  changed: 'changed',
  refused: 'NOT COPIED',
  excluded: 'left out',
  extra: 'on the target only',
}

/** 'left out ACL allow User:a read on topic 'x': by --sync, which does not name acls' */
const entryLine = ({ kind, name, outcome, why }: Entry): string =>
  `${SAID[outcome]} ${NAMES[kind][0]} ${name}${why ? `: ${why}` : ''}`

/** How many of each kind became what, a line per kind. */
export const coverageLines = (entries: readonly Entry[]): string[] =>
  [...Map.groupBy(entries, ({ kind }) => kind)].map(([kind, share]) => {
    const counts = OUTCOMES.map(
      outcome => [SAID[outcome], share.filter(each => each.outcome === outcome).length] as const,
    )
    const parts = counts
      .filter(([, count]) => count > 0)
      .map(([said, count]) => `${formatCount(count)} ${said}`)
    return `${NAMES[kind][1]}: ${parts.join(', ')}`
  })

const SHOWN = 20
/** A line each; of many alike the first ones. */
const firstLines = (entries: readonly Entry[]): string[] =>
  [...Map.groupBy(entries, ({ kind, outcome }) => `${kind} ${outcome}`).values()].flatMap(share => {
    const more = share.length - SHOWN
    return [
      ...share.slice(0, SHOWN).map(entryLine),
      ...(more > 0 ? [`and ${formatCount(more)} more like it, see --json`] : []),
    ]
  })
/** What is neither simply copied nor left out by a flag. */
export const exceptionLines = (entries: readonly Entry[]): string[] =>
  firstLines(entries.filter(({ outcome }) => outcome !== 'copied' && outcome !== 'excluded'))

/** What a plan says beside the lines of its topics: of topics and groups the first that are left out, all of the rest. */
export const planLines = (entries: readonly Entry[]): string[] => {
  const isMany = ({ kind }: Entry) => kind === 'topic' || kind === 'group' || kind === 'transactional-id'
  const many = entries.filter(isMany)
  const left = many.filter(
    ({ kind, outcome }) => outcome === 'excluded' || (kind !== 'topic' && outcome !== 'copied'),
  )
  const rest = entries.filter(entry => !isMany(entry) && entry.kind !== 'config')
  return [...firstLines(left), ...rest.map(entryLine)]
}
