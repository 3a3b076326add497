import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, describe, expect, test } from 'vitest'
import { checkDump, readDump } from '../../src/zkcopy/dump-check.ts'
import { refuseOverwrite, writeDumpFile } from '../../src/zkcopy/dump-file.ts'
import { type Dumped, LineSum } from '../../src/zkcopy/dump-format.ts'
import { aclEntries } from '../../src/zookeeper/index.ts'

const directory = mkdtempSync(join(tmpdir(), 'kmig-dump-'))
afterAll(() => rmSync(directory, { recursive: true }))
const signal = new AbortController().signal

const header = {
  kind: 'header',
  format: 'kmig-zk-dump',
  version: 1,
  from: 'h:2181/app',
  root: '/app',
  zxid: '4294967297',
  at: '2026-01-31T08:00:00.000Z',
}
const stat = {
  czxid: '4294967298',
  mzxid: '-1',
  ctime: 1,
  mtime: 2,
  version: 3,
  cversion: 4,
  aversion: 5,
  ephemeralOwner: '72057594037927936',
  dataLength: 2,
  numChildren: 1,
  pzxid: '9',
}
const acl = [{ perms: 31, scheme: 'digest', id: 'u:hash' }]
const node = (path: string, more = {}) => ({ kind: 'node', path, data: 'aGk=', acl, stat, ...more })
const sealed = (lines: readonly object[], footer = {}): string => {
  const texts = lines.map(line => JSON.stringify(line))
  const sum = new LineSum()
  for (const text of texts) sum.add(text)
  const end = { kind: 'footer', znodes: lines.length - 1, zxid: '1', sha256: sum.sha256(), ...footer }
  return `${[...texts, JSON.stringify(end)].join('\n')}\n`
}
const good = sealed([header, node('/'), node('/a'), node('/a/größe')])
let files = 0
const fileOf = (bytes: string | Buffer, name = 'dump.ndjson') => {
  const file = join(directory, `${files++}-${name}`)
  writeFileSync(file, bytes)
  return file
}

test('a dump reads back as it was written, packed or not', async () => {
  for (const file of [fileOf(good), fileOf(gzipSync(good), 'dump.ndjson.gz')]) {
    expect(await checkDump(file, signal)).toMatchObject({ header, znodes: 3 })
    const nodes: Dumped[] = []
    for await (const each of readDump(file)) nodes.push(each)
    expect(nodes.map(({ path }) => path)).toEqual(['/', '/a', '/a/größe'])
    expect(nodes[0]?.data?.toString()).toBe('hi')
    expect(nodes[0] && aclEntries(nodes[0].acl)).toEqual(acl)
    expect(nodes[0]?.stat).toMatchObject({
      czxid: 4294967298n,
      mzxid: -1n,
      ctimeMs: 1,
      mtimeMs: 2,
      version: 3,
      cversion: 4,
      aversion: 5,
      ephemeral: true,
      ephemeralOwner: 72057594037927936n,
      dataLength: 2,
      numChildren: 1,
      pzxid: 9n,
    })
  }
})

describe('refused as damaged', () => {
  const rows: [string, string, RegExp][] = [
    ['an empty file', '', /footer is missing/],
    ['a znode that was changed', good.replace('aGk=', 'aGo='), /sha256/],
    ['a znode that was taken out', good.replace(/\n.*größe.*\n/, '\n'), /has 2 znodes, its footer says 3/],
    ['a line after the footer', `${good}{}\n`, /follows the footer/],
    ['no JSON', good.replace('{"kind":"node"', '{kind:'), /line 2 is no JSON/],
    ['another format', sealed([{ ...header, format: 'x' }]), /line 1, format/],
    ['a later version', sealed([{ ...header, version: 2 }]), /line 1, version/],
    ['a znode without its parent', sealed([header, node('/'), node('/a/b')]), /without its parent/],
    ['a path with ..', sealed([header, node('/'), node('/..')]), /relative name/],
    ['data of another length', sealed([header, node('/', { data: 'aGk0' })]), /3 bytes of data where 2/],
    [
      'hidden digests',
      sealed([header, node('/', { acl: [{ perms: 31, scheme: 'digest', id: 'u:x' }] })]),
      /hidden/,
    ],
  ]
  for (const [what, text, why] of rows) {
    test(what, async () => {
      await expect(checkDump(fileOf(text), signal)).rejects.toMatchObject({
        code: 'ZK_DUMP_DAMAGED',
        exit: 4,
        message: expect.stringMatching(why),
      })
    })
  }
  test('a dump that was cut off at any byte, packed or not', async () => {
    const packed = gzipSync(good)
    for (let length = 0; length < good.length - 1; length += 37) {
      const cut = checkDump(fileOf(Buffer.from(good).subarray(0, length)), signal)
      await expect(cut).rejects.toMatchObject({ code: 'ZK_DUMP_DAMAGED' })
    }
    for (let length = 0; length < packed.length; length += 7) {
      const cut = checkDump(fileOf(packed.subarray(0, length), 'cut.gz'), signal)
      await expect(cut).rejects.toMatchObject({ code: 'ZK_DUMP_DAMAGED' })
    }
  })
})

test('a file appears when it is complete, for its owner only', async () => {
  const file = join(directory, 'whole.ndjson')
  const text = async function* () {
    yield good
    expect(readdirSync(directory)).not.toContain('whole.ndjson')
  }
  expect(await writeDumpFile(file, text(), signal)).toBe(Buffer.byteLength(good))
  expect(readFileSync(file, 'utf8')).toBe(good)
  expect(statSync(file).mode & 0o777).toBe(0o600)
})

test('a dump that fails leaves no file, and the one that was there as it was', async () => {
  const file = fileOf('before')
  const text = async function* () {
    yield good
    throw new Error('lost')
  }
  await expect(writeDumpFile(file, text(), signal)).rejects.toThrow('lost')
  expect(readFileSync(file, 'utf8')).toBe('before')
  expect(readdirSync(directory).filter(name => name.includes('stage'))).toEqual([])
})

test('a file that is there is kept unless --overwrite is given', async () => {
  const file = fileOf('before')
  await expect(refuseOverwrite(file, { overwrite: false })).rejects.toMatchObject({ code: 'USAGE' })
  await refuseOverwrite(file, { overwrite: true })
  await expect(refuseOverwrite(join(directory, 'no', 'x'), { overwrite: true })).rejects.toMatchObject({
    code: 'USAGE',
  })
})
