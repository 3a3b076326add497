import { existsSync, globSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import {
  apply,
  type ClusterAddresses,
  type EditKind,
  type Plan,
  planEdits,
  readDirectory,
  revert,
} from '../../src/discovery/index.ts'
import { NEW, OLD, OLD_ZK, scratch } from './cases.ts'

const root = new URL('../../fixtures/discovery/', import.meta.url).pathname
const cases = globSync('*/before.yaml', { cwd: root }).map(dirname).sort()
const json = (path: string) => (existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : undefined)

type Case = { old?: ClusterAddresses; next?: ClusterAddresses; kind?: EditKind }
const planOf = async (name: string, directory: string): Promise<Plan> => {
  const given: Case = json(join(root, name, 'case.json')) ?? {}
  const { old = { ...OLD, zookeeper: OLD_ZK }, next = NEW, kind } = given
  return await planEdits(await readDirectory(directory), { old, next, kind })
}

describe('every style of discovery file', () => {
  test('has a fixture', () => expect(cases.length).toBeGreaterThan(55))
  for (const name of cases.filter(c => existsSync(join(root, c, 'after.yaml')))) {
    const before = readFileSync(join(root, name, 'before.yaml'))
    const after = readFileSync(join(root, name, 'after.yaml'))
    test(`${name}: is rewritten to its after.yaml, byte for byte, and back`, async () => {
      using files = scratch({ 'srv-configs/generic.yaml': before })
      const file = join(files.root, 'srv-configs/generic.yaml')
      const plan = await planOf(name, files.root)
      using state = scratch()
      const options = { journalDir: join(state.root, 'run') }
      await apply(plan, options)
      expect(readFileSync(file, 'utf8')).toBe(after.toString())
      expect(readFileSync(file)).toEqual(after)
      expect((await planOf(name, files.root)).files).toEqual([])
      await revert(options)
      expect(readFileSync(file)).toEqual(before)
    })
    test(`${name}: means to PyYAML what it means to kmig`, () => {
      expect(parse(after.toString(), { version: '1.1', merge: true })).toEqual(
        json(join(root, name, 'after.json')),
      )
    })
  }
  for (const name of cases.filter(c => existsSync(join(root, c, 'error.json')))) {
    const expected = json(join(root, name, 'error.json'))
    test(`${name}: is refused (${expected.rule ?? 'entries tied together'}), and nothing is written`, async () => {
      const before = readFileSync(join(root, name, 'before.yaml'))
      using files = scratch({ 'generic.yaml': before })
      const error = await planOf(name, files.root).catch(e => e)
      expect(error).toMatchObject({ code: expected.code, exit: 4 })
      if (expected.rule) {
        const place = `generic.yaml:${expected.line}:${expected.column}: error ${expected.rule}: `
        expect(error.message).toContain(place)
      }
      expect(readFileSync(join(files.root, 'generic.yaml'))).toEqual(before)
    })
  }
})
