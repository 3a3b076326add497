import { existsSync, globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { ERRORS, EXIT } from '../../src/kit/index.ts'

const root = new URL('../..', import.meta.url).pathname
const read = (file: string) => readFileSync(join(root, file), 'utf8')
const readme = read('README.md')
const manifest = JSON.parse(read('package.json'))

/** Rows of the table under a heading, cell by cell. */
const table = (heading: string) =>
  (readme.split(`## ${heading}\n`)[1]?.split('\n## ')[0] ?? '')
    .split('\n')
    .filter(line => line.startsWith('|'))
    .slice(2)
    .map(line =>
      line
        .split('|')
        .slice(1, -1)
        .map(cell => cell.trim()),
    )

describe('the README', () => {
  test('lists every error code with its exit code and meaning', () => {
    expect(table('Errors')).toEqual(
      Object.entries(ERRORS).map(([code, { exit, means }]) => [code, String(exit), means]),
    )
  })
  test('lists every exit code', () => {
    const listed = table('Exit codes').map(([exit]) => exit)
    expect(listed).toEqual([...Object.values(EXIT).map(String), '129, 130, 143'])
  })
  test('names every runtime dependency, and no other library in that table', () => {
    const named = table('Dependencies')
      .map(([, library = '']) => library)
      .filter(library => !library.startsWith('own '))
      .flatMap(library => library.split(', '))
    expect(named.sort()).toEqual(Object.keys(manifest.dependencies).sort())
  })
})

test('every link of the README and the docs leads to a file', () => {
  const broken = ['README.md', ...globSync('docs/**/*.md', { cwd: root })].flatMap(file =>
    [...read(file).matchAll(/\]\((?!https?:)([^)#]+)/g)]
      .map(([, link = '']) => join(root, file, '..', link))
      .filter(path => !existsSync(path)),
  )
  expect(broken).toEqual([])
})
