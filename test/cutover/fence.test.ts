import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { tellDrift } from '../../src/cutover/drift.ts'
import { driverNamed } from '../../src/cutover/fences/index.ts'
import type { Note } from '../../src/cutover/run-directory.ts'
import { KmigError } from '../../src/kit/index.ts'
import { discoveryText, NEW, OLD, scratch } from '../discovery/cases.ts'
import { Dead, World } from './world.ts'

const before = discoveryText({ devc: OLD.brokers })
const after = discoveryText({ devc: NEW.brokers }, NEW.zookeeper)

const made = (set: (world: World) => void = () => {}) => {
  const files = scratch({ 'generic.yaml': before })
  const state = scratch()
  const world = new World(files.root, state.root)
  world.hooks = 'proving'
  set(world)
  return {
    world,
    text: () => readFileSync(world.file, 'utf8'),
    [Symbol.dispose]: () => {
      files[Symbol.dispose]()
      state[Symbol.dispose]()
    },
  }
}
const killed = async (world: World, credit: number, work: () => Promise<unknown>): Promise<boolean> => {
  world.credit = credit
  const died = await work().then(
    () => false,
    e => {
      if (e instanceof Dead || world.credit < 0) return true
      throw e
    },
  )
  world.credit = Number.POSITIVE_INFINITY
  return died
}

describe('a fence by hooks', () => {
  test('is engaged before the proof, stands after the switch, and its hooks are called in order', async () => {
    using m = made()
    await m.world.execute()
    expect(m.world.told).toEqual([
      ...['pre-fence old', 'fence old', 'pre-switch new', 'reload-clients new', 'post-switch new'],
    ])
    expect(m.world.fenced.old).toBe(true)
    expect(m.world.journal.at(-1)).toMatchObject({ proof: { driver: 'hook', writersLeft: 0 } })
  })
  test('is released when somebody still writes: exit 9, the old world is as it was', async () => {
    using m = made(world => {
      world.before = what =>
        what === 'oldEnds' && world.old.set('orders-1', (world.old.get('orders-1') ?? 0n) + 1n)
    })
    await expect(m.world.execute()).rejects.toMatchObject({ code: 'STILL_WRITTEN', exit: 9 })
    expect(m.world.fenced.old).toBe(false)
    expect(m.world.states.slice(-2)).toEqual(['aborting', 'aborted'])
  })
  for (const hook of ['fence', 'pre-fence', 'pre-switch'] as const) {
    test(`is released when the hook ${hook} fails: exit 9, no file is written`, async () => {
      using m = made(world => {
        world.hookFails = hook
      })
      await expect(m.world.execute()).rejects.toMatchObject({ code: 'HOOK_FAILED' })
      expect(m.world.fenced.old).toBe(false)
      expect(m.text()).toBe(before)
      m.world.hookFails = undefined
      await m.world.execute()
      expect(m.text()).toBe(after)
    })
  }
  test('is released before it stands longer than its budget, and no writer has moved', async () => {
    using m = made()
    m.world.before = what => {
      if (what === 'reached') m.world.ms += 60_000
    }
    await expect(m.world.execute()).rejects.toMatchObject({ code: 'FENCE_BUDGET', exit: 9 })
    expect(m.world).toMatchObject({ fenced: { old: false }, mark: null })
    expect(m.text()).toBe(before)
  })
  test('is not even engaged again when a run that died has used its budget up', async () => {
    using m = made()
    m.world.before = what => {
      if (what === 'append still') m.world.credit = 0
    }
    expect(await killed(m.world, 1_000, () => m.world.execute())).toBe(true)
    m.world.before = () => {}
    m.world.ms += 120_000
    await expect(m.world.execute()).rejects.toMatchObject({ code: 'FENCE_BUDGET' })
    expect(m.world.fenced.old).toBe(false)
    await m.world.execute()
    expect(m.text()).toBe(after)
  })
  test('that a process left engaged keeps its first clock', async () => {
    using m = made()
    m.world.before = what => {
      if (what === 'append still') m.world.credit = 0
    }
    expect(await killed(m.world, 1_000, () => m.world.execute())).toBe(true)
    m.world.before = () => {}
    const first = m.world.journal.findLast(state => state.at === 'fenced')
    m.world.ms += 5_000
    await m.world.execute()
    expect(m.world.journal.at(-1)).toMatchObject({
      fence: { sinceMs: first?.at === 'fenced' && first.fence.sinceMs },
    })
  })
  test('that the watchdog released is no fence any more: the switch is refused', async () => {
    using m = made()
    m.world.before = what => {
      if (what !== 'append checked') return
      const fenced = m.world.journal.findLast(state => state.at === 'fenced')
      if (fenced?.at === 'fenced') m.world.decisions.set(fenced.fence.sinceMs, 'release')
    }
    await expect(m.world.execute()).rejects.toMatchObject({ code: 'FENCE_BUDGET', exit: 9 })
    expect(m.text()).toBe(before)
  })
  test('killed at any place and started again ends switched, or released with every byte as it was', async () => {
    for (let credit = 0; ; credit++) {
      using m = made()
      const died = await killed(m.world, credit, () => m.world.execute())
      if (m.world.states.at(-1) !== 'switched') await m.world.execute()
      expect(m.text()).toBe(after)
      expect(m.world.fenced.old).toBe(true)
      if (!died) return
    }
  }, 30_000)
  test('killed at any place and aborted lets writers go on, and leaves every byte', async () => {
    for (let credit = 0; ; credit++) {
      using m = made()
      const died = await killed(m.world, credit, () => m.world.execute())
      const at = m.world.states.at(-1)
      if (at && !['switching', 'files-written', 'opening', 'switched'].includes(at)) {
        await m.world.abort()
        expect(m.world).toMatchObject({ fenced: { old: false }, mark: null })
        expect(m.text()).toBe(before)
      }
      if (!died) return
    }
  }, 30_000)
})

describe('what is no fence', () => {
  for (const [name, why] of [
    ['produce-quota', /appends first/],
    ['retention.ms', /keeps nobody from writing/],
    ['barrier', /no way back is armed/],
    ['rolling', /no way back is armed/],
  ] as const)
    test(`${name} is refused by name, with the reason and what to do: exit 4`, () => {
      const refused = expect(() => driverNamed(name))
      refused.toThrow(
        expect.objectContaining({ code: 'FENCE', exit: 4, message: expect.stringMatching(why) }),
      )
    })
  test('a rolling move is told where it is written down', () => {
    const told = { suggestions: expect.arrayContaining([expect.stringContaining('docs/barrier.md')]) }
    expect(() => driverNamed('barrier')).toThrow(expect.objectContaining(told))
  })
})

describe('what holds a run back', () => {
  test('a closed gate: it waits, copying on, and goes on when it opens', async () => {
    using m = made()
    m.world.gate = 'kmig cutover go opens it'
    let waited = 0
    m.world.before = what => {
      if (what === 'sleep' && m.world.gate && ++waited === 3) {
        m.world.old.set('orders-0', 140n)
        m.world.gate = undefined
      }
    }
    await m.world.execute()
    expect(waited).toBe(3)
    expect(m.world.next.get('orders-0')).toBe(140n)
  })
  for (const when of ['start', 'caughtUp'] as const) {
    test(`what changed since the plan (${when}): exit 4, nobody was kept off, no file is written`, async () => {
      using m = made()
      m.world.before = what => {
        if (what === when || when === 'start') m.world.drift = ['topic orders has 3 partitions, it had 2']
      }
      if (when === 'start') m.world.drift = ['topic orders has 3 partitions, it had 2']
      await expect(m.world.execute()).rejects.toMatchObject({ code: 'PLAN_CHANGED', exit: 4 })
      expect(m.world.told).toEqual([])
      expect(m.text()).toBe(before)
    })
  }
})

describe('the preflight', () => {
  for (const when of ['start', 'caughtUp'] as const) {
    test(`what blocks (${when}): exit 4, named with what to do, nobody was kept off, no file is written`, async () => {
      using m = made()
      const found = ['offline: orders-0 has no leader: bring its broker back; or --accept offline']
      if (when === 'start') m.world.unfit = found
      m.world.before = what => {
        if (what === when) m.world.unfit = found
      }
      const refused = { code: 'PREFLIGHT', exit: 4, message: expect.stringContaining(found[0] ?? '') }
      await expect(m.world.execute()).rejects.toMatchObject(refused)
      expect(m.world.told).toEqual([])
      expect(m.world.mirroring).toBe(when !== 'start')
      expect(m.text()).toBe(before)
    })
  }
  test('is made again when a killed run goes on, but not behind a fence that stands, nor after the switch', async () => {
    using free = made()
    for (let credit = 0; !free.world.states.includes('caught-up'); credit++)
      await killed(free.world, credit, () => free.world.execute())
    free.world.unfit = ['offline']
    await expect(free.world.execute()).rejects.toMatchObject({ code: 'PREFLIGHT', exit: 4 })

    using fenced = made()
    for (let credit = 0; !fenced.world.states.includes('fenced'); credit++)
      await killed(fenced.world, credit, () => fenced.world.execute())
    fenced.world.unfit = ['offline']
    const { looks } = fenced.world
    expect(await fenced.world.execute()).toMatchObject({ at: 'switched' })
    expect(await fenced.world.execute()).toMatchObject({ at: 'switched' })
    expect(fenced.world.looks).toBe(looks)
  })
})

describe('drift after the switch', () => {
  test('is told and journaled once; a cluster that is away tells nothing, and stops nothing', async () => {
    const notes: Note[] = []
    const events: unknown[] = []
    let found = async (): Promise<string[]> => ['hooks changed']
    const look = () =>
      tellDrift({
        run: { notes, note: async note => void notes.push(note) },
        ports: {
          driftAfter: () => found(),
          clock: { wall: () => 1_000, now: () => 0, sleep: async () => {} },
        },
        on: event => events.push(event),
      })
    await look()
    await look()
    found = () => Promise.reject(new KmigError('UNREACHABLE', 'gone'))
    await look()
    found = async () => ['hooks changed', 'group g is new']
    await look()
    expect(notes).toEqual([
      { kind: 'drift', found: ['hooks changed'], atMs: 1_000 },
      { kind: 'drift', found: ['group g is new'], atMs: 1_000 },
    ])
    expect(events).toHaveLength(2)
  })
})

describe('after clients have written to the new cluster', () => {
  const live = async (set: (world: World) => void = () => {}) => {
    const m = made(world => {
      world.back = 'ready'
      set(world)
    })
    await m.world.execute()
    m.world.next.set('orders-1', 12n)
    m.world.nextGroups.set('billing', 95n)
    return m
  }
  test('a rollback takes all of it back: records, group offsets, files; writers go on on the old side', async () => {
    using m = await live()
    expect(await m.world.rollBack()).toMatchObject({ already: false, files: { changed: ['generic.yaml'] } })
    expect(m.text()).toBe(before)
    expect(m.world.old).toEqual(m.world.next)
    expect(m.world.oldGroups.get('billing')?.offset).toBe(95n)
    expect(m.world).toMatchObject({
      handedBack: true,
      mark: null,
      letGo: 'old',
      fenced: { old: false, new: false },
    })
    expect(m.world.states.slice(-6)).toEqual([
      ...['back-fencing', 'back-still', 'back-offsets', 'back-switching', 'back-switching', 'rolled-back'],
    ])
  })
  test('a rollback while somebody goes on writing there ends its fence, and the run is where it was', async () => {
    using m = await live()
    m.world.before = what =>
      what === 'nextEnds' && m.world.next.set('orders-1', (m.world.next.get('orders-1') ?? 0n) + 1n)
    await expect(m.world.rollBack()).rejects.toMatchObject({ code: 'STILL_WRITTEN' })
    expect(m.text()).toBe(after)
    expect(m.world).toMatchObject({ letGo: 'new', fenced: { new: false }, mark: 'run' })
    expect(m.world.states.at(-1)).toBe('switched')
  })
  test('a rollback killed at any place and started again loses nothing and restores every byte', async () => {
    for (let credit = 0; ; credit++) {
      using m = await live()
      const died = await killed(m.world, credit, () => m.world.rollBack())
      await m.world.rollBack()
      expect(m.text()).toBe(before)
      expect(m.world.old).toEqual(m.world.next)
      expect(m.world).toMatchObject({ handedBack: true, mark: null, fenced: { old: false, new: false } })
      if (!died) return
    }
  }, 60_000)
  test('complete gives topics their settings, once, and ends every way back', async () => {
    using m = await live()
    expect(m.world.held).toBe(true)
    expect(await m.world.complete()).toMatchObject({ at: 'complete' })
    expect(m.world.held).toBe(false)
    expect(await m.world.complete()).toMatchObject({ at: 'complete' })
    await expect(m.world.rollBack()).rejects.toMatchObject({ code: 'WRONG_STATE', exit: 4 })
  })
  test('complete before the switch does nothing', async () => {
    using m = made()
    expect(await m.world.complete()).toBe(undefined)
    expect(m.world.states).toEqual([])
  })
})
