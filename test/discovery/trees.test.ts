import { cpSync, existsSync, globSync, lstatSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { apply, planEdits, readDirectory, revert } from '../../src/discovery/index.ts'
import { NEW, OLD, OLD_ZK, scratch } from './cases.ts'

const fixtures = new URL('../../fixtures/discovery/', import.meta.url).pathname
const cases = globSync('*/tree.json', { cwd: fixtures }).map(dirname).sort()
type Tree = { mentions?: string[]; refused?: string[]; followSymlinks?: boolean; error?: string }

const pathsOf = (root: string) =>
  globSync('**/*', { cwd: root })
    .filter(path => !lstatSync(join(root, path)).isDirectory())
    .sort()
const textsOf = (root: string) => pathsOf(root).map(path => [path, readFileSync(join(root, path), 'utf8')])
const put = (from: string, to: string) => cpSync(from, to, { recursive: true, verbatimSymlinks: true })

describe('a directory of discovery files', () => {
  test('has a fixture for each of its cases', () => {
    expect(cases).toEqual(['later-edit-rollback', 'symlink-in', 'symlink-out', 'unmatched-mention'])
  })
  for (const name of cases) {
    const at = (part: string) => join(fixtures, name, part)
    const {
      mentions = [],
      refused,
      followSymlinks,
      error,
    }: Tree = JSON.parse(readFileSync(at('tree.json'), 'utf8'))
    const planOf = async (root: string, follow: boolean | undefined) =>
      await planEdits(await readDirectory(root, { followSymlinks: follow }), {
        old: { ...OLD, zookeeper: OLD_ZK },
        next: NEW,
      })
    test(`${name}: is rewritten or refused as it stands there, and goes back`, async () => {
      using files = scratch()
      using state = scratch()
      const root = join(files.root, 'before')
      put(at('before'), root)
      if (existsSync(at('before.outside.yaml')))
        put(at('before.outside.yaml'), join(files.root, 'before.outside.yaml'))
      const before = textsOf(root)
      for (const place of refused ?? [])
        await expect(planOf(root, false)).rejects.toMatchObject({ message: expect.stringContaining(place) })
      if (error) {
        await expect(planOf(root, followSymlinks)).rejects.toMatchObject({
          message: expect.stringContaining(error),
        })
        expect(textsOf(root)).toEqual(before)
        return
      }
      const plan = await planOf(root, followSymlinks)
      expect(plan.mentions.map(m => `${m.path}:${m.line}:${m.column} ${m.host}`)).toEqual(mentions)
      const options = { journalDir: state.root }
      await apply(plan, options)
      expect(textsOf(root)).toEqual(textsOf(at('after')))
      if (existsSync(at('later'))) put(at('later'), root)
      await revert(options)
      expect(textsOf(root)).toEqual(existsSync(at('back')) ? textsOf(at('back')) : before)
    })
    if (!error) {
      test(`${name}: means to PyYAML what it means to kmig`, () => {
        const found = globSync('**/*.yaml', { cwd: at('after') }).map(path => [
          path,
          parse(readFileSync(join(at('after'), path), 'utf8'), { version: '1.1' }),
        ])
        expect(Object.fromEntries(found)).toEqual(JSON.parse(readFileSync(at('after.json'), 'utf8')))
      })
    }
  }
})
