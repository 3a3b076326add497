import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { parseMaxDelete, parseSince, readAuthFile } from '../../src/zkcopy/index.ts'

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

test('a file of credentials holds one scheme:secret a line, and a fault is named by line', () => {
  const file = join(mkdtempSync(join(tmpdir(), 'kmig-')), 'auth')
  writeFileSync(file, '# who we are\n\ndigest:user:pass:word\nx509:cn\n')
  expect(readAuthFile(file).map(({ scheme, secret }) => [scheme, String(secret)])).toEqual([
    ['digest', 'user:pass:word'],
    ['x509', 'cn'],
  ])
  writeFileSync(file, 'digest:user:password\ndigest:user\n')
  expect(() => readAuthFile(file)).toThrow(
    expect.objectContaining({ message: expect.stringContaining(`${file}:2`) }),
  )
  expect(() => readAuthFile(`${file}.none`)).toThrow(usage)
})
