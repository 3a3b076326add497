import { globSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { brokerKeys } from '../../src/discovery/address.ts'
import { inverse, sha256, splice } from '../../src/discovery/edit.ts'
import { planFile } from '../../src/discovery/file-plan.ts'
import { apply, type EditKind, planEdits, readDirectory, refusal, revert } from '../../src/discovery/index.ts'
import { diffLines } from '../../src/discovery/lines.ts'
import { lintFile } from '../../src/discovery/lint.ts'
import { isKmigError } from '../../src/kit/index.ts'
import { NEW, OLD, scratch } from './cases.ts'

const host = fc
  .stringMatching(/^[a-z][a-z0-9]{0,6}(?:-[a-z0-9]{1,4})?$/)
  .filter(h => !/^(?:y|n|on|off|yes|no|true|false|null)$/.test(h))
const broker = fc
  .tuple(host, fc.integer({ min: 1, max: 65_535 }))
  .map(([h, port]) => `${h}.example.net:${port}`)
const zookeeper = fc
  .tuple(fc.array(broker, { minLength: 1, maxLength: 3 }), host)
  .map(([hosts, path]) => `${hosts.join(',')}/${path}`)
const name = fc.stringMatching(/^[a-z]{2,6}[0-9]-[a-z]{2,5}$/)
const comment = fc.oneof(fc.constant(''), fc.constant(' # größer: "x" {[ - 日本 🎉'), fc.constant('   #'))
const blank = fc.constantFrom('', '\n', '\n\n', '\n   # alone: here\n')
const style = fc.record({
  quote: fc.constantFrom('', "'", '"'),
  list: fc.constantFrom('block', 'flow', 'flow-lines', 'comma'),
  pad: fc.constantFrom('', ' ', '   '),
  indent: fc.constantFrom(0, 2, 4),
  gap: fc.constantFrom(' ', '   '),
  comment,
  blank,
})
type Style = typeof style extends fc.Arbitrary<infer T> ? T : never
type Row = { name: string; brokers: string[]; zookeeper: string; style: Style }

const quoted = (text: string, mark: string) => `${mark}${text}${mark}`
const listText = (brokers: string[], s: Style, base: number): string => {
  const mark = s.quote || '"'
  if (s.list === 'comma') return `${s.gap}${quoted(brokers.join(','), s.quote)}${s.comment}`
  if (s.list === 'flow')
    return ` [${s.pad}${brokers.map(b => quoted(b, mark)).join(`${s.pad},${s.pad}`)}${s.pad}]${s.comment}`
  const inner = ' '.repeat(base + Math.max(2, s.indent))
  if (s.list === 'flow-lines')
    return ` [${brokers.map(b => `\n${inner}${quoted(b, mark)}`).join(',')}\n${inner}]${s.comment}`
  const dash = ' '.repeat(base + s.indent)
  return `${s.comment}${brokers.map(b => `\n${dash}-${s.gap}${quoted(b, s.quote)}${s.comment}`).join('')}`
}
const entryText = ({ name, brokers, zookeeper, style: s }: Row): string => {
  const fields = [
    `    broker_list:${listText(brokers, s, 4)}`,
    `    zookeeper:${s.gap}${quoted(zookeeper, s.quote)}${s.comment}`,
  ]
  return [`  ${name}:${s.comment}${s.blank}`, ...(s.pad === ' ' ? fields.reverse() : fields), ''].join('\n')
}

const someOld = fc.subarray([...OLD.brokers, 'Broker-A.example.com:9092'], { minLength: 1 })
const row = (brokers: fc.Arbitrary<string[]>) => fc.record({ name, brokers, zookeeper, style })
const others = row(fc.array(broker, { minLength: 1, maxLength: 3 }))
const file = fc.record({
  rows: fc
    .tuple(row(someOld), fc.array(fc.oneof(others, row(someOld)), { maxLength: 4 }))
    .map(([first, rest]) => [...new Map([...rest, first].map(r => [r.name, r])).values()]),
  head: fc.constantFrom('', '---\n', '# first line\n---\n', '\uFEFF', '\uFEFF---\n'),
  crlf: fc.boolean(),
  finalNewline: fc.boolean(),
  next: fc.record({
    brokers: fc.uniqueArray(broker, { minLength: 1, maxLength: 4 }),
    zookeeper: fc.option(zookeeper, { nil: undefined }),
  }),
})

const textOf = ({
  rows,
  head,
  crlf,
  finalNewline,
}: {
  rows: Row[]
  head: string
  crlf: boolean
  finalNewline: boolean
}) => {
  const text = `${head}clusters:\n${rows.map(entryText).join('')}local_config:\n  cluster: ${rows[0]?.name}\n`
  const ended = finalNewline ? text : text.slice(0, -1)
  return crlf ? ended.replaceAll('\n', '\r\n') : ended
}

test('whatever the style: planned values change, every other byte and value stays, and the way back is exact', async () => {
  using dir = scratch()
  using state = scratch()
  const path = join(dir.root, 'generic.yaml')
  let run = 0
  await fc.assert(
    fc.asyncProperty(file, async made => {
      const before = Buffer.from(textOf(made))
      writeFileSync(path, before)
      const plan = await planEdits(await readDirectory(dir.root), { old: OLD, next: made.next })
      const edits = plan.files[0]?.edits ?? []
      const options = { journalDir: join(state.root, `run-${run++}`) }
      await apply(plan, options)
      const after = readFileSync(path)
      expect(splice(after, inverse(edits))).toEqual(before)
      let [from, shift] = [0, 0]
      for (const edit of edits) {
        expect(after.subarray(from + shift, edit.at + shift)).toEqual(before.subarray(from, edit.at))
        from = edit.at + Buffer.byteLength(edit.before)
        shift += Buffer.byteLength(edit.after) - Buffer.byteLength(edit.before)
      }
      expect(after.subarray(from + shift)).toEqual(before.subarray(from))
      for (const version of ['1.1', '1.2'] as const) {
        const model = parse(before.toString(), { version })
        for (const { cluster } of plan.entries.filter(e => e.is === 'change')) {
          const entry = model.clusters[cluster]
          const wasList = Array.isArray(entry.broker_list)
          entry.broker_list = wasList ? made.next.brokers : made.next.brokers.join(',')
          entry.zookeeper = made.next.zookeeper ?? entry.zookeeper
        }
        expect(parse(after.toString(), { version })).toEqual(model)
      }
      await revert(options)
      expect(readFileSync(path)).toEqual(before)
    }),
    { numRuns: 60 },
  )
}, 60_000)

test('whatever the style: an entry is added beside each old one, becomes the default, and the old ones go; each step has an exact way back', async () => {
  using dir = scratch()
  using state = scratch()
  const path = join(dir.root, 'generic.yaml')
  let run = 0
  await fc.assert(
    fc.asyncProperty(file, async made => {
      writeFileSync(path, textOf(made))
      const model = parse(readFileSync(path, 'utf8'), { version: '1.1' })
      const planOf = async (kind: EditKind) =>
        await planEdits(await readDirectory(dir.root), { old: OLD, next: made.next, kind })
      const step = async (kind: EditKind) => {
        const before = readFileSync(path)
        const plan = await planOf(kind)
        const options = { journalDir: join(state.root, `run-${run++}`) }
        await apply(plan, options)
        const after = readFileSync(path)
        expect((await planOf(kind)).files).toEqual([])
        await revert(options)
        expect(readFileSync(path)).toEqual(before)
        writeFileSync(path, after)
        return { plan, now: parse(after.toString(), { version: '1.1' }) }
      }
      const added = await step({ kind: 'beside', name: '*-next', flip: false })
      const olds = added.plan.entries.filter(e => e.is === 'change').map(({ cluster }) => cluster)
      for (const name of olds) {
        const { broker_list, zookeeper } = model.clusters[name]
        const list = Array.isArray(broker_list) ? made.next.brokers : made.next.brokers.join(',')
        const next = { broker_list: list, zookeeper: made.next.zookeeper ?? zookeeper }
        model.clusters[`${name}-next`] = { ...model.clusters[name], ...next }
      }
      expect(added.now).toEqual(model)
      const { cluster } = model.local_config
      const nexts = added.plan.entries.length // those that named it before, and the new ones
      if (olds.includes(cluster) && nexts > 1) {
        await expect(planOf({ kind: 'flip' })).rejects.toMatchObject({ code: 'DISCOVERY_INVALID' })
        return
      }
      const flipped = await step({ kind: 'flip' })
      if (olds.includes(cluster)) model.local_config.cluster = `${cluster}-next`
      expect(flipped.now).toEqual(model)
      const removed = await step({ kind: 'remove' })
      for (const name of olds) delete model.clusters[name]
      expect(removed.now).toEqual(model)
    }),
    { numRuns: 50 },
  )
}, 60_000)

test('differences of two texts, put into the first, make the second', () => {
  const lines = fc.array(fc.constantFrom('a\n', 'b\n', 'c\n'), { maxLength: 12 })
  fc.assert(
    fc.property(lines, lines, (a, b) => {
      const made: string[] = []
      let at = 0
      for (const block of diffLines(a, b)) {
        made.push(...a.slice(at, block.a[0]), ...b.slice(...block.b))
        at = block.a[1]
      }
      expect([...made, ...a.slice(at)]).toEqual(b)
    }),
  )
})

const fixtures = globSync('../../fixtures/discovery/*/after.yaml', { cwd: import.meta.dirname })
  .sort()
  .map(path => readFileSync(join(import.meta.dirname, path, '../before.yaml'), 'utf8'))
const scrap = fc.constantFrom(
  ...[
    '\t',
    ' ',
    '  ',
    '\n',
    '\r',
    '#',
    ' #',
    ':',
    ': ',
    '- ',
    '"',
    "'",
    ',',
    '[',
    ']',
    '{',
    '}',
    '&a ',
    '*a',
    '!x ',
  ],
  ...[
    '|',
    '>-',
    '%',
    '@',
    '\u00a0',
    '\u0085',
    '\uFEFF',
    '---\n',
    '...\n',
    '? ',
    '~',
    'on',
    '12:30',
    '=',
    '<<: ',
  ],
)
const KINDS: EditKind[] = [
  { kind: 'replace', keys: ['broker_list', 'zookeeper'] },
  { kind: 'beside', name: '*-next', flip: true },
  { kind: 'flip' },
  { kind: 'remove' },
]
const damage = fc.record({ at: fc.nat(), cut: fc.nat(3), put: scrap })

test('a damaged file is refused, or rewritten as planned: nothing else happens', () => {
  const known = { old: OLD, next: NEW, oldKeys: brokerKeys(OLD.brokers), newKeys: brokerKeys(NEW.brokers) }
  fc.assert(
    fc.property(
      fc.constantFrom(...fixtures),
      fc.array(damage, { minLength: 1, maxLength: 3 }),
      fc.constantFrom(...KINDS),
      (text, all, kind) => {
        const damaged = all.reduce((t, { at, cut, put }) => {
          const from = at % (t.length + 1)
          return t.slice(0, from) + put + t.slice(from + cut)
        }, text)
        const bytes = Buffer.from(damaged)
        const looked = lintFile({
          path: 'a.yaml',
          bytes,
          sha: sha256(bytes),
          mode: 0,
          uid: 0,
          gid: 0,
          links: 1,
        })
        if (looked.kind !== 'discovery' || refusal(looked.file.findings)) return
        try {
          planFile(looked.file, known, kind)
        } catch (e) {
          if (!isKmigError(e, 'DISCOVERY_INVALID')) throw e
        }
      },
    ),
    { numRuns: 1_500 },
  )
}, 60_000)
