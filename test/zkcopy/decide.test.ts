import { expect, test } from 'vitest'
import { Writer } from '../../src/wire/index.ts'
import { decide } from '../../src/zkcopy/decide.ts'
import { pathFilter } from '../../src/zkcopy/filter.ts'
import { KEEP_NOTHING, keeping, RAISE_MOST } from '../../src/zkcopy/keep.ts'
import type { Look } from '../../src/zkcopy/look.ts'
import { newTally } from '../../src/zkcopy/tally.ts'
import { aclOf, OPEN_ACL, Stat } from '../../src/zookeeper/index.ts'

const stat = ({ version = 0, aversion = 0, owner = 0n, children = 0 } = {}) => {
  const to = new Writer().int64(1n).int64(1n).int64(1n).int64(1n).int32(version).int32(0).int32(aversion)
  return new Stat(to.int64(owner).int32(0).int32(children).int64(1n).toBuffer())
}
const READ_ONLY = aclOf([{ perms: 1, scheme: 'world', id: 'anyone' }])
const node = (data: string | null, of = {}) => ({
  data: data === null ? null : Buffer.from(data),
  stat: stat(of),
})
const options = (maxBytes = 10_000) => ({
  to: { reader: undefined as never, root: '/root' },
  tally: newTally(),
  ancestors: [],
  filter: pathFilter(),
  keep: KEEP_NOTHING,
  counters: new Set<string>(),
  maxBytes,
})
const found = (of: Partial<Look> & { onTarget?: boolean; path?: string }): Look => ({
  place: { path: of.path ?? '/a', parent: undefined, onTarget: of.onTarget ?? of.there !== undefined },
  ...{ node: node('x'), selected: true, acl: OPEN_ACL, there: undefined },
  ...of,
})
const there = (data: string | null, of: object = {}, acl = OPEN_ACL) => ({ ...node(data, of), acl })

const rows: [string, Look, object[]][] = [
  ['absent', found({}), [{ kind: 'create', path: '/root/a', data: Buffer.from('x'), acl: OPEN_ACL }]],
  ['equal', found({ there: there('x') }), []],
  ['older and absent', found({ selected: false }), []],
  [
    'of other data at version 0',
    found({ there: there('y') }),
    [{ kind: 'set', path: '/root/a', data: Buffer.from('x'), version: 0, acl: OPEN_ACL }],
  ],
  [
    'of no data where there is empty data',
    found({ node: node(null), there: there('', { version: 3 }) }),
    [{ kind: 'set', path: '/root/a', data: null, version: 3, acl: OPEN_ACL }],
  ],
  [
    'of another ACL',
    found({ there: there('x', { aversion: 4 }, READ_ONLY) }),
    [{ kind: 'acl', path: '/root/a', acl: OPEN_ACL, aversion: 4 }],
  ],
  [
    'of other data and ACL',
    found({ there: there('y', { version: 7, aversion: 4 }, READ_ONLY) }),
    [
      { kind: 'set', path: '/root/a', data: Buffer.from('x'), version: 7, acl: OPEN_ACL },
      { kind: 'acl', path: '/root/a', acl: OPEN_ACL, aversion: 4 },
    ],
  ],
]
for (const [title, look, changes] of rows) {
  test(`a znode that is ${title} on the target needs ${changes.length} changes`, () => {
    expect(decide(options(), look)).toEqual(changes)
  })
}

test('parents that waited come out once, top first, before the child that needs them', () => {
  const given = options()
  const top = found({ path: '/t', selected: false })
  decide(given, top)
  const middle = found({ path: '/t/m', selected: false })
  middle.place.parent = top.place
  decide(given, middle)
  expect(given.tally.missing).toEqual({ count: 2, first: ['/root/t', '/root/t/m'] })
  const child = (path: string) => {
    const look = found({ path })
    look.place.parent = middle.place
    return decide(given, look).map(change => change.path)
  }
  expect(child('/t/m/one')).toEqual(['/root/t', '/root/t/m', '/root/t/m/one'])
  expect(child('/t/m/two')).toEqual(['/root/t/m/two'])
  expect(given.tally.missing).toEqual({ count: 0, first: [] })
})

test('an ephemeral in the way and a znode that is too large are refused by path', () => {
  expect(() => decide(options(), found({ there: there('y', { owner: 0x10n }) }))).toThrow(
    expect.objectContaining({ code: 'ZK_EPHEMERAL', message: expect.stringContaining('/root/a') }),
  )
  expect(() => decide(options(150), found({ node: node('x'.repeat(100)) }))).toThrow(
    expect.objectContaining({ code: 'ZK_OVERSIZE', message: expect.stringContaining('(data: 100)') }),
  )
})

const keepVersions = keeping({ versions: true, sequence: [], rules: [] })
const versions: [string, number, number, string, object[]][] = [
  ['lower on the target', 5, 2, 'x', [{ kind: 'set', version: 2, upTo: 5 }]],
  ['lower, of other data', 5, 2, 'y', [{ kind: 'set', version: 2, upTo: 5 }]],
  ['equal', 5, 5, 'x', []],
  ['equal, of other data', 5, 5, 'y', [{ kind: 'remake', version: 5, upTo: 5 }]],
  ['higher on the target', 1, 3, 'x', [{ kind: 'remake', version: 3, upTo: 1 }]],
  ['wrapped on the target', 1, -7, 'x', [{ kind: 'remake', version: -7, upTo: 1 }]],
]
for (const [title, source, target, data, changes] of versions) {
  test(`with versions preserved, one that is ${title} needs ${changes.length} changes`, () => {
    const given = { ...options(), keep: keepVersions }
    const look = found({ node: node('x', { version: source }), there: there(data, { version: target }) })
    expect(decide(given, look)).toEqual(changes.map(change => expect.objectContaining(change)))
    expect(given.tally.versionsLeft.count).toBe(0)
  })
}
test('a version that nothing can bring about is named: too far off, wrapped, or higher on a parent', () => {
  const given = { ...options(), keep: keepVersions }
  const far = { version: RAISE_MOST + 7 }
  expect(decide(given, found({ path: '/far', node: node('x', far), there: there('x') }))).toMatchObject([
    { kind: 'set', version: 0, upTo: RAISE_MOST },
  ])
  expect(decide(given, found({ path: '/new', node: node('x', far) }))).toMatchObject([
    { kind: 'create', upTo: RAISE_MOST },
  ])
  const wrapped = { version: -2_147_483_648 }
  expect(decide(given, found({ path: '/wrapped', node: node('x', wrapped), there: there('x') }))).toEqual([])
  const parent = there('y', { version: 9, children: 1 })
  expect(decide(given, found({ path: '/up', node: node('x', { version: 3 }), there: parent }))).toMatchObject(
    [{ kind: 'set', version: 9 }],
  )
  expect(given.tally.versionsLeft.first).toEqual(['/root/far', '/root/new', '/root/wrapped', '/root/up'])
})
test('types are given by the first rule that fits, else by the snapshot', () => {
  const types = new Map([['/a', { kind: 'ttl', ms: 5 } as const]])
  const rules = [{ glob: '/c*', type: { kind: 'container' } as const }]
  const keep = keeping({ versions: false, sequence: [], rules, types: path => types.get(path) })
  const typed = (path: string) => decide({ ...options(), keep }, found({ path }))
  expect(typed('/a')).toMatchObject([{ kind: 'create', type: { kind: 'ttl', ms: 5 } }])
  expect(typed('/c/d')).toMatchObject([{ kind: 'create', type: { kind: 'container' } }])
  expect(typed('/b')).toEqual([expect.objectContaining({ kind: 'create', type: undefined })])
  expect(() => keeping({ versions: false, sequence: ['x'], rules: [] })).toThrow(/begin with/)
})
