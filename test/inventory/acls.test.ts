import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { aclText, allowsWriting, type Found, planAcls } from '../../src/inventory/index.ts'
import type { Acl } from '../../src/kafka/index.ts'

const acl = (more: Partial<Acl> = {}): Acl => ({
  resource: 'topic',
  pattern: 'literal',
  name: 'orders',
  principal: 'User:app',
  host: '*',
  operation: 'read',
  permission: 'allow',
  ...more,
})
const found = (...items: Acl[]): Found<Acl> => ({ kind: 'found', items })
const outcomes = (plan: ReturnType<typeof planAcls>) =>
  plan.entries.map(({ name, outcome }) => [name, outcome])

describe('ACLs', () => {
  test('each is copied, of every resource and pattern; what is there is not made again', () => {
    const all = [
      acl(),
      acl({ pattern: 'prefixed', name: 'ord' }),
      acl({ resource: 'group', name: '*', host: '10.0.0.1' }),
      acl({ resource: 'cluster', name: 'kafka-cluster', operation: 'idempotent-write' }),
      acl({ resource: 'transactional-id', name: 'tx', operation: 'write', permission: 'deny' }),
      acl({ resource: 'delegation-token', name: 'User:b', operation: 'describe' }),
      acl({ resource: 'user', name: 'User:b', operation: 'create-tokens' }),
    ]
    const plan = planAcls({ source: found(...all), target: found(acl()), wanted: true })
    expect(plan.make).toEqual(all.slice(1))
    expect(plan.entries.map(({ outcome }) => outcome)).toEqual(all.map(() => 'copied'))
    expect(plan.entries.map(({ name }) => name).slice(0, 3)).toEqual([
      "allow User:app read on topic 'orders'",
      'allow User:app read on topic ord*',
      "allow User:app from 10.0.0.1 read on group '*'",
    ])
  })

  test('that the first ACLs of a target close it to others is said, and only then', () => {
    const warned = (...there: Acl[]) =>
      planAcls({ source: found(acl()), target: found(...there), wanted: true }).warning
    expect(warned()).toMatch(/first ACLs.*kmig too/)
    expect(warned(acl({ name: 'other' }))).toBeUndefined()
    expect(planAcls({ source: found(), target: found(), wanted: true }).warning).toBeUndefined()
  })

  test('what the target alone has is listed and stays', () => {
    const plan = planAcls({ source: found(), target: found(acl()), wanted: true })
    expect(outcomes(plan)).toEqual([[aclText(acl()), 'extra']])
    expect(plan.make).toEqual([])
  })

  for (const [title, source, target, wanted, outcome, why] of [
    [
      'a target without an authorizer',
      found(acl()),
      { kind: 'none', why: 'no authorizer' },
      true,
      'refused',
      /no authorizer/,
    ],
    [
      'a target that does not tell',
      found(acl()),
      { kind: 'unknown', why: 'denied' },
      true,
      'refused',
      /denied/,
    ],
    [
      'a source that does not tell',
      { kind: 'unknown', why: 'allow Describe' },
      found(),
      true,
      'refused',
      /allow Describe/,
    ],
    ['ACLs that --sync does not name', found(acl()), found(), false, 'excluded', /--sync/],
    [
      'an operation that kmig does not know',
      found(acl({ operation: '#99' })),
      found(),
      true,
      'refused',
      /#99/,
    ],
  ] as const) {
    test(`${title}: ${outcome}, with the reason, and nothing is made`, () => {
      const plan = planAcls({ source, target, wanted })
      expect(plan.entries).toMatchObject([{ outcome, why: expect.stringMatching(why) }])
      expect(plan.make).toEqual([])
    })
  }

  test('a write hold keeps back what allows writing to a moved topic, and says so of what is there already', () => {
    const [write, all, other] = [
      acl({ operation: 'write' }),
      acl({ operation: 'all' }),
      acl({ name: 'x', operation: 'write' }),
    ]
    const hold = (each: Acl) => allowsWriting(each, ['orders'])
    const plan = planAcls({ source: found(acl(), write, all, other), target: found(all), wanted: true, hold })
    expect(plan.make).toEqual([acl(), other])
    expect(plan.held).toEqual([write])
    expect(plan.entries.map(({ outcome }) => outcome)).toEqual(['copied', 'changed', 'changed', 'copied'])
    expect(plan.entries[2]?.why).toContain('the target has it already')
  })

  for (const [what, holds] of [
    [{ operation: 'write' }, true],
    [{ operation: 'all' }, true],
    [{ operation: 'write', pattern: 'prefixed', name: 'ord' }, true],
    [{ operation: 'write', pattern: 'prefixed', name: '' }, true],
    [{ operation: 'write', name: '*' }, true],
    [{ operation: 'write', name: 'order' }, false],
    [{ operation: 'write', pattern: 'prefixed', name: 'orders.' }, false],
    [{ operation: 'read' }, false],
    [{ operation: 'write', permission: 'deny' }, false],
    [{ operation: 'write', resource: 'transactional-id' }, false],
  ] as const) {
    test(`${aclText(acl(what))} ${holds ? 'allows' : 'does not allow'} writing to topic orders`, () => {
      expect(allowsWriting(acl(what), ['orders'])).toBe(holds)
    })
  }

  test('a second look after the first was acted on makes nothing, whatever both sides had', () => {
    const some = fc.array(
      fc.record({
        resource: fc.constantFrom('topic', 'group', 'cluster'),
        pattern: fc.constantFrom('literal', 'prefixed'),
        name: fc.constantFrom('a', 'b', '*'),
        principal: fc.constantFrom('User:a', 'User:*'),
        host: fc.constant('*'),
        operation: fc.constantFrom('read', 'write', 'all'),
        permission: fc.constantFrom('allow', 'deny'),
      }),
    )
    fc.assert(
      fc.property(some, some, (theirs, ours) => {
        const source = found(...new Map(theirs.map(each => [aclText(each), each])).values())
        const first = planAcls({ source, target: found(...ours), wanted: true })
        const second = planAcls({ source, target: found(...ours, ...first.make), wanted: true })
        expect(second.make).toEqual([])
        expect(second.entries.filter(({ outcome }) => outcome === 'copied')).toHaveLength(
          source.kind === 'found' ? source.items.length : 0,
        )
      }),
    )
  })
})
