import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { discoveryText, OLD, scratch } from '../discovery/cases.ts'
import { Dead, World } from './world.ts'

const before = discoveryText({ devc: OLD.brokers })

/** A world whose one group reads wherever it has members, a record between any two effects; and whose writers go on. */
const made = ({ hooks = true } = {}) => {
  const files = scratch({ 'generic.yaml': before })
  const state = scratch()
  const world = new World(files.root, state.root)
  const reader = { offset: 90n, live: true }
  world.old.set('orders-0', 120n)
  world.oldGroups.set('billing', reader)
  world.readersFirst = ['billing']
  world.hooks = hooks ? 'proving' : 'none'
  const read: bigint[] = []
  world.before = () => {
    const [old, next] = [world.old.get('orders-0') ?? 0n, world.next.get('orders-0') ?? 0n]
    if (reader.live && reader.offset < old) read.push(reader.offset++)
    const at = world.nextGroups.get('billing') ?? 0n
    if (world.nextLive.has('billing') && at < next) {
      read.push(at)
      world.nextGroups.set('billing', at + 1n)
    }
  }
  return {
    ...{ world, reader, read, text: () => readFileSync(world.file, 'utf8') },
    [Symbol.dispose]: () => {
      files[Symbol.dispose]()
      state[Symbol.dispose]()
    },
  }
}
/** Each record from 90 on once, in order. */
const eachOnce = (read: readonly bigint[]) =>
  expect(read).toEqual(Array.from({ length: read.length }, (_, i) => 90n + BigInt(i)))

const died = async (world: World, credit: number, work: () => Promise<unknown>): Promise<boolean> => {
  world.credit = credit
  const dead = await work().then(
    () => false,
    e => {
      if (e instanceof Dead || world.credit < 0) return true
      throw e
    },
  )
  world.credit = Number.POSITIVE_INFINITY
  return dead
}

describe('readers that go first', () => {
  test('move before the fence, by their hooks, and what they commit then is theirs alone', async () => {
    using m = made()
    await m.world.execute()
    const { states, told, journal } = m.world
    const first = states.indexOf('reads-moved')
    expect(states.slice(first - 4, first + 2)).toEqual([
      ...Array.from({ length: 4 }, () => 'reads-moving'),
      ...['reads-moved', 'armed'],
    ])
    expect(told.slice(0, 3)).toEqual([
      'stop-readers old billing',
      'start-readers new billing',
      'pre-fence old',
    ])
    expect(m.read.at(-1)).toBe(119n)
    eachOnce(m.read)
    expect(m.world.nextGroups.get('billing')).toBe(120n)
    expect(m.reader.offset).toBeLessThan(120n)
    const at = String(m.reader.offset)
    const partitions = [{ topic: 'orders', partition: 0, from: at, to: at }]
    expect(journal.at(-1)).toMatchObject({ readers: { moved: [{ group: 'billing', partitions }] } })
  })
  test('are waited for where no hook stops them, and the members that still read are told', async () => {
    using m = made({ hooks: false })
    const told: unknown[] = []
    m.world.on = event => {
      if (event.kind !== 'readers-first') return
      told.push(event.waiting)
      if (told.length === 3) m.reader.live = false
    }
    await m.world.execute()
    expect(told[0]).toMatchObject([{ group: 'billing', source: ['reader@old'], target: [] }])
    expect(m.world.states).toContain('reads-moved')
    expect(m.world.nextGroups.get('billing')).toBe(m.reader.offset)
  })
  test('killed at any place and started again: each record is read once, the run ends switched', async () => {
    for (let credit = 0; ; credit++) {
      using m = made()
      const dead = await died(m.world, credit, () => m.world.execute())
      if (m.world.states.at(-1) !== 'switched') await m.world.execute()
      expect(m.world.states.at(-1)).toBe('switched')
      eachOnce(m.read)
      expect(m.world.moved.size).toBe(1)
      expect(m.world.nextLive.has('billing') && !m.reader.live).toBe(true)
      if (!dead) return expect(credit).toBeGreaterThan(50)
    }
  }, 120_000)
  test('an abort at any place leaves them running where their offsets are, and --readers-back brings them home, killed anywhere too', async () => {
    for (let credit = 0; ; credit += 3) {
      using m = made()
      const dead = await died(m.world, credit, () => m.world.execute())
      if (m.world.journal.some(({ at }) => at === 'switching')) return
      if (dead) await m.world.abort()
      expect(m.reader.live).toBe(!m.world.nextLive.has('billing'))
      if (m.world.states.at(-1) !== 'aborted') continue
      for (let at = 0; await died(m.world, at, () => m.world.readersBack()); ) at += 2
      expect(m.reader.live && !m.world.nextLive.has('billing') && m.world.moved.size === 0).toBe(true)
      expect(m.text()).toBe(before)
      eachOnce(m.read)
    }
  }, 120_000)
  test('that come back to the old cluster behind its back stop the cutover before its fence: exit 9, they are named', async () => {
    using m = made()
    const { before: reads } = m.world
    m.world.before = what => {
      if (m.world.states.at(-1) === 'reads-moved') m.reader.live = true
      reads(what)
    }
    await expect(m.world.execute()).rejects.toMatchObject({
      code: 'STILL_READ',
      message: expect.stringContaining('billing'),
    })
    expect(m.world.states).not.toContain('fencing')
    expect(m.world.states.at(-1)).toBe('aborted')
  })
  test('that moved in a run before stay as they are in the next one, which names none', async () => {
    using m = made()
    m.world.drift = []
    m.world.hookFails = 'fence'
    await expect(m.world.execute()).rejects.toMatchObject({ code: 'HOOK_FAILED' })
    expect(m.world.journal.at(-1)).toMatchObject({
      at: 'aborted',
      readers: { moved: [{ group: 'billing' }] },
    })
    m.world.hookFails = undefined
    m.world.readersFirst = []
    m.world.old.set('orders-0', 140n)
    await m.world.execute()
    expect(m.world.journal.at(-1)).toMatchObject({ readers: { moved: [{ group: 'billing' }] } })
    eachOnce(m.read)
    expect(m.world.nextGroups.get('billing')).toBe(BigInt(90 + m.read.length))
  })
  test('go back with the rollback of a run that switched, before anybody has written there', async () => {
    using m = made()
    await m.world.execute()
    await m.world.rollBack()
    expect(m.world.states.at(-1)).toBe('rolled-back')
    expect(m.reader).toEqual({ offset: 120n, live: true })
    expect(m.world.moved.size).toBe(0)
    eachOnce(m.read)
  })
})
