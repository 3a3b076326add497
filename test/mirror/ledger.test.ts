import { describe, expect, test } from 'vitest'
import { planConfigs } from '../../src/inventory/index.ts'
import { Offset } from '../../src/kit/index.ts'
import { groupEntries, topicEntries } from '../../src/mirror/ledger.ts'
import { coverageLines, exceptionLines, planLines } from '../../src/mirror/ledger-text.ts'
import type { TopicPlan } from '../../src/mirror/plan.ts'
import type { GroupReport } from '../../src/offsets/index.ts'

const topic = (name: string, more: Partial<TopicPlan> = {}): TopicPlan => ({
  topic: name,
  sourceId: 's',
  targetId: undefined,
  action: 'create',
  why: undefined,
  replicationFactor: 1,
  sourceReplicationFactor: 1,
  configs: { final: {}, held: {}, refused: [] },
  partitions: [],
  ...more,
})
const ledger = (more: Partial<Parameters<typeof topicEntries>[0]>) =>
  topicEntries({ planned: [], names: [], sync: ['topics', 'configs'], stopped: new Map(), ...more })

describe('the ledger', () => {
  test('says of every topic of the source what became of it', () => {
    const planned = [
      topic('a'),
      topic('b', { sourceReplicationFactor: 3 }),
      topic('c', { action: 'refuse', why: 'records' }),
      topic('d'),
    ]
    const names = ['a', 'b', 'c', 'd', 'e', 'f', 'x', '__consumer_offsets', '__kmig.m', '__other']
    const stopped = new Map([
      ['d', 'partition 0 stopped'],
      ['f', 'it can’t be followed'],
    ])
    const found = ledger({ planned, names, stopped, exclude: ['e'] })
    expect(found.map(({ name, outcome, why = '' }) => `${name} ${outcome} ${why}`)).toEqual([
      expect.stringMatching(/^__consumer_offsets excluded its offsets/),
      expect.stringMatching(/^__kmig.m excluded it is kmig’s own/),
      expect.stringMatching(/^__other excluded it begins with __/),
      'a copied ',
      expect.stringMatching(/^b changed 1 replicas, not 3/),
      'c refused records',
      'd refused partition 0 stopped',
      'e excluded by --exclude',
      'f refused it can’t be followed',
      expect.stringMatching(/^x excluded it is new/),
    ])
    expect(ledger({ names: ['x'], topics: ['a*'] })).toMatchObject([
      { outcome: 'excluded', why: 'by --topics' },
    ])
  })

  for (const [sync, outcomes] of [
    [
      ['topics', 'configs'],
      ['copied', 'refused', 'changed'],
    ],
    [['topics'], ['excluded', 'excluded', 'excluded']],
  ] as const) {
    test(`each setting of a topic is ${[...new Set(outcomes)].join(', ')} with --sync ${sync.join(',')}`, () => {
      const own = (name: string, value: string) => ({ name, value, source: 'dynamic-topic' })
      const source = [own('segment.ms', '5'), own('min.insync.replicas', '2'), own('strange', '1')]
      const defaults = ['segment.ms', 'min.insync.replicas'].map(name => ({
        name,
        value: null,
        source: 'default',
      }))
      const copied = (sync as readonly string[]).includes('configs')
      const configs = planConfigs({ source, defaults, replicationFactor: 1, copied })
      const found = ledger({ planned: [topic('a', { configs })], sync })
      expect(found.slice(1).map(({ outcome }) => outcome)).toEqual(outcomes)
    })
  }

  test('a group is copied as a whole, or says the first reason why not; topics of it that are not mirrored are apart', () => {
    const row = (group: string, partition: number, outcome: GroupReport['rows'][number]['outcome']) => {
      return { group, topic: 't', partition, source: Offset(1n), outcome }
    }
    const found = groupEntries({
      rows: [
        row('a', 0, { kind: 'committed', at: Offset(1n) }),
        row('a', 1, { kind: 'renewed', at: Offset(1n) }),
        row('b', 0, { kind: 'unchanged', at: Offset(1n) }),
        row('b', 1, { kind: 'waiting', at: Offset(9n), copied: Offset(5n) }),
        row('b', 2, { kind: 'kept', at: Offset(9n), why: 'ahead' }),
      ],
      refused: [{ group: 'c', why: 'it has members' }],
      excluded: [
        { group: 'a', topic: 'other', why: 'the topic is not mirrored' },
        { group: 'd', why: 'by --groups' },
      ],
    })
    expect(found.map(({ name, outcome, why = '' }) => `${name} ${outcome} ${why}`.trim())).toEqual([
      'a copied',
      'a on topic other excluded the topic is not mirrored',
      'b refused t-1: at 9, the copy ends at 5 (and 1 more of 3 partitions)',
      'c refused it has members',
      'd excluded by --groups',
    ])
  })

  test('is summed up by kind, and of many exceptions alike the first are shown; a plan names every ACL', () => {
    const many = Array.from({ length: 30 }, (_, i) => ({
      kind: 'acl' as const,
      name: `${i}`,
      outcome: 'refused' as const,
      why: 'no',
    }))
    const entries = [...many, { kind: 'topic' as const, name: 't', outcome: 'copied' as const }]
    expect(coverageLines(entries)).toEqual(['ACLs: 30 NOT COPIED', 'topics: 1 copied'])
    const lines = exceptionLines(entries)
    expect(lines).toHaveLength(21)
    expect(planLines(entries)).toHaveLength(30)
    expect(planLines(many.map(each => ({ ...each, kind: 'group' as const })))).toHaveLength(21)
    expect([lines[0], lines.at(-1)]).toEqual(['NOT COPIED ACL 0: no', 'and 10 more like it, see --json'])
  })
})
