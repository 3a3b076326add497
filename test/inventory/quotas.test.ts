import { describe, expect, test } from 'vitest'
import { brokerEntries, type Found, planQuotas, userEntries } from '../../src/inventory/index.ts'
import type { ConfigEntry, Quota } from '../../src/kafka/index.ts'

const user = (name: string | null, value: number, key = 'producer_byte_rate'): Quota => ({
  entity: [{ type: 'user', name }],
  key,
  value,
})
const found = <T>(...items: T[]): Found<T> => ({ kind: 'found', items })

describe('quotas', () => {
  test('each is set where it is missing or another, and not where it is equal', () => {
    const [a, b, c] = [user('a', 1_000), user('b', 2_000), user(null, 50, 'request_percentage')]
    const plan = planQuotas({
      source: found(a, b, c),
      target: found(user('a', 1_000), user('b', 5)),
      wanted: true,
    })
    expect(plan.set).toEqual([b, c])
    expect(plan.entries).toEqual([
      { kind: 'quota', name: 'user a: producer_byte_rate=1000', outcome: 'copied' },
      { kind: 'quota', name: 'user b: producer_byte_rate=2000', outcome: 'copied', why: 'the target had 5' },
      {
        kind: 'quota',
        name: 'default user: request_percentage=50',
        outcome: 'copied',
        why: expect.stringContaining('this mirror’s own'),
      },
    ])
  })
  test('the parts of an entity may come in any order', () => {
    const parts = [
      { type: 'user', name: 'a' },
      { type: 'client-id', name: null },
    ]
    const quota = { entity: parts, key: 'consumer_byte_rate', value: 7 }
    const other = { ...quota, entity: parts.toReversed() }
    expect(planQuotas({ source: found(quota), target: found(other), wanted: true }).set).toEqual([])
  })
  test('what the target alone has is listed and stays', () => {
    const plan = planQuotas({ source: found(), target: found(user('x', 1)), wanted: true })
    expect(plan.entries).toMatchObject([{ name: 'user x: producer_byte_rate=1', outcome: 'extra' }])
    expect(plan.set).toEqual([])
  })
  for (const [title, target, wanted, outcome] of [
    ['by --sync', found<Quota>(), false, 'excluded'],
    ['does not tell', { kind: 'unknown', why: 'it does not tell' }, true, 'refused'],
  ] as const) {
    test(`a quota is ${outcome}, as the reason (${title}) says`, () => {
      const plan = planQuotas({ source: found(user('a', 1)), target, wanted })
      expect(plan.entries).toMatchObject([{ outcome, why: expect.stringContaining(title) }])
      expect(plan.set).toEqual([])
    })
  }
})

describe('what can’t be copied is listed with the reason', () => {
  test('SCRAM users, and whether the target has one of that name', () => {
    const one = (name: string) => ({
      user: name,
      credentials: [{ mechanism: 'SCRAM-SHA-256', iterations: 4096 }],
    })
    expect(userEntries(found(one('a'), one('b')), found(one('b'), one('c')))).toEqual([
      {
        kind: 'user',
        name: 'a (SCRAM-SHA-256, 4096 iterations)',
        outcome: 'refused',
        why: expect.stringMatching(/re-issue/),
      },
      {
        kind: 'user',
        name: 'b (SCRAM-SHA-256, 4096 iterations)',
        outcome: 'refused',
        why: expect.stringMatching(/target has a credential/),
      },
      { kind: 'user', name: 'c', outcome: 'extra', why: expect.any(String) },
    ])
  })
  const entry = (name: string, value: string | null, source: ConfigEntry['source'], sensitive = false) => {
    return { name, value, source, sensitive, readOnly: false }
  }
  test('dynamic settings of brokers and of all brokers, secrets hidden; static ones and defaults are not', () => {
    const rows = brokerEntries(
      found(
        { name: '', entries: [entry('log.cleaner.threads', '2', 'dynamic-default-broker')] },
        {
          name: '1',
          entries: [
            entry('log.cleaner.threads', '2', 'dynamic-default-broker'),
            entry('ssl.key.password', null, 'dynamic-broker', true),
            entry('num.io.threads', '8', 'static'),
            entry('delegation.token.secret.key', null, 'default', true),
          ],
        },
      ),
    )
    expect(rows.map(({ name, outcome }) => [name, outcome])).toEqual([
      ['all brokers: log.cleaner.threads=2', 'refused'],
      ['broker 1: ssl.key.password=(hidden)', 'refused'],
    ])
  })
  test('delegation tokens, where the source can issue them', () => {
    const entries = [entry('delegation.token.master.key', null, 'static', true)]
    expect(brokerEntries(found({ name: '1', entries }))).toMatchObject([
      { kind: 'delegation-tokens', outcome: 'refused', why: expect.stringContaining('new ones') },
    ])
  })
  test('that nothing could be read, with what to allow', () => {
    const why = 'allow DescribeConfigs'
    expect(brokerEntries({ kind: 'unknown', why })).toMatchObject([{ outcome: 'refused', why }])
    expect(userEntries({ kind: 'unknown', why }, found())).toMatchObject([{ outcome: 'refused', why }])
  })
})
