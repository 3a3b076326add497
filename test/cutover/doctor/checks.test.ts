import { expect, test } from 'vitest'
import type { Facts, Side, Topic } from '../../../src/cutover/doctor/facts.ts'
import type { CheckId, Outcome } from '../../../src/cutover/doctor/finding.ts'
import { replicaChecks } from '../../../src/cutover/doctor/replicas.ts'
import { settingChecks } from '../../../src/cutover/doctor/settings.ts'
import type { ConfigEntry } from '../../../src/kafka/index.ts'

const topic = (name: string, replicas: number[], more: Partial<Topic['partitions'][number]> = {}): Topic => ({
  ...{ name, errorCode: 0, topicId: name, isInternal: false, authorizedOperations: 0 },
  partitions: [
    {
      ...{ errorCode: 0, partition: 0, leader: replicas[0] ?? -1, leaderEpoch: 0 },
      ...{ replicas, isr: replicas, offlineReplicas: [], ...more },
    },
  ],
})
const configs = (
  values: Record<string, string>,
  source: ConfigEntry['source'] = 'dynamic-topic',
): ConfigEntry[] =>
  Object.entries(values).map(([name, value]) => ({ name, value, source, readOnly: false, sensitive: false }))
const side = (which: Side['side'], more: Partial<Side> = {}): Side => ({
  ...{ side: which, name: which, cluster: {} as Side['cluster'], topics: [] },
  brokers: ['a', 'a', 'b'].map((rack, i) => ({ nodeId: i + 1, host: 'h', port: 1, rack })),
  topicConfigs: { kind: 'seen', value: new Map() },
  brokerConfigs: { kind: 'seen', value: new Map() },
  versions: { kind: 'seen', value: new Map([[1, '3.9']]) },
  groups: { kind: 'seen', value: [] },
  ...more,
})
const facts = (old: Partial<Side>, next: Partial<Side> = {}, moving = ['orders']): Facts => ({
  ...{ old: side('old', old), next: side('new', next), moving: new Set(moving) },
  plan: { topics: [] } as unknown as Facts['plan'],
})
const found = (outcomes: readonly Outcome[], id: CheckId) => {
  const outcome = outcomes.find(each => each.id === id)
  return outcome?.kind === 'looked'
    ? outcome.findings.map(({ severity, evidence }) => `${severity}: ${evidence}`)
    : outcome?.why
}
const topicConfigs = (values: Record<string, string>): Pick<Side, 'topicConfigs'> => ({
  topicConfigs: { kind: 'seen', value: new Map([['orders', configs(values)]]) },
})
const brokerConfigs = (values: Record<string, string>, source?: ConfigEntry['source']) => ({
  brokerConfigs: { kind: 'seen' as const, value: new Map([['1', configs(values, source ?? 'static')]]) },
})

test('replicas in one rack are told where there are several, of topics that move', () => {
  const topics = [topic('orders', [1, 2]), topic('spread', [1, 3]), topic('stays', [1, 2])]
  const rows = replicaChecks(facts({ topics }, {}, ['orders', 'spread']))
  expect(found(rows, 'rack-spread')).toEqual([
    "warning: all replicas of a partition are in one rack on 'old': orders",
  ])
  const flat = side('old').brokers.map(broker => ({ ...broker, rack: 'a' }))
  expect(found(replicaChecks(facts({ topics, brokers: flat })), 'rack-spread')).toEqual([])
})

const rows: [id: CheckId, what: string, facts: Facts, expected: RegExp | undefined][] = [
  [
    'versions',
    'brokers in the middle of an upgrade',
    facts({
      versions: {
        kind: 'seen',
        value: new Map([
          [1, '3.7'],
          [2, '3.9'],
        ]),
      },
    }),
    /^warning: brokers of 'old' speak as different versions: 3\.7, 3\.9$/,
  ],
  [
    'message-limit',
    'batches larger than a request',
    facts(
      topicConfigs({ 'max.message.bytes': '200000000' }),
      brokerConfigs({ 'socket.request.max.bytes': '104857600' }),
    ),
    /^error: batches may be larger than 'new' reads at once .*: orders$/,
  ],
  [
    'timestamp-limits',
    'times an hour ahead',
    facts(
      topicConfigs({ 'message.timestamp.difference.max.ms': '9223372036854775807' }),
      brokerConfigs({ 'log.message.timestamp.after.max.ms': '3600000' }),
    ),
    /^warning: 'new' refuses records whose time is more than .* ahead, .*: orders$/,
  ],
  [
    'timestamp-limits',
    'a limit that is copied with the topic',
    facts(
      topicConfigs({ 'message.timestamp.after.max.ms': '9223372036854775807' }),
      brokerConfigs({ 'log.message.timestamp.after.max.ms': '3600000' }),
    ),
    undefined,
  ],
  [
    'producer-id-expiration',
    'a short memory',
    facts({}, brokerConfigs({ 'producer.id.expiration.ms': '86400000' })),
    /^warning: brokers of 'new' forget a producer .* after its records' own time/,
  ],
  [
    'producer-id-expiration',
    'the longest memory',
    facts({}, brokerConfigs({ 'producer.id.expiration.ms': '2147483647' })),
    undefined,
  ],
  [
    'throttle-leftover',
    'a dynamic throttle of a broker',
    facts(brokerConfigs({ 'leader.replication.throttled.rate': '1000' }, 'dynamic-broker')),
    /^warning: replication is throttled on 'old': broker 1 \(leader\.replication\.throttled\.rate\)$/,
  ],
  [
    'throttle-leftover',
    'a default that is no throttle',
    facts(brokerConfigs({ 'leader.replication.throttled.rate': '9223372036854775807' }, 'default')),
    undefined,
  ],
  [
    'compression-not-producer',
    'a new cluster that recompresses',
    facts({}, brokerConfigs({ 'compression.type': 'zstd' })),
    /^warning: 'new' recompresses by default.*broker 1 \(zstd\)$/,
  ],
]
for (const [id, what, given, expected] of rows) {
  test(`${id}: ${what}`, () => {
    const lines = found(settingChecks(given), id)
    expect(lines).toEqual(expected ? [expect.stringMatching(expected)] : [])
  })
}
test('settings that are not told are no settings that are right', () => {
  const outcomes = settingChecks(facts({ brokerConfigs: { kind: 'unseen', why: 'denied' } }))
  expect(found(outcomes, 'auto-create')).toBe('denied')
  expect(found(outcomes, 'unclean-election')).toBe('denied')
})
