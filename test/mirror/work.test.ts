import { expect, test } from 'vitest'
import type { TopicPlan } from '../../src/mirror/plan.ts'
import { asShared, isOutdated, uncopied } from '../../src/mirror/work.ts'

const plan = (topic: string, action: TopicPlan['action'], copied: readonly (bigint | undefined)[]) =>
  ({
    topic,
    action,
    partitions: copied.map((done, partition) => ({ partition, copied: done })),
  }) as unknown as TopicPlan
const shared = (...wheres: string[]) => wheres.map(where => ({ where, weight: 0 }))
const seen = (plans: readonly TopicPlan[]) =>
  plans.map(({ topic, action, partitions }) => [topic, action, partitions.length])

test('what appeared after the work was shared out is left to be followed', () => {
  const plans = [
    plan('old', 'resume', [5n]),
    plan('new', 'create', [undefined]),
    plan('grown', 'grow', [5n, undefined]),
    plan('bad', 'refuse', [5n]),
  ]
  expect(seen(asShared(plans, shared('old-0', 'grown-0')))).toEqual([
    ['old', 'resume', 1],
    ['grown', 'resume', 1],
    ['bad', 'refuse', 1],
  ])
})

test('partitions that are ready and that nobody was given are found, but for topics that are refused', () => {
  const state = {
    topic: (name: string) => (name === 'unknown' ? undefined : ({ starts: [0n, 0n] } as never)),
  }
  const given = new Set(['a-0', 'a-1', 'b-0'])
  const how = { state, refused: ['c'], given }
  expect(uncopied(['a', 'b', 'c', 'unknown'], how)).toEqual(['b-1'])
})

test('growth that was shared out is made', () => {
  const plans = [plan('grown', 'grow', [5n, undefined])]
  expect(seen(asShared(plans, shared('grown-0', 'grown-1')))).toEqual([['grown', 'grow', 2]])
})

for (const [action, starts, outdated] of [
  ['create', undefined, false],
  ['create', 2, true],
  ['grow', 1, false],
  ['grow', 2, true],
  ['resume', 2, false],
] as const) {
  test(`a plan to ${action} 2 partitions of which ${starts ?? 'none'} are remembered is ${outdated ? '' : 'not '}outdated`, () => {
    const state = { topic: () => (starts ? ({ starts: Array(starts).fill(0n) } as never) : undefined) }
    expect(isOutdated([plan('orders', action, [undefined, undefined])], state)).toBe(outdated)
  })
}
