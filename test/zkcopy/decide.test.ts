import { expect, test } from 'vitest'
import { Writer } from '../../src/wire/index.ts'
import { decide } from '../../src/zkcopy/decide.ts'
import { pathFilter } from '../../src/zkcopy/filter.ts'
import type { Look } from '../../src/zkcopy/look.ts'
import { newTally } from '../../src/zkcopy/tally.ts'
import { aclOf, OPEN_ACL, Stat } from '../../src/zookeeper/index.ts'

const stat = ({ version = 0, aversion = 0, owner = 0n } = {}) => {
  const to = new Writer().int64(1n).int64(1n).int64(1n).int64(1n).int32(version).int32(0).int32(aversion)
  return new Stat(to.int64(owner).int32(0).int32(0).int64(1n).toBuffer())
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
