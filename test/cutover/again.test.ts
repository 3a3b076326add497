import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { discoveryText, NEW, OLD, scratch } from '../discovery/cases.ts'
import { Dead, World } from './world.ts'

const before = discoveryText({ devc: OLD.brokers })
const after = discoveryText({ devc: NEW.brokers }, NEW.zookeeper)

const made = () => {
  const files = scratch({ 'generic.yaml': before })
  const state = scratch()
  const world = new World(files.root, state.root)
  world.hooks = 'proving'
  world.fenceAttempts = 3
  return {
    world,
    text: () => readFileSync(world.file, 'utf8'),
    [Symbol.dispose]: () => {
      files[Symbol.dispose]()
      state[Symbol.dispose]()
    },
  }
}
const told = ({ told }: World, name: string) => told.filter(each => each === `${name} old`).length
/** A writer goes on through so many fences. */
const through = (world: World, fences: number) => {
  world.before = what => {
    if (what === 'oldEnds' && world.fenced.old && told(world, 'fence') <= fences)
      world.old.set('orders-1', (world.old.get('orders-1') ?? 0n) + 1n)
  }
}

describe('a fence that has to be let go', () => {
  test('because somebody writes through it is tried again, later each time, and switches once nobody does', async () => {
    using m = made()
    through(m.world, 2)
    const last = await m.world.execute()
    expect(last).toMatchObject({ at: 'switched' })
    expect([told(m.world, 'fence'), told(m.world, 'unfence')]).toEqual([3, 2])
    expect(m.text()).toBe(after)
    expect(m.world.next).toEqual(m.world.old)
    const tried = last.at === 'switched' ? (last.tried ?? []) : []
    expect(tried).toMatchObject(
      [0, 1].map(() => ({ driver: 'hook', at: 'fenced', code: 'STILL_WRITTEN', why: expect.any(String) })),
    )
    const waits = m.world.journal.flatMap(state =>
      state.at === 'backing-off' ? [state.untilMs - (state.tried.at(-1)?.releasedMs ?? 0)] : [],
    )
    expect(waits).toEqual([5_000, 10_000])
    const fences = m.world.journal.flatMap(state => (state.at === 'fencing' ? [state.fence.sinceMs] : []))
    tried.forEach(({ releasedMs }, i) => {
      expect((fences[i + 1] ?? 0) - releasedMs).toBeGreaterThanOrEqual(waits[i] ?? 0)
    })
  })
  test('because its budget is short is tried again after at least as long as it stood', async () => {
    using m = made()
    let slow = true
    m.world.before = what => {
      if (what === 'reached' && slow) m.world.ms += 60_000
      if (what === 'reached') slow = false
    }
    const last = await m.world.execute()
    expect(last).toMatchObject({
      at: 'switched',
      tried: [{ at: 'drained', code: 'FENCE_BUDGET' }],
    })
    const [first] = last.at === 'switched' ? (last.tried ?? []) : []
    const waited = m.world.journal.find(state => state.at === 'backing-off')
    expect((first?.releasedMs ?? 0) - (first?.sinceMs ?? 0)).toBeGreaterThan(60_000)
    expect(waited?.at === 'backing-off' && waited.untilMs).toBeGreaterThanOrEqual(
      2 * (first?.releasedMs ?? 0) - (first?.sinceMs ?? 0),
    )
    expect(m.text()).toBe(after)
  })
  test('each time ends the run after the last attempt: exit 9, writers go on, every byte is as it was', async () => {
    using m = made()
    through(m.world, 9)
    await expect(m.world.execute()).rejects.toMatchObject({
      code: 'STILL_WRITTEN',
      exit: 9,
      message: expect.stringContaining('the old world is as it was, after 3 attempts'),
    })
    expect([told(m.world, 'fence'), told(m.world, 'unfence')]).toEqual([3, 3])
    expect(m.world).toMatchObject({ fenced: { old: false }, mark: null, held: true })
    expect(m.world.states.at(-1)).toBe('aborted')
    expect(m.text()).toBe(before)
  })
  test('behind a fence that nobody but the operator can release is not tried again', async () => {
    using m = made()
    m.world.hooks = 'none'
    m.world.before = what =>
      what === 'oldEnds' && m.world.old.set('orders-1', (m.world.old.get('orders-1') ?? 0n) + 1n)
    await expect(m.world.execute()).rejects.toMatchObject({ code: 'STILL_WRITTEN', exit: 9 })
    expect(m.world.states).not.toContain('backing-off')
  })
  test('for what more time does not put right is not tried again', async () => {
    using m = made()
    m.world.hookFails = 'pre-switch'
    await expect(m.world.execute()).rejects.toMatchObject({ code: 'HOOK_FAILED' })
    expect(m.world.states).not.toContain('backing-off')
  })
  test('while it backs off waits for nobody who aborts it: exit 9, nothing is left engaged', async () => {
    using m = made()
    through(m.world, 9)
    const stop = new AbortController()
    const goes = m.world.before
    m.world.before = what => {
      goes(what)
      if (what === 'sleep' && m.world.states.at(-1) === 'backing-off')
        stop.abort(new DOMException('stopped', 'AbortError'))
    }
    await expect(m.world.execute({ signal: stop.signal })).rejects.toThrow('stopped')
    expect(m.world.states.at(-1)).toBe('aborted')
    expect(m.world.fenced.old).toBe(false)
    expect(m.text()).toBe(before)
  })
  test('killed at any place and started again ends switched, with no more attempts than it was given', async () => {
    for (let credit = 0; ; credit++) {
      using m = made()
      through(m.world, 1)
      m.world.credit = credit
      const died = await m.world.execute().then(
        () => false,
        e => {
          if (e instanceof Dead || m.world.credit < 0) return true
          throw e
        },
      )
      m.world.credit = Number.POSITIVE_INFINITY
      if (m.world.states.at(-1) !== 'switched') await m.world.execute()
      expect(m.text()).toBe(after)
      expect(m.world.next).toEqual(m.world.old)
      expect(m.world.states.filter(at => at === 'backing-off').length).toBeLessThanOrEqual(2)
      if (!died) return
    }
  }, 60_000)
})
