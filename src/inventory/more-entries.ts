import type { ResourceSettings, TransactionalId } from '../kafka/index.ts'
import type { Entry, EntryKind, Found } from './entry.ts'

const METRICS_WHY =
  'subscriptions tell clients where their brokers want metrics from, and are not copied; set it on the target with kafka-client-metrics if it should hold there'
const GROUPS_WHY =
  'settings of groups are not copied; set it on the target with kafka-configs --entity-type groups before the group moves'
const ENDED_WHY =
  'nothing of it is left to copy: what it committed is copied as records, and its producer begins anew on the target'
const OPEN_WHY =
  'its transaction is open: what it writes is copied once it is committed on the source, and nothing behind it before that'

/** States in which a transaction has ended. Source: TransactionState. */
const ENDED: ReadonlySet<string> = new Set(['Empty', 'CompleteCommit', 'CompleteAbort', 'Dead'])

export type MoreFound = {
  metrics: Found<ResourceSettings>
  groups: Found<ResourceSettings>
  transactions: Found<TransactionalId>
}

const itemsOf = <T>(kind: EntryKind, found: Found<T>, rows: (item: T) => Entry[]): Entry[] => {
  if (found.kind === 'unknown') return [{ kind, name: '(all)', outcome: 'refused', why: found.why }]
  return found.kind === 'found' ? found.items.flatMap(rows) : []
}

/** What newer brokers hold beside topics, groups and rights: none of it is copied, each with why. */
export const moreEntries = ({ metrics, groups, transactions }: MoreFound): Entry[] => [
  ...itemsOf('client-metrics', metrics, ({ name, entries }): Entry[] => {
    const set = entries.filter(({ source }) => source !== 'default').map(each => `${each.name}=${each.value}`)
    return [{ kind: 'client-metrics', name: [name, ...set].join(' '), outcome: 'refused', why: METRICS_WHY }]
  }),
  ...itemsOf('group-config', groups, ({ name: group, entries }) =>
    entries
      .filter(({ source }) => source === 'dynamic-group')
      .map(({ name, value }): Entry => {
        return {
          kind: 'group-config',
          name: `${group}: ${name}=${value}`,
          outcome: 'refused',
          why: GROUPS_WHY,
        }
      }),
  ),
  ...itemsOf('transactional-id', transactions, ({ transactionalId: name, state }): Entry[] => {
    const open = !ENDED.has(state)
    const outcome = open ? 'refused' : 'excluded'
    return [{ kind: 'transactional-id', name, outcome, why: open ? OPEN_WHY : ENDED_WHY }]
  }),
]
