import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { instanceOf } from '../../src/mirror/instance.ts'

const root = mkdtempSync(join(tmpdir(), 'kmig-instance-'))
afterAll(() => rmSync(root, { recursive: true, force: true }))

test('a state directory gives the same name each time, and another directory another', () => {
  const [a, b] = [join(root, 'a'), join(root, 'b')]
  const name = instanceOf(a)
  expect(instanceOf(a)).toBe(name)
  expect(instanceOf(b)).not.toBe(name)
  expect(readdirSync(a)).toEqual(['instance'])
})

for (const [what, text] of [
  ['nothing', ''],
  ['half a name', '1b9d6bcd-bbfd'],
  ['garbage', '\u0000{"x":\n'],
] as const)
  test(`a file of ${what} is replaced: two processes never go by one name`, () => {
    const [a, b] = [mkdtempSync(join(root, 'x')), mkdtempSync(join(root, 'y'))]
    for (const dir of [a, b]) writeFileSync(join(dir, 'instance'), text)
    const name = instanceOf(a)
    expect(instanceOf(b)).not.toBe(name)
    expect(name.endsWith(readFileSync(join(a, 'instance'), 'utf8'))).toBe(true)
    expect(instanceOf(a)).toBe(name)
  })

test('a file in the place of the state directory is said by name', () => {
  const dir = mkdtempSync(join(root, 'z'))
  writeFileSync(join(dir, 'state'), '')
  expect(() => instanceOf(join(dir, 'state'))).toThrow(expect.objectContaining({ code: 'PREFLIGHT' }))
})
