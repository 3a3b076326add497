import type { ConfigEntry, ScramUser } from '../kafka/index.ts'
import type { Entry, Found } from './entry.ts'

/** SCRAM users: no API gives what a new cluster would need to know of them. Source: KIP-554. */
export const userEntries = (source: Found<ScramUser>, target: Found<ScramUser>): Entry[] => {
  if (source.kind === 'unknown') return [{ kind: 'user', name: '(all)', outcome: 'refused', why: source.why }]
  const there = new Map(target.kind === 'found' ? target.items.map(each => [each.user, each]) : [])
  const theirs = source.kind === 'found' ? source.items : []
  const named = new Set(theirs.map(({ user }) => user))
  return [
    ...theirs.flatMap(({ user, credentials }) =>
      credentials.map(({ mechanism, iterations }): Entry => {
        const has = there.get(user)?.credentials.some(each => each.mechanism === mechanism)
        const known = has
          ? '; the target has a credential of this user, whether with the same password can’t be told'
          : ''
        const why = `hashes can't be read; re-issue the password, or copy /config/users between ZooKeepers${known}`
        return {
          kind: 'user',
          name: `${user} (${mechanism}, ${iterations} iterations)`,
          outcome: 'refused',
          why,
        }
      }),
    ),
    ...[...there.values()]
      .filter(({ user }) => !named.has(user))
      .map(
        ({ user }): Entry => ({
          kind: 'user',
          name: user,
          outcome: 'extra',
          why: 'the source has no such user; it stays',
        }),
      ),
  ]
}

export type BrokerSettings = { name: string; entries: readonly ConfigEntry[] }

const TOKEN_KEYS = ['delegation.token.secret.key', 'delegation.token.master.key']
const BROKERS_WHY =
  'settings of brokers belong to the machines they run on and are not copied; set it on the target if it should hold there'

/** Dynamic settings of brokers and of the whole cluster, and whether there can be delegation tokens. */
export const brokerEntries = (source: Found<BrokerSettings>): Entry[] => {
  if (source.kind === 'unknown')
    return [{ kind: 'broker-config', name: '(all)', outcome: 'refused', why: source.why }]
  const brokers = source.kind === 'found' ? source.items : []
  const rows = brokers.flatMap(({ name: broker, entries }) =>
    entries
      .filter(({ source: from }) => from === (broker === '' ? 'dynamic-default-broker' : 'dynamic-broker'))
      .map(({ name, value, sensitive }): Entry => {
        const where = broker === '' ? 'all brokers' : `broker ${broker}`
        const shown = sensitive || value === null ? '(hidden)' : value
        return {
          kind: 'broker-config',
          name: `${where}: ${name}=${shown}`,
          outcome: 'refused',
          why: BROKERS_WHY,
        }
      }),
  )
  const tokens = brokers.some(({ entries }) =>
    entries.some(({ name, source: from }) => TOKEN_KEYS.includes(name) && from !== 'default'),
  )
  const why = 'clients get new ones on the target: a token holds for the cluster that issued it'
  return tokens ? [...rows, { kind: 'delegation-tokens', name: '(all)', outcome: 'refused', why }] : rows
}
