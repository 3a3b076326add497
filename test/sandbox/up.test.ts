import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { spawned } from '../cli/spawned.ts'

const script = new URL('command.ts', import.meta.url).pathname
const inDirectory = async () => {
  const cwd = await mkdtemp(join(tmpdir(), 'kmig-up-'))
  onTestFinished(() => rm(cwd, { recursive: true }))
  return cwd
}

test('a kmig.yaml of somebody else is not overwritten: exit 4, and nothing is started or changed', async () => {
  const cwd = await inDirectory()
  await writeFile(join(cwd, 'kmig.yaml'), 'clusters: {}\n')
  const { code, stderr } = await spawned(script, ['up'], { cwd })
  expect(code).toBe(4)
  expect(stderr).toMatch(/PREFLIGHT: .*kmig\.yaml was not written by the sandbox/)
  expect(stderr).toMatch(/--config sandbox\.yaml/)
  expect(await readFile(join(cwd, 'kmig.yaml'), 'utf8')).toBe('clusters: {}\n')
  expect(existsSync(join(cwd, '.kmig'))).toBe(false)
})

test('without Java up ends with exit 4, names what to install and leaves nothing but its state', async () => {
  const cwd = await inDirectory()
  const { code, stderr } = await spawned(script, ['up'], { cwd, env: { JAVA_HOME: join(cwd, 'none') } })
  expect(code).toBe(4)
  expect(stderr).toMatch(/NO_PROVIDER: the sandbox needs Java 17/)
  expect(stderr).toMatch(/install a JDK 17/)
  expect(existsSync(join(cwd, 'kmig.yaml'))).toBe(false)
})

for (const [name, said] of [
  ['status', { up: false, status: null }],
  ['down', { ended: false, directory: null }],
] as const) {
  test(`${name} where nothing is up says so and is no error`, async () => {
    const { code, stdout } = await spawned(script, [name, '--json'], { cwd: await inDirectory() })
    expect(code).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({ ok: true, ...said })
  })
}
