import type { Entry, Sync } from '../inventory/index.ts'
import { chooser } from '../kit/index.ts'
import type { GroupReport } from '../offsets/index.ts'
import type { Inventory } from './inventory.ts'
import type { Lane } from './lane.ts'
import type { TopicPlan } from './plan.ts'

export type TopicLedger = {
  planned: readonly TopicPlan[]
  /** Every topic of the source. */
  names: readonly string[]
  sync: readonly Sync[]
  topics?: readonly string[] | undefined
  exclude?: readonly string[] | undefined
  /** Topics that can't go on, or could not be followed, with why. */
  stopped: ReadonlyMap<string, string>
}

/** Every topic of the source and every setting of its own, with what became of it. */
export const topicEntries = ({ planned, names, sync, stopped, ...flags }: TopicLedger): Entry[] => {
  const known = new Map(planned.map(each => [each.topic, each]))
  return [...new Set([...names, ...known.keys()])].sort().flatMap(name => {
    const plan = known.get(name)
    const why = stopped.get(name)
    if (plan) return [topicEntry(plan, why), ...configEntries(plan, sync)]
    return [
      why
        ? { kind: 'topic', name, outcome: 'refused', why }
        : { kind: 'topic', name, outcome: 'excluded', why: leftOut(name, flags) },
    ]
  })
}

const leftOut = (name: string, { topics, exclude }: Pick<TopicLedger, 'topics' | 'exclude'>): string => {
  if (name.startsWith('__kmig.')) return 'it is kmig’s own'
  if (name === '__consumer_offsets') return 'its offsets are copied group by group'
  if (name === '__transaction_state') return 'it belongs to the brokers; open transactions end on the source'
  if (exclude?.length && !chooser([], exclude)(name)) return 'by --exclude'
  if (topics?.length) return 'by --topics'
  return name.startsWith('__')
    ? 'it begins with __: such topics are mirrored where --topics names them'
    : 'it is new: the next look takes it'
}

const topicEntry = (plan: TopicPlan, stopped: string | undefined): Entry => {
  const { topic: name, action, why, replicationFactor, sourceReplicationFactor } = plan
  const kind = 'topic'
  if (stopped ?? why ?? (action === 'refuse' ? '' : undefined))
    return { kind, name, outcome: 'refused', why: stopped ?? why }
  if (replicationFactor === sourceReplicationFactor) return { kind, name, outcome: 'copied' }
  const fewer = `${replicationFactor} replicas, not ${sourceReplicationFactor}: the target has no more brokers`
  return { kind, name, outcome: 'changed', why: fewer }
}

const configEntries = (
  { topic, configs: { final, held, refused } }: TopicPlan,
  sync: readonly Sync[],
): Entry[] => [
  ...Object.entries(final)
    .filter(([name]) => !refused.some(each => each.name === name))
    .map(([name, value]): Entry => {
      const until = name in held ? `after the cutover; until then ${held[name]}` : undefined
      return {
        kind: 'config',
        name: `${topic}: ${name}=${value}`,
        outcome: 'copied',
        ...(until && { why: until }),
      }
    }),
  ...refused.map(({ name, value, why }): Entry => {
    const otherwise = sync.includes('configs') ? 'refused' : 'excluded'
    return {
      kind: 'config',
      name: `${topic}: ${name}=${value}`,
      outcome: name in final ? 'changed' : otherwise,
      why,
    }
  }),
]

/** Every group of the source, with what became of its offsets; parts of it that are not mirrored are apart. */
export const groupEntries = ({ rows, refused, excluded }: GroupReport): Entry[] => {
  const kind = 'group'
  const whole = new Map<string, Entry>()
  for (const { group: name, topic, why } of excluded)
    if (topic === undefined) whole.set(name, { kind, name, outcome: 'excluded', why })
  for (const { group: name, why } of refused) whole.set(name, { kind, name, outcome: 'refused', why })
  const byGroup = Map.groupBy(rows, ({ group }) => group)
  for (const [name, share] of byGroup) {
    if (whole.has(name)) continue
    const bad = share.flatMap(({ topic, partition, outcome }) => {
      if (outcome.kind === 'waiting')
        return [`${topic}-${partition}: at ${outcome.at}, the copy ends at ${outcome.copied}`]
      return 'why' in outcome ? [`${topic}-${partition}: ${outcome.why}`] : []
    })
    const more = bad.length > 1 ? ` (and ${bad.length - 1} more of ${share.length} partitions)` : ''
    whole.set(
      name,
      bad[0]
        ? { kind, name, outcome: 'refused', why: `${bad[0]}${more}` }
        : { kind, name, outcome: 'copied' },
    )
  }
  const parts = excluded.flatMap(({ group, topic, why }): Entry[] =>
    topic === undefined ? [] : [{ kind, name: `${group} on topic ${topic}`, outcome: 'excluded', why }],
  )
  return [...whole.values(), ...parts].sort((a, b) => (a.name < b.name ? -1 : 1))
}

export type LedgerOptions = Pick<TopicLedger, 'planned' | 'topics' | 'exclude'> & {
  lanes: readonly Lane[]
  /** Topics that appeared and could not be followed. */
  unfollowed: readonly { topic: string; why: string }[]
  groups: GroupReport
  inventory: Pick<Inventory, 'topics' | 'sync' | 'entries'>
}

/** Everything that the source has, as of the last look, with what became of it: topics, settings, groups, the rest. */
export const ledgerOf = ({
  lanes,
  unfollowed,
  groups,
  inventory,
  planned,
  topics,
  exclude,
}: LedgerOptions): Entry[] => {
  const stopped = new Map(unfollowed.map(({ topic, why }) => [topic, why]))
  for (const { topic, partition, place, stopped: error } of lanes)
    if (error)
      stopped.set(topic, `partition ${partition} stopped at ${place.source}: ${error.code}: ${error.message}`)
  const { topics: names, sync, entries } = inventory
  return [
    ...topicEntries({ planned, names, sync, topics, exclude, stopped }),
    ...groupEntries(groups),
    ...entries,
  ]
}
