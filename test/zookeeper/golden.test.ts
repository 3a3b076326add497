import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { Reader, Writer } from '../../src/wire/index.ts'
import * as zk from '../../src/zookeeper/index.ts'

const file = new URL('../../fixtures/zk/requests/zookeeper-3.8.4.json', import.meta.url)
type Exchange = { name: string; request: string; reply: string }
const { exchanges } = JSON.parse(readFileSync(file, 'utf8')) as { exchanges: Exchange[] }
const exchange = (name: string) => {
  const found = exchanges.find(one => one.name === name)
  if (!found) throw new Error(`no exchange ${name}`)
  return { request: Buffer.from(found.request, 'hex'), reply: Buffer.from(found.reply, 'hex') }
}

const hello = Buffer.from('hello')
const stat = (from: zk.Stat | undefined) =>
  from && {
    version: from.version,
    cversion: from.cversion,
    aversion: from.aversion,
    dataLength: from.dataLength,
    numChildren: from.numChildren,
    ephemeral: from.ephemeral,
    later: from.mzxid > from.czxid,
    years: new Date(from.mtimeMs).getUTCFullYear() >= 2020 && from.ctimeMs <= from.mtimeMs,
  }
const fresh = { version: 0, aversion: 0, dataLength: 5, ephemeral: false, later: false, years: true }
const { OPEN_ACL } = zk
const withReader = zk.aclOf([
  { perms: 31, scheme: 'world', id: 'anyone' },
  { perms: 1, scheme: 'ip', id: '10.0.0.0/8' },
])

type Row = [string, zk.Operation<never, unknown>, unknown, number, unknown, ((value: never) => unknown)?]
const row = <Q, A>(
  name: string,
  operation: zk.Operation<Q, A>,
  request: Q,
  code: number,
  value?: unknown,
  seen?: (value: A) => unknown,
): Row => [name, operation as never, request, code, value, seen as never]

const rows: Row[] = [
  row('create', zk.create, { path: '/golden', data: hello, acl: OPEN_ACL }, 0, '/golden'),
  row('create null', zk.create, { path: '/golden/null', data: null, acl: OPEN_ACL }, 0, '/golden/null'),
  row('create exists', zk.create, { path: '/golden', data: hello, acl: OPEN_ACL }, -110),
  row(
    'getData',
    zk.getData,
    { path: '/golden' },
    0,
    { data: 'hello', stat: { ...fresh, cversion: 1, numChildren: 1 } },
    ({ data, stat: s }) => ({ data: String(data), stat: stat(s) }),
  ),
  row('getData null', zk.getData, { path: '/golden/null' }, 0, null, ({ data }) => data),
  row('getData absent', zk.getData, { path: '/golden/absent' }, -101),
  row('exists', zk.exists, { path: '/golden' }, 0, { ...fresh, cversion: 1, numChildren: 1 }, stat),
  row(
    'setData',
    zk.setData,
    { path: '/golden', data: Buffer.from('bye'), version: 0 },
    0,
    { ...fresh, version: 1, cversion: 1, numChildren: 1, dataLength: 3, later: true },
    stat,
  ),
  row('setData stale', zk.setData, { path: '/golden', data: hello, version: 0 }, -103),
  row('getACL', zk.getAcl, { path: '/golden' }, 0, OPEN_ACL, ({ acl }) => acl),
  row(
    'setACL',
    zk.setAcl,
    { path: '/golden', acl: withReader, aversion: 0 },
    0,
    1,
    ({ aversion }) => aversion,
  ),
  row('getChildren', zk.getChildren, { path: '/golden' }, 0, ['null']),
  row('sync', zk.sync, { path: '/' }, 0, '/'),
  row(
    'multi',
    zk.multi,
    [
      { kind: 'check', path: '/golden', version: 1 },
      { kind: 'create', path: '/golden/größe', data: hello, acl: OPEN_ACL },
      { kind: 'set', path: '/golden/größe', data: null, version: 0 },
      { kind: 'delete', path: '/golden/null', version: 0 },
    ],
    0,
    [0, 0, 0, 0],
  ),
  row(
    'multi failed',
    zk.multi,
    [
      { kind: 'create', path: '/golden/x', data: hello, acl: OPEN_ACL },
      { kind: 'create', path: '/golden', data: hello, acl: OPEN_ACL },
      { kind: 'delete', path: '/golden', version: -1 },
    ],
    0,
    [0, -110, -2],
  ),
  row(
    'multiRead',
    zk.multiRead,
    [
      { kind: 'data', path: '/golden/größe' },
      { kind: 'children', path: '/golden' },
      { kind: 'data', path: '/golden/absent' },
    ],
    0,
    [{ code: 0, data: null }, { code: 0, names: ['größe'] }, { code: -101 }],
    replies =>
      replies.map(({ code, value }) =>
        Array.isArray(value) ? { code, names: value } : value ? { code, data: value.data } : { code },
      ),
  ),
  row('delete not empty', zk.remove, { path: '/golden', version: -1 }, -111),
  row('delete', zk.remove, { path: '/golden/größe', version: 1 }, 0, undefined),
]

describe('the wire of a real ZooKeeper 3.8.4', () => {
  for (const [name, operation, request, code, value, seen] of rows) {
    test(`${name}: our request is byte for byte what the server took`, () => {
      const { request: golden } = exchange(name)
      const frame = new Writer().int32(0).int32(golden.readInt32BE(4)).int32(operation.opcode)
      operation.write(frame, request as never)
      const bytes = frame.toBuffer()
      bytes.writeInt32BE(bytes.length - 4, 0)
      expect(bytes.toString('hex')).toBe(golden.toString('hex'))
    })
    test(`${name}: its answer is read to the last byte`, () => {
      const from = new Reader(exchange(name).reply, 4 + 4 + 8)
      expect(from.int32()).toBe(code)
      if (code !== 0) return
      const read = operation.read(from)
      expect(seen ? seen(read as never) : read).toEqual(value)
      expect(from.left).toBe(0)
    })
  }
  test('the size that a multi is reckoned at is the size that it has', () => {
    const ops = rows.find(([name]) => name === 'multi')?.[2] as zk.WriteOp[]
    const reckoned = ops.reduce((sum, op) => sum + zk.opBytes(op), zk.MULTI_BYTES)
    expect(reckoned).toBe(exchange('multi').request.length)
  })
})
