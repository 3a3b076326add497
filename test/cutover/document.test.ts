import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { canonical } from '../../src/cutover/canonical.ts'
import { readDocument } from '../../src/cutover/document.ts'
import { findRun, Run } from '../../src/cutover/run-directory.ts'
import { differenceOf, type Seen, sha256Of } from '../../src/cutover/seen.ts'
import { scratch } from '../discovery/cases.ts'

const topic = { id: 'a', partitions: 2, configs: 'c' }
const then: Seen = { topics: { orders: topic }, groups: ['billing'], acls: 'x' }

describe('what a plan rests on', () => {
  const rows: [string, Seen, string[]][] = [
    ['nothing', then, []],
    ['a topic that is gone', { ...then, topics: {} }, ['topic orders is gone']],
    [
      'a topic that was made again',
      { ...then, topics: { orders: { ...topic, id: 'b' } } },
      ['topic orders was deleted and made again'],
    ],
    [
      'more partitions',
      { ...then, topics: { orders: { ...topic, partitions: 3 } } },
      ['topic orders has 3 partitions, it had 2'],
    ],
    [
      'settings',
      { ...then, topics: { orders: { ...topic, configs: 'd' } } },
      ['settings of topic orders changed'],
    ],
    ['a new topic', { ...then, topics: { orders: topic, more: topic } }, ['topic more is new']],
    ['a new group', { ...then, groups: ['billing', 'new'] }, ['group new is new']],
    ['a group that is gone', { ...then, groups: [] }, []],
    ['ACLs', { ...then, acls: 'y' }, ['ACLs of the old cluster changed']],
  ]
  for (const [what, now, found] of rows)
    test(`${what} that changed is named: ${found.join() || 'nothing'}`, () => {
      expect(differenceOf(then, now, { fenced: false })).toEqual(found)
    })
  test('settings and ACLs that a fence has made are no change', () => {
    const now = { ...then, acls: 'y', topics: { orders: { ...topic, configs: 'd' } } }
    expect(differenceOf(then, now, { fenced: true })).toEqual([])
  })
})

test('equal values have equal canonical bytes, whatever the order of their keys', () => {
  expect(canonical({ b: [1n, { d: 1, c: undefined }], a: 'x' })).toBe('{"a":"x","b":["1",{"d":1}]}')
  expect(canonical({ a: 1, b: 2 })).toBe(canonical({ b: 2, a: 1 }))
})

test('a plan that was edited by hand is refused: exit 4', () => {
  using dir = scratch()
  const rest = { schemaVersion: 1, run: 'r', files: [] }
  const path = join(dir.root, 'plan.json')
  writeFileSync(path, JSON.stringify({ ...rest, hash: sha256Of(rest) }))
  expect(readDocument(dir.root)).toMatchObject({ run: 'r' })
  writeFileSync(path, readFileSync(path, 'utf8').replace('"r"', '"s"'))
  expect(() => readDocument(dir.root)).toThrow('its hash differs')
  writeFileSync(path, '{')
  expect(() => readDocument(dir.root)).toThrow('is no JSON')
  expect(readDocument(join(dir.root, 'none'))).toBe(undefined)
})

describe('the journal of a run', () => {
  const subject = {
    from: { name: 'old', clusterId: 'o', bootstrap: [] },
    to: { name: 'new', clusterId: 'n', bootstrap: [] },
    ...{ mirror: 'm', discovery: '/d', topics: [], exclude: [], groups: [] },
  }
  const made = async (state: object) => {
    const { root, [Symbol.dispose]: dispose } = scratch()
    {
      await using run = await Run.begin(root, subject, 'r1')
      await run.append(state as Parameters<typeof run.append>[0], 1)
    }
    return { root, path: join(root, 'runs/r1/cutover.journal'), [Symbol.dispose]: dispose }
  }
  const planned = { at: 'planned', plan: { root: '/d', files: [] } }
  test('drops a torn last line, and nothing else', async () => {
    using m = await made(planned)
    writeFileSync(m.path, `${readFileSync(m.path, 'utf8')}{"at":"20`)
    expect(findRun(m.root).last).toMatchObject(planned)
  })
  test('that was changed anywhere else is refused by name: exit 7', async () => {
    using m = await made(planned)
    writeFileSync(m.path, readFileSync(m.path, 'utf8').replace('"clusterId":"o"', '"clusterId":"p"'))
    expect(() => findRun(m.root)).toThrow('line 2 does not follow the line before it')
  })
  test('with a state that this kmig does not know is refused by name: exit 7', async () => {
    using m = await made({ ...planned, at: 'configs-released' })
    expect(() => findRun(m.root)).toThrow("tells of a state 'configs-released'")
  })
  test('does not have to be there', () => {
    using m = scratch()
    mkdirSync(join(m.root, 'runs/r2'), { recursive: true })
    expect(() => findRun(m.root)).toThrow('there is no cutover run')
  })
})
