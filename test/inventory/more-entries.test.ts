import { expect, test } from 'vitest'
import { moreEntries } from '../../src/inventory/more-entries.ts'
import type { ConfigEntry } from '../../src/kafka/index.ts'

const entry = (name: string, value: string, source: ConfigEntry['source']): ConfigEntry => {
  return { name, value, source, readOnly: false, sensitive: false }
}
const found = <T>(...items: T[]) => ({ kind: 'found' as const, items })

test('client metrics, settings of groups and transactional ids are rows of the ledger, each with why it is not copied', () => {
  const rows = moreEntries({
    metrics: found({
      name: 'sub',
      entries: [entry('interval.ms', '100', 'other'), entry('match', '', 'default')],
    }),
    groups: found({
      name: 'readers',
      entries: [
        entry('consumer.session.timeout.ms', '50000', 'dynamic-group'),
        entry('consumer.heartbeat.interval.ms', '5000', 'default'),
      ],
    }),
    transactions: found(
      { transactionalId: 'done', producerId: 1n, state: 'CompleteCommit' },
      { transactionalId: 'open', producerId: 2n, state: 'Ongoing' },
    ),
  })
  expect(rows).toMatchObject([
    { kind: 'client-metrics', name: 'sub interval.ms=100', outcome: 'refused' },
    { kind: 'group-config', name: 'readers: consumer.session.timeout.ms=50000', outcome: 'refused' },
    { kind: 'transactional-id', name: 'done', outcome: 'excluded' },
    { kind: 'transactional-id', name: 'open', outcome: 'refused' },
  ])
  for (const { why } of rows) expect(why).toMatch(/.{20}/)
})

test('what the source does not tell is a row that says so; what it can’t have is none', () => {
  const unknown = { kind: 'unknown' as const, why: 'not allowed' }
  const none = { kind: 'none' as const, why: 'there are none' }
  expect(moreEntries({ metrics: unknown, groups: none, transactions: unknown })).toMatchObject([
    { kind: 'client-metrics', outcome: 'refused', why: 'not allowed' },
    { kind: 'transactional-id', outcome: 'refused', why: 'not allowed' },
  ])
})
