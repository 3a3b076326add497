import { describe, expect, test, vi } from 'vitest'
import { type Explored, exploreCutover } from './cutover-model.ts'
import { brokenIn } from './invariants.ts'
import { begun, type Left, type Sabotage } from './world.ts'

// Every interleaving, 30 s of work for the largest: no deadline of a unit test on a machine that does other work too.
vi.setConfig({ testTimeout: 300_000 })

const explored = (
  left: Partial<Left>,
  sabotage?: Sabotage,
  how?: { readersFirst: boolean },
): Promise<Explored> => exploreCutover(begun(left, how), { broken: brokenIn, ...(sabotage && { sabotage }) })
const told = ({ broken }: Explored): string | undefined =>
  broken && [broken.why, ...broken.trace].join('\n  ')
const endings = ({ idle }: Explored): string[] => [...new Set(idle.map(({ how }) => how))].sort()

describe('the cutover’s own code over a made-up world, killed before each of its effects, with all that may happen in between', () => {
  test('killed anywhere and started again it always ends switched, with each record once', async () => {
    const all = await explored({ crashes: 2, executes: 3, writes: 1 })
    expect(told(all)).toBeUndefined()
    expect(endings(all)).toEqual(['begin', 'execute: switched', 'killed'])
  })
  test('a straggler’s record is found and the old world put back, or it is named', async () => {
    const all = await explored({ crashes: 1, executes: 2, stragglers: 1 })
    expect(told(all)).toBeUndefined()
    expect(endings(all)).toEqual(['begin', 'execute: STILL_WRITTEN', 'execute: switched', 'killed'])
    const { idle } = all
    expect(idle.some(({ d }) => d.last?.at === 'switched' && d.late.length > 0)).toBe(true)
  })
  test('a stranger’s record on the new cluster never comes to be served below the cut', async () => {
    const all = await explored({ crashes: 1, executes: 2, strangers: 1 })
    expect(told(all)).toBeUndefined()
    expect(endings(all)).toContain('execute: FOREIGN_WRITE')
  })
  test('a rollback, killed anywhere, restores the files and brings back what clients wrote to the new cluster', async () => {
    const all = await explored({ crashes: 1, executes: 2, rollbacks: 1, writes: 1 })
    expect(told(all)).toBeUndefined()
    expect(endings(all)).toContain('rollback: rolled-back')
    expect(
      all.idle.some(({ d }) => d.last?.at === 'rolled-back' && d.old.length === 3 && d.armed === null),
    ).toBe(true)
  })
  test('a rollback without a copy back, killed anywhere, loses no record that clients write to the new cluster at any moment', async () => {
    const left = { crashes: 1, executes: 2, rollbacks: 1, writes: 1 }
    const all = await exploreCutover(begun(left, { wayBack: false }), { broken: brokenIn })
    expect(told(all)).toBeUndefined()
    expect(endings(all)).toEqual(
      expect.arrayContaining(['rollback: rolled-back', 'rollback: ROLLBACK_REFUSED']),
    )
  })
  test('a watchdog that lets the writers go, and a runner that lives, never both win', async () => {
    const all = await explored({ executes: 2, watchdogs: 1, writes: 1 })
    expect(told(all)).toBeUndefined()
    expect(endings(all)).toContain('execute: FENCE_BUDGET')
  })

  test('writers that are started while kmig is dead lose no record that is not named', async () => {
    const left = { crashes: 1, executes: 2, writes: 1, starts: 1 }
    expect(told(await explored(left))).toBeUndefined()
  })

  const first = { readersFirst: true }
  test('readers that go first, killed anywhere, read each record once, wherever they stand when kmig has ended', async () => {
    const all = await explored({ crashes: 1, executes: 2, reads: 1 }, undefined, first)
    expect(told(all)).toBeUndefined()
    expect(endings(all)).toEqual(['begin', 'execute: switched', 'killed'])
    const { idle } = all
    expect(idle.some(({ d, how }) => how === 'killed' && d.moved && d.reader === 'stopped')).toBe(true)
  })
  test('readers that went first go back with a rollback, and read each record once', async () => {
    const all = await explored({ executes: 1, rollbacks: 1, writes: 1, reads: 1 }, undefined, first)
    expect(told(all)).toBeUndefined()
    expect(all.idle.some(({ d, how }) => how === 'rollback: rolled-back' && d.reader === 'old')).toBe(true)
  })
  test('without groups that are left alone once they have moved it breaks', async () => {
    const { broken } = await explored({ executes: 1, reads: 2 }, { overwrites: true }, first)
    expect(broken?.why).toMatch(/the group (?:has read|stands)/)
  })

  const rows: [rule: string, left: Partial<Left>, sabotage: Sabotage, symptom: RegExp][] = [
    [
      'the look for strangers on the new cluster',
      { strangers: 1 },
      { blindToStrangers: true },
      /below the cut/,
    ],
    [
      'the look for stragglers on the old cluster',
      { stragglers: 1 },
      { blindToGrowth: true },
      /lost, and not named/,
    ],
    [
      'proofs that expire with their process',
      { crashes: 1, executes: 2, writes: 1, starts: 1 },
      { noDemotion: true, blindToGrowth: true },
      /lost, and not named/,
    ],
    [
      'the intent that is written down before the switch',
      { crashes: 1, executes: 2, writes: 1, starts: 1 },
      { lateIntent: true },
      /the files are new/,
    ],
    [
      'the one decision over a fence',
      { executes: 1, watchdogs: 1, writes: 1 },
      { noDecision: true },
      /lost, and not named/,
    ],
  ]
  for (const [rule, left, sabotage, symptom] of rows)
    test(`without ${rule} it breaks`, async () => {
      const { broken } = await explored(left, sabotage)
      expect(broken?.why).toMatch(symptom)
    })
})
