import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { parseTtl, readTypes } from '../../src/zkcopy/types.ts'

const usage = expect.objectContaining({ code: 'USAGE', exit: 2 })
const file = (text: string) => {
  const path = join(mkdtempSync(join(tmpdir(), 'kmig-')), 'snapshot.txt')
  writeFileSync(path, text)
  return path
}
const entry = (path: string, owner: string) =>
  `${path}\n  cZxid = 0x0000000000000004\n  cversion = 1\n  ephemeralOwner = 0x${owner}\n  dataLength = 2\n----\n`

test('--ttl is a glob and ms; a glob may hold = itself', () => {
  expect(parseTtl('/a=b/*=60000')).toEqual({ glob: '/a=b/*', type: { kind: 'ttl', ms: 60_000 } })
  expect(parseTtl('/a=1099511627775').type).toEqual({ kind: 'ttl', ms: 0xffffffffff })
  for (const text of ['', '/a', '/a=', '/a=0', '/a=-1', '=5', '/a=1.5', '/a=1099511627776']) {
    expect(() => parseTtl(text), text).toThrow(usage)
  }
})

test('a printed snapshot tells containers and times to live, and takes sessions for what they are', () => {
  const types = readTypes(
    file(
      [
        'ZNode Details (count=4):\n----\n',
        entry('/c', '8000000000000000'),
        entry('/t t', 'ff0000000036ee80'),
      ].join('') + [entry('/session', '100002777ef0001'), entry('/plain', '00000000000000')].join(''),
    ),
  )
  expect([...types]).toEqual([
    ['/c', { kind: 'container' }],
    ['/t t', { kind: 'ttl', ms: 3_600_000 }],
  ])
  expect(() => readTypes(file('{"name": "/"}'))).toThrow(usage)
  expect(() => readTypes('/no/such/file')).toThrow(usage)
})
