import { appendFileSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { discoveryText, NEW, OLD, scratch } from '../discovery/cases.ts'
import { Dead, World } from './world.ts'

const before = discoveryText({ devc: OLD.brokers })
const after = discoveryText({ devc: NEW.brokers }, NEW.zookeeper)

/** A world with a directory of its own. */
const made = () => {
  const files = scratch({ 'generic.yaml': before })
  const state = scratch()
  const world = new World(files.root, state.root)
  return {
    world,
    text: () => readFileSync(world.file, 'utf8'),
    [Symbol.dispose]: () => {
      files[Symbol.dispose]()
      state[Symbol.dispose]()
    },
  }
}
const PATH = [
  'planned',
  'mirroring',
  'caught-up',
  'armed',
  'fencing',
  'fenced',
  'still',
  'drained',
  'offsets-set',
  'checked',
  'sealing',
  'switching',
  'files-written',
  'opening',
  'switched',
]

/** Runs until it is dead at every place there is, each in a world of its own. */
const atEachEffect = async (play: (credit: number) => Promise<'died' | 'lived'>): Promise<number> => {
  for (let credit = 0; ; credit++) if ((await play(credit)) === 'lived') return credit
}
const until = async (
  world: World,
  credit: number,
  work: () => Promise<unknown>,
): Promise<'died' | 'lived'> => {
  world.credit = credit
  const died = await work().then(
    () => false,
    e => {
      if (e instanceof Dead || world.credit < 0) return true
      throw e
    },
  )
  world.credit = Number.POSITIVE_INFINITY
  return died ? 'died' : 'lived'
}

describe('a cutover', () => {
  test('goes through its states, moves everything and rewrites the files', async () => {
    using m = made()
    await m.world.execute()
    expect(m.world.states).toEqual(PATH)
    expect(m.world.next).toEqual(m.world.old)
    expect(m.world.nextGroups.get('billing')).toBe(90n)
    expect(m.world).toMatchObject({ held: true, opened: true, mark: 'run', mirroring: false })
    expect(m.text()).toBe(after)
    expect(m.world.journal.at(-1)).toMatchObject({
      cut: { 'orders-0': '100', 'orders-1': '7' },
      stranded: [],
    })
  })
  test('killed at any place and started again ends in the same result', async () => {
    const places = await atEachEffect(async credit => {
      using m = made()
      const lived = await until(m.world, credit, () => m.world.execute())
      if (m.world.states.at(-1) !== 'switched') await m.world.execute()
      expect(m.world.states.at(-1)).toBe('switched')
      expect(m.text()).toBe(after)
      expect(m.world).toMatchObject({ held: true, opened: true, mark: 'run' })
      expect(m.world.next).toEqual(m.world.old)
      return lived
    })
    expect(places).toBeGreaterThan(40)
  })
  test('killed at any place, with a writer that goes on meanwhile, loses no record', async () => {
    await atEachEffect(async credit => {
      using m = made()
      const lived = await until(m.world, credit, () => m.world.execute())
      if (lived === 'lived') return lived
      m.world.old.set('orders-0', 105n)
      const done = m.world.states.at(-1) === 'switched'
      const error = done
        ? undefined
        : await m.world.execute().then(
            () => undefined,
            e => e,
          )
      if (error) expect(error).toMatchObject({ code: 'STILL_WRITTEN', exit: 9 })
      if (m.text() === before) expect(m.world).toMatchObject({ mark: null, held: true })
      else if (!done) expect(m.world.next).toEqual(m.world.old)
      return lived
    })
  })
})

describe('a writer that goes on', () => {
  const growing = (world: World, from: string, to = 'never') => {
    let on = false
    world.before = what => {
      if (what === from) on = true
      if (what === to) on = false
      if (on) world.old.set('orders-1', (world.old.get('orders-1') ?? 0n) + 1n)
    }
  }
  for (const [when, what] of [
    ['all the time', 'oldEnds'],
    ['after the proof', 'append offsets-set'],
    ['while the files are written', 'commit'],
  ] as const) {
    test(`${when} is found: exit 9, partition and growth are named, the old world is as it was`, async () => {
      using m = made()
      growing(m.world, what)
      const error = await m.world.execute().catch(e => e)
      expect(error).toMatchObject({
        code: 'STILL_WRITTEN',
        exit: 9,
        message: expect.stringMatching(/orders-1: \d+ -> \d+ \(\+/),
      })
      expect(m.text()).toBe(before)
      expect(m.world.mark).toBe(null)
      expect(m.world.held).toBe(true)
      expect(m.world.states.at(-1)).toBe('aborted')
    })
  }
  test('while the files are written, and a client that comes too early: its record on the new cluster is named, exit 7', async () => {
    using m = made()
    growing(m.world, 'commit')
    const { before: grow } = m.world
    m.world.before = what => {
      grow(what)
      if (what === 'revert') m.world.next.set('orders-0', 101n)
    }
    await expect(m.world.execute()).rejects.toMatchObject({
      code: 'STILL_WRITTEN',
      exit: 7,
      message: expect.stringContaining(
        'the new cluster alone has what clients wrote there: orders-0: 100-100',
      ),
    })
    expect(m.text()).toBe(before)
  })
  test('while clients already write to the new cluster leaves a stranded range, which is named', async () => {
    using m = made()
    m.world.before = what => {
      if (what !== 'append files-written') return
      m.world.old.set('orders-0', 103n)
      m.world.next.set('orders-1', 9n)
    }
    expect(await m.world.execute()).toMatchObject({ at: 'switched', stranded: ['orders-0: 100-102'] })
    expect(m.text()).toBe(after)
  })
})

describe('what forbids the switch', () => {
  test('a foreign record on the new cluster: exit 7, nothing is switched', async () => {
    using m = made()
    m.world.before = what => what === 'stop' && m.world.next.set('orders-0', 101n)
    await expect(m.world.execute()).rejects.toMatchObject({ code: 'FOREIGN_WRITE', exit: 7 })
    expect(m.text()).toBe(before)
  })
  test('a live group that does not read to the end in time: exit 9', async () => {
    using m = made()
    m.world.oldGroups.set('slow', { offset: 50n, live: true })
    await expect(m.world.execute()).rejects.toMatchObject({
      code: 'STILL_READ',
      exit: 9,
      message: expect.stringContaining('slow (1 members, 50 records to read)'),
    })
    expect(m.text()).toBe(before)
  })
  test('a live group that does is waited for, and its last offset is the one that moves', async () => {
    using m = made()
    const slow = { offset: 50n, live: true }
    m.world.oldGroups.set('slow', slow)
    m.world.before = what => {
      if (what === 'lagging') slow.offset += 25n
    }
    await m.world.execute()
    expect(m.world.nextGroups.get('slow')).toBe(100n)
  })
  test('a file that was edited since the plan: put back, and the error tells which', async () => {
    using m = made()
    m.world.before = what => what === 'syncGroups' && appendFileSync(m.world.file, '# by hand\n')
    await expect(m.world.execute()).rejects.toMatchObject({ code: 'DISCOVERY_CONFLICT', exit: 7 })
    expect(m.text()).toContain('broker-a.example.com')
    expect(m.world).toMatchObject({ held: true, mark: null })
  })
  test('an operator who interrupts: everything is put back', async () => {
    using m = made()
    const stop = new AbortController()
    m.world.before = what => what === 'keep' && stop.abort(new DOMException('stopped', 'AbortError'))
    await expect(m.world.execute({ signal: stop.signal })).rejects.toThrow('stopped')
    expect(m.text()).toBe(before)
    expect(m.world).toMatchObject({ held: true, mark: null })
    expect(m.world.states.at(-1)).toBe('aborted')
  })
})

describe('a rollback', () => {
  test('restores every byte, gives offsets back that are ahead, and lets the mirror write again', async () => {
    using m = made()
    await m.world.execute()
    m.world.nextGroups.set('billing', 100n)
    expect(await m.world.rollBack()).toMatchObject({ already: false, files: { changed: ['generic.yaml'] } })
    expect(m.text()).toBe(before)
    expect(m.world.oldGroups.get('billing')?.offset).toBe(100n)
    expect(m.world).toMatchObject({ held: true, mark: null })
    expect(await m.world.rollBack()).toMatchObject({ already: true, files: { changed: [] } })
  })
  test('is refused once anybody has written to the new cluster: exit 7, files stay', async () => {
    using m = made()
    await m.world.execute()
    m.world.next.set('orders-1', 9n)
    await expect(m.world.rollBack()).rejects.toMatchObject({
      code: 'ROLLBACK_REFUSED',
      exit: 7,
      message: expect.stringContaining('orders-1: 7 -> 9 (+2)'),
    })
    expect(m.text()).toBe(after)
    expect(m.world.states.at(-1)).toBe('switched')
  })
  test('that a client overtakes before the files is undone: files name the new cluster', async () => {
    using m = made()
    await m.world.execute()
    m.world.before = what => what === 'append back-still' && m.world.next.set('orders-1', 8n)
    await expect(m.world.rollBack()).rejects.toMatchObject({
      code: 'STILL_WRITTEN',
      message: expect.stringContaining('orders-1: 7 -> 8 (+1)'),
    })
    expect(m.text()).toBe(after)
    expect(m.world.mark).toBe('run')
    expect(m.world.states.at(-1)).toBe('switched')
  })
  test('keeps writers off the new cluster, though nobody has written there yet, until the files are back', async () => {
    using m = made()
    m.world.hooks = 'proving'
    await m.world.execute()
    const kept: [string, boolean][] = []
    m.world.before = what => kept.push([what, m.world.fenced.new])
    expect(await m.world.rollBack()).toMatchObject({ lost: [] })
    for (const what of ['revert', 'hold', 'mark', 'hook unfence']) expect(kept).toContainEqual([what, true])
  })
  test('with a writer that nobody stopped, and that writes while the files are restored, names its record', async () => {
    using m = made()
    await m.world.execute()
    m.world.before = what => what === 'revert' && m.world.next.set('orders-1', 8n)
    expect(await m.world.rollBack()).toMatchObject({ lost: [expect.stringMatching(/^orders-1: 7-7 /)] })
    expect(m.text()).toBe(before)
    expect(await m.world.rollBack()).toMatchObject({ already: true, lost: [expect.any(String)] })
  })
  test('goes back without what clients wrote to the new cluster, by consent, and names it', async () => {
    using m = made()
    await m.world.execute()
    m.world.next.set('orders-1', 9n)
    expect(await m.world.rollBack({ lossy: true })).toMatchObject({
      lost: ['orders-1: 7-8 (nothing was copied back)'],
    })
    expect(m.text()).toBe(before)
  })
  test('of a run that wrote no file is refused with exit 2', async () => {
    using m = made()
    m.world.before = what => what === 'stop' && m.world.next.set('orders-0', 101n)
    await m.world.execute().catch(() => {})
    await expect(m.world.rollBack()).rejects.toMatchObject({ code: 'USAGE', exit: 2 })
  })
  test('killed at any place and started again restores every byte', async () => {
    const places = await atEachEffect(async credit => {
      using m = made()
      await m.world.execute()
      const lived = await until(m.world, credit, () => m.world.rollBack())
      await m.world.rollBack()
      expect(m.text()).toBe(before)
      expect(m.world).toMatchObject({ held: true, mark: null })
      return lived
    })
    expect(places).toBeGreaterThan(15)
  })
  test('killed at any place while clients begin to write ends on the side that has their records', async () => {
    await atEachEffect(async credit => {
      using m = made()
      await m.world.execute()
      const lived = await until(m.world, credit, () => m.world.rollBack())
      if (lived === 'lived' || m.world.states.at(-1) === 'rolled-back') return lived
      m.world.next.set('orders-1', 8n)
      if (m.world.states.at(-1) === 'back-switching') {
        expect(await m.world.rollBack()).toMatchObject({ lost: [expect.stringMatching(/^orders-1: 7-7 /)] })
        expect(m.text()).toBe(before)
        return lived
      }
      await expect(m.world.rollBack()).rejects.toMatchObject({ code: 'ROLLBACK_REFUSED' })
      expect(m.text()).toBe(after)
      return lived
    })
  })
  test('of a switch that a crash left unfinished works too', async () => {
    await atEachEffect(async credit => {
      using m = made()
      const lived = await until(m.world, credit, () => m.world.execute())
      if (['switching', 'files-written', 'opening', 'switched'].includes(m.world.states.at(-1) ?? '')) {
        await m.world.rollBack()
        expect(m.world).toMatchObject({ held: true, mark: null })
      }
      if (m.world.states.at(-1) === 'rolled-back') expect(m.text()).toBe(before)
      return lived
    })
  })
  test('lets a second cutover begin, which ends well', async () => {
    using m = made()
    await m.world.execute()
    await m.world.rollBack()
    m.world.old.set('orders-0', 200n)
    await m.world.execute()
    expect(m.text()).toBe(after)
    expect(m.world.next).toEqual(m.world.old)
  })
})
