import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { bucketOf, digestOf, Fingerprint } from '../../src/zkcopy/fingerprint.ts'
import { aclOf, OPEN_ACL } from '../../src/zookeeper/index.ts'

type Znode = { path: string; data: Buffer | null }
const fingerprint = (znodes: readonly Znode[]) => {
  const sum = new Fingerprint()
  for (const znode of znodes) sum.add(znode.path, digestOf(znode, OPEN_ACL))
  return sum
}
const znodes = fc.uniqueArray(
  fc.record({
    path: fc.string({ minLength: 1 }).map(name => `/${name}`),
    data: fc.option(fc.uint8Array({ maxLength: 20 }).map(bytes => Buffer.from(bytes))),
  }),
  { selector: ({ path }) => path, maxLength: 50 },
)

test('a tree has one fingerprint, in whatever order it is read', () => {
  fc.assert(
    fc.property(znodes, tree => {
      const [a, b] = [fingerprint(tree), fingerprint([...tree].reverse())]
      expect(String(b)).toBe(String(a))
      expect(a.differing(b).size).toBe(0)
    }),
  )
})

test('a znode more is found in its own bucket', () => {
  fc.assert(
    fc.property(znodes, tree => {
      const [first, ...rest] = tree
      fc.pre(first !== undefined)
      expect([...fingerprint(tree).differing(fingerprint(rest))]).toEqual([bucketOf(first.path)])
    }),
  )
})

const read = aclOf([{ perms: 1, scheme: 'world', id: 'anyone' }])
const rows = [
  ['absent data and empty data', { path: '/a', data: null }, { path: '/a', data: Buffer.alloc(0) }, OPEN_ACL],
  ['other data', { path: '/a', data: Buffer.from('1') }, { path: '/a', data: Buffer.from('2') }, OPEN_ACL],
  ['a byte of the path moved into the data', znode('/ab', ''), znode('/a', 'b'), OPEN_ACL],
  ['another path', znode('/a', ''), znode('/b', ''), OPEN_ACL],
  ['another ACL', znode('/a', ''), znode('/a', ''), read],
] as const
function znode(path: string, data: string): Znode {
  return { path, data: Buffer.from(data) }
}
for (const [what, a, b, acl] of rows) {
  test(`${what} is a difference`, () => {
    expect(digestOf(a, OPEN_ACL)).not.toEqual(digestOf(b, acl))
  })
}
