import { globSync, readFileSync } from 'node:fs'
import { basename, dirname, join, relative } from 'node:path'
import { describe, expect, test } from 'vitest'

const root = new URL('..', import.meta.url).pathname

/** Rooms from left to right; a room imports only from rooms of an earlier row. Source: ARCHITECTURE, "Arrows". */
const ROWS = [
  ['kit'],
  ['wire', 'config'],
  ['kafka', 'zookeeper'],
  ['inventory', 'zkcopy', 'offsets', 'discovery', 'load', 'sandbox'],
  ['mirror'],
  ['verify'],
  ['cutover'],
  ['story'],
  ['cli'],
  ['commands'],
]
const rowOf = new Map(ROWS.flatMap((rooms, row) => rooms.map(room => [room, row] as const)))
/** The sandbox is for throw-away clusters only. */
const SANDBOX_USERS = (file: string, room: string) => room === 'story' || file.startsWith('commands/sandbox/')
const SANDBOX_IMPORTS = ['kit', 'config', 'kafka', 'zookeeper']
/** Files over the budget, each with its reason. */
const LONG_FILES: Record<string, string> = {
  'src/mirror/lane.ts': 'one state machine, the only owner of a partition’s state',
}
const PAGE = { source: { median: 90, p95: 250, max: 400 }, commands: { median: 50, p95: 100, max: 100 } }

const files = globSync(['src/**/*.ts', 'commands/**/*.ts'], { cwd: root }).sort()
const text = (file: string) => readFileSync(join(root, file), 'utf8')
const roomOf = (file: string) => (file.startsWith('commands/') ? 'commands' : (file.split('/')[1] ?? ''))
const imports = (file: string) =>
  [...text(file).matchAll(/(?:from|import)\s*\(?\s*'([^']+)'/g)].map(match => match[1] ?? '')
const arrows = files.flatMap(file =>
  imports(file)
    .filter(to => to.startsWith('.'))
    .map(to => ({ file, to: relative(root, join(root, dirname(file), to)) })),
)
const lines = (chosen: string[]) =>
  chosen.map(file => text(file).split('\n').length - 1).sort((a, b) => a - b)
const quantile = (sorted: number[], q: number) => sorted[Math.floor((sorted.length - 1) * q)] ?? 0

describe('the arrows between rooms', () => {
  test('every folder of src is a known room', () => {
    const rooms = new Set(files.map(roomOf))
    expect([...rooms].filter(room => !rowOf.has(room))).toEqual([])
  })
  test('a room imports only from rooms to its left', () => {
    const wrong = arrows.filter(({ file, to }) => {
      const [from, into] = [roomOf(file), roomOf(to)]
      return from !== into && (rowOf.get(into) ?? 99) >= (rowOf.get(from) ?? -1)
    })
    expect(wrong).toEqual([])
  })
  test('a room is entered through its index.ts', () => {
    const wrong = arrows.filter(({ file, to }) => roomOf(file) !== roomOf(to) && basename(to) !== 'index.ts')
    expect(wrong).toEqual([])
  })
  test('only story and the sandbox commands import the sandbox, which imports four rooms', () => {
    const wrong = arrows.filter(({ file, to }) => {
      const [from, into] = [roomOf(file), roomOf(to)]
      if (from === into) return false
      if (from === 'sandbox') return !SANDBOX_IMPORTS.includes(into)
      return into === 'sandbox' && !SANDBOX_USERS(file, from)
    })
    expect(wrong).toEqual([])
  })
  test('nothing in commands is not a command', () => {
    const wrong = files.filter(
      file => roomOf(file) === 'commands' && !/export default class/.test(text(file)),
    )
    expect(wrong).toEqual([])
  })
  test('one module imports kafkajs, one the base class of oclif', () => {
    const users = (name: string, rooms: string) =>
      files.filter(file => file.startsWith(rooms) && imports(file).some(to => to === name))
    expect(users('kafkajs', '').length).toBeLessThanOrEqual(1)
    expect(
      files.filter(file => /import\s*\{[^}]*\bCommand\b[^}]*\}\s*from '@oclif\/core'/.test(text(file)))
        .length,
    ).toBeLessThanOrEqual(1)
  })
  test('console, process.exit and process.env stay in cli and config', () => {
    const wrong = files.filter(
      file =>
        !['cli', 'config'].includes(roomOf(file)) &&
        /\bconsole\.|\bprocess\.(exit\(|env\b)/.test(text(file).replaceAll(/^\s*(\/\/|\*|\/\*).*$/gm, '')),
    )
    expect(wrong).toEqual([])
  })
})

test('every library that comes with kmig is used', () => {
  const { dependencies, oclif } = JSON.parse(text('package.json'))
  const used = new Set([...oclif.plugins, ...files.flatMap(imports)])
  expect(Object.keys(dependencies).filter(name => !used.has(name))).toEqual([])
})

describe('the budgets of lines', () => {
  const budget = (name: string, chosen: string[], { median, p95, max }: (typeof PAGE)['source']) =>
    test(`${name}: median <= ${median}, 95 % <= ${p95}, all <= ${max}`, () => {
      const sorted = lines(chosen.filter(file => !(file in LONG_FILES)))
      expect(quantile(sorted, 0.5)).toBeLessThanOrEqual(median)
      expect(quantile(sorted, 0.95)).toBeLessThanOrEqual(p95)
      expect(sorted.at(-1) ?? 0).toBeLessThanOrEqual(max)
    })
  budget(
    'rooms',
    files.filter(file => roomOf(file) !== 'commands'),
    PAGE.source,
  )
  budget(
    'commands',
    files.filter(file => roomOf(file) === 'commands'),
    PAGE.commands,
  )
})
