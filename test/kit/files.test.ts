import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { makeDirectory, writeFileAtomic } from '../../src/kit/index.ts'

const root = mkdtempSync(join(tmpdir(), 'kmig-files-'))
afterAll(() => rmSync(root, { recursive: true, force: true }))
writeFileSync(join(root, 'file'), '')

test('a directory is made with those above it, for its owner only, and may be there already', () => {
  for (let i = 0; i < 2; i++) makeDirectory(join(root, 'a/b/c'))
  expect(statSync(join(root, 'a/b')).mode & 0o777).toBe(0o700)
})

for (const path of [
  '/proc/kmig/locks',
  join(root, 'file'),
  join(root, 'file/below'),
  `${root}/${'n'.repeat(300)}`,
])
  test(`one that can't be made is refused by name (${path.replace(root, '').slice(0, 40)})`, () => {
    expect(() => makeDirectory(path)).toThrow(expect.objectContaining({ code: 'PREFLIGHT', exit: 4 }))
    expect(existsSync(join(path, 'x'))).toBe(false)
  })

for (const path of ['/dev/null', root])
  test(`what is no file is never replaced by one (${path === root ? 'a directory' : path})`, async () => {
    await expect(writeFileAtomic(path, 'x')).rejects.toMatchObject({ code: 'USAGE' })
    expect(statSync(path).isFile()).toBe(false)
  })
