import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { parseBootstrap } from '../../src/kit/index.ts'
import { cleanShadow, lockMade, type Made, madeIn, madeText, writeMade } from '../../src/story/made.ts'
import { temporary } from '../temporary.ts'

const made: Made = {
  ...{ schemaVersion: 1, id: 'r1' },
  old: { name: 'old', clusterId: 'a', topics: ['__kmig-rehearsal.r1.t'], groups: ['__kmig-rehearsal.r1.g'] },
  new: { name: 'new', clusterId: 'b', topics: ['__kmig-rehearsal.r1.t'], groups: [] },
}
const nowhere = { name: 'nowhere', bootstrap: parseBootstrap('127.203.0.98:1') }
const agree = async () => {
  throw new Error('asked')
}
const clean = (stateDir: string, id = 'r1') => {
  const { signal } = new AbortController()
  return cleanShadow(id, { stateDir, from: nowhere, to: nowhere, agree, signal })
}

test('what a rehearsal has left is named by topic, group and cluster, and cleaned up only by its id and when it was agreed to', async () => {
  const state = temporary()
  mkdirSync(join(state, 'rehearsals/r1'), { recursive: true })
  await writeMade(state, made)
  expect(madeIn(state)).toEqual(['r1'])
  expect(madeText(made)).toContain("topics on 'old': __kmig-rehearsal.r1.t")
  await expect(clean(state, 'r2')).rejects.toMatchObject({ code: 'USAGE', suggestions: ['--clean r1'] })
  await expect(clean(state)).rejects.toThrow('asked')
})

test('nothing is cleaned up behind a rehearsal that is being played, nor by a list that is damaged', async () => {
  const state = temporary()
  mkdirSync(join(state, 'rehearsals/r1'), { recursive: true })
  await writeMade(state, made)
  {
    await using _ = await lockMade(state, 'r1')
    await expect(clean(state)).rejects.toMatchObject({ code: 'LOCKED' })
  }
  writeFileSync(join(state, 'rehearsals/r1/made.json'), '{"schemaVersion":1,')
  await expect(clean(state)).rejects.toMatchObject({ code: 'STATE_DAMAGED' })
})
