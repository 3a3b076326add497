import { describe, expect, test } from 'vitest'
import { discoveryText, OLD, scratch } from '../discovery/cases.ts'
import { Dead, World } from './world.ts'

const made = (theirs: readonly string[]) => {
  const files = scratch({ 'generic.yaml': discoveryText({ devc: OLD.brokers }) })
  const state = scratch()
  const world = new World(files.root, state.root)
  world.hooks = 'proving'
  world.acls = new Set(theirs)
  return {
    world,
    acls: () => [...(world.acls ?? [])].sort(),
    [Symbol.dispose]: () => {
      files[Symbol.dispose]()
      state[Symbol.dispose]()
    },
  }
}
const dies = async (world: World, credit: number): Promise<boolean> => {
  world.credit = credit
  const died = await world.execute().then(
    () => false,
    e => {
      if (e instanceof Dead || world.credit < 0) return true
      throw e
    },
  )
  world.credit = Number.POSITIVE_INFINITY
  return died
}
const WRITTEN = ['switching', 'files-written', 'opening', 'switched']

describe('ACLs that a cutover copies', () => {
  test('let clients write once the files are written and before they are told, and not earlier', async () => {
    using m = made(['theirs'])
    const seen: Record<string, string[]> = {}
    m.world.before = what => {
      seen[what] = m.acls()
    }
    await m.world.execute()
    expect(seen['hook fence']).toEqual(['read', 'theirs'])
    expect(seen['commit']).toEqual(['read', 'theirs'])
    expect(seen['hook reload-clients']).toEqual(['read', 'theirs', 'write'])
    m.world.back = 'ready'
    await m.world.rollBack()
    expect(seen['hook unfence']).toEqual(['read', 'theirs'])
    expect(seen['hook rollback']).toEqual(['read', 'theirs'])
    expect(m.acls()).toEqual(['theirs'])
  })
  test('that the new cluster had before are nobody else’s to take away', async () => {
    using m = made(['read', 'theirs', 'write'])
    await m.world.execute()
    await m.world.rollBack()
    expect(m.acls()).toEqual(['read', 'theirs', 'write'])
  })
  test('that somebody makes while they are held back stay, when the run is aborted', async () => {
    using m = made([])
    m.world.hookFails = 'pre-switch'
    m.world.before = what => {
      if (what === 'stop') m.world.acls?.add('write')
    }
    await expect(m.world.execute()).rejects.toMatchObject({ code: 'HOOK_FAILED' })
    expect(m.acls()).toEqual(['write'])
  })
  test('killed at any place and started again are all there; then rolled back, only what was there before', async () => {
    for (let credit = 0; ; credit++) {
      using m = made(['theirs'])
      const died = await dies(m.world, credit)
      if (m.world.states.at(-1) !== 'switched') await m.world.execute()
      expect(m.acls()).toEqual(['read', 'theirs', 'write'])
      await m.world.rollBack()
      expect(m.acls()).toEqual(['theirs'])
      if (!died) return
    }
  }, 60_000)
  test('killed at any place and aborted leave what was there before', async () => {
    for (let credit = 0; ; credit++) {
      using m = made(['theirs'])
      const died = await dies(m.world, credit)
      if (!WRITTEN.includes(m.world.states.at(-1) ?? '')) {
        await m.world.abort()
        expect(m.acls()).toEqual(['theirs'])
      }
      if (!died) return
    }
  }, 60_000)
})
