import { chmodSync, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { mapAcl } from '../../src/zkcopy/acl-map.ts'
import { AclTable } from '../../src/zkcopy/acls.ts'
import { parseAclMap, parseMaxDelete, parseSince, readAuthFile } from '../../src/zkcopy/index.ts'
import { aclEntries, aclOf } from '../../src/zookeeper/index.ts'

const usage = expect.objectContaining({ code: 'USAGE', exit: 2 })

for (const [text, ms] of [
  ['0', 0],
  ['1700000000123', 1_700_000_000_123],
  ['2026-01-31', Date.UTC(2026, 0, 31)],
  ['2026-01-31T08:00:00', Date.UTC(2026, 0, 31, 8)],
  ['2026-01-31T08:00:00.250Z', Date.UTC(2026, 0, 31, 8, 0, 0, 250)],
  ['2026-01-31T08:00+02:00', Date.UTC(2026, 0, 31, 6)],
] as const) {
  test(`--since ${text} is ${ms} ms`, () => expect(parseSince(text)).toBe(ms))
}
for (const text of ['', '-5', '1.5', 'yesterday', '2026-13-01', '31.01.2026', '99999999999999999999']) {
  test(`--since '${text}' is refused`, () => expect(() => parseSince(text)).toThrow(usage))
}

test('--max-delete is a number or a part', () => {
  expect(parseMaxDelete('12')).toEqual({ kind: 'count', count: 12 })
  expect(parseMaxDelete('2.5%')).toEqual({ kind: 'part', part: 0.025 })
  for (const text of ['', '-1', '1.5', '101%', 'all']) expect(() => parseMaxDelete(text)).toThrow(usage)
})

test('--acl-map splits at the = before the second scheme, though digests end in = themselves', () => {
  expect([...parseAclMap(['digest:u:abc==digest:v:def=', 'ip:10.0.0.1=ip:10.1.0.1'])]).toEqual([
    ['digest:u:abc=', 'digest:v:def='],
    ['ip:10.0.0.1', 'ip:10.1.0.1'],
  ])
  for (const text of ['', 'digest:u:abc', 'u=v', 'digest:u:abc=v'])
    expect(() => parseAclMap([text])).toThrow(usage)
})

test('mapped ids replace the old ones, keep the others, and are one entry where they become equal', () => {
  const acl = aclOf([
    { perms: 1, scheme: 'digest', id: 'a:x' },
    { perms: 2, scheme: 'digest', id: 'b:hash' },
    { perms: 4, scheme: 'ip', id: '10.0.0.1' },
  ])
  expect(aclEntries(mapAcl(acl, parseAclMap(['digest:a:x=digest:b:hash'])))).toEqual([
    { perms: 3, scheme: 'digest', id: 'b:hash' },
    { perms: 4, scheme: 'ip', id: '10.0.0.1' },
  ])
})

test('a masked ACL of the source stops the copy even if the target showed the same before', () => {
  const table = new AclTable()
  const masked = aclOf([{ perms: 31, scheme: 'digest', id: 'a:x' }])
  table.intern(masked)
  expect(() => table.internSource(masked, '/p')).toThrow(expect.objectContaining({ code: 'ZK_MASKED_ACL' }))
})

test('a file of credentials holds one scheme:secret a line, and a fault is named by line', () => {
  const file = join(mkdtempSync(join(tmpdir(), 'kmig-')), 'auth')
  writeFileSync(file, '# who we are\n\ndigest:user:pass:word\nx509:cn\n', { mode: 0o600 })
  expect(readAuthFile(file).auth.map(({ scheme, secret }) => [scheme, String(secret)])).toEqual([
    ['digest', 'user:pass:word'],
    ['x509', 'cn'],
  ])
  writeFileSync(file, 'digest:user:password\ndigest:user\n')
  expect(() => readAuthFile(file)).toThrow(
    expect.objectContaining({ message: expect.stringContaining(`${file}:2`) }),
  )
  expect(() => readAuthFile(`${file}.none`)).toThrow(usage)
})

for (const mode of [0o640, 0o604, 0o660]) {
  test(`a file of credentials of mode 0${mode.toString(8)} is refused with the chmod, and not shown`, () => {
    const file = join(mkdtempSync(join(tmpdir(), 'kmig-')), 'auth')
    writeFileSync(file, 'digest:user:canary\n')
    chmodSync(file, mode)
    const message = expect.stringContaining(
      `${file} holds credentials and is open to others (mode 0${mode.toString(8)})`,
    )
    expect(() => readAuthFile(file)).toThrow(
      expect.objectContaining({ code: 'CONFIG_INVALID', message, suggestions: [`chmod 600 ${file}`] }),
    )
  })
}
