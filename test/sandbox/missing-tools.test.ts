import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { brokerJars, jarsOf } from '../../src/sandbox/artifacts.ts'
import { Sandbox, type SandboxOptions, sandboxEnvironment } from '../../src/sandbox/index.ts'
import { findJava } from '../../src/sandbox/toolchain.ts'
import { OLD } from '../sandbox-helper.ts'

const directory = async () => {
  const path = await mkdtemp(join(tmpdir(), 'kmig-tools-'))
  onTestFinished(() => rm(path, { recursive: true }))
  return path
}

const script = async (home: string, name: string, body: string) => {
  const path = join(home, name)
  await writeFile(path, `#!/bin/sh\n${body}\n`)
  await chmod(path, 0o755)
  return path
}

const signal = new AbortController().signal
const jdk = (line: string) => `echo '${line}' >&2`
const JAVA = jdk('openjdk version "21.0.2" 2024-01-16')

const rows = [
  ['java is missing', undefined, undefined, /needs Java 17, and .*java doesn't run/, /install a JDK 17/],
  [
    'java is 1.8',
    jdk('java version "1.8.0_402"'),
    undefined,
    /needs Java 17, and .*1\.8\.0_402/,
    /JAVA_HOME/,
  ],
  [
    'java is 11',
    jdk('openjdk version "11.0.2"'),
    undefined,
    /needs Java 17, and .*11\.0\.2/,
    /install a JDK 17/,
  ],
  ['Maven is missing and no jars are there', JAVA, undefined, /mvn doesn't run/, /install Maven/],
] as const
for (const [what, java, maven, message, advice] of rows) {
  test(`where ${what} the sandbox names what to install`, async () => {
    const home = await directory()
    const options: SandboxOptions = {
      root: home,
      cacheRoot: home,
      java: java ? await script(home, 'java', java) : join(home, 'java'),
      maven: maven ?? join(home, 'mvn'),
    }
    const failure = await Sandbox.check([OLD], options).catch(e => e)
    expect(failure).toMatchObject({ code: 'NO_PROVIDER', exit: 4, message: expect.stringMatching(message) })
    expect(failure.suggestions.join('\n')).toMatch(advice)
  })
}

test('a Maven that fails is told with its last words and leaves nothing that counts as complete', async () => {
  const home = await directory()
  const maven = await script(
    home,
    'mvn',
    '[ "$1" = --version ] || { echo "no route to the repository"; exit 1; }',
  )
  const options = { cacheRoot: home, maven }
  const failure = await jarsOf(brokerJars('3.9.2'), options, signal).catch(e => e)
  expect(failure).toMatchObject({
    code: 'NO_PROVIDER',
    message: expect.stringContaining('no route to the repository'),
  })
  expect(await readdir(join(home, 'sandbox'))).not.toContain('broker-3.9.2')
})

test('several who want the same jars at once let Maven run once, and later ones need none', async () => {
  const home = await directory()
  const runs = join(home, 'runs')
  const body = `[ "$1" = --version ] && exit 0; echo run >>${runs}; sleep 0.2
for a; do case $a in -DoutputDirectory=*) : >"\${a#*=}/b.jar"; : >"\${a#*=}/a.jar";; esac; done`
  const options = { cacheRoot: home, maven: await script(home, 'mvn', body) }
  const want = () => jarsOf(brokerJars('3.9.2'), options, signal)
  const all = await Promise.all([want(), want(), want()])
  const jars = ['a.jar', 'b.jar'].map(name => join(home, 'sandbox', 'broker-3.9.2', name))
  expect(all.map(each => each.jars)).toEqual([jars, jars, jars])
  expect((await jarsOf(brokerJars('3.9.2'), { ...options, maven: join(home, 'none') }, signal)).jars).toEqual(
    jars,
  )
  expect(await readFile(runs, 'utf8')).toBe('run\n')
})

test('jars of another pom are not taken for these', async () => {
  const home = await directory()
  const place = join(home, 'sandbox', 'broker-3.9.2')
  await mkdir(place, { recursive: true })
  await writeFile(join(place, '.complete'), 'another hash')
  await expect(
    jarsOf(brokerJars('3.9.2'), { cacheRoot: home, maven: join(home, 'none') }, signal),
  ).rejects.toThrow(/not in the cache/)
})

test('JAVA_HOME chooses the java, an unknown provider is a usage error', async () => {
  expect(sandboxEnvironment({ JAVA_HOME: '/jdk', XDG_CACHE_HOME: '/cache' })).toEqual({
    cacheRoot: '/cache/kmig',
    java: '/jdk/bin/java',
  })
  expect(() => sandboxEnvironment({ KMIG_SANDBOX_PROVIDER: 'vm' })).toThrow(/auto or jvm/)
  expect((await findJava(await script(await directory(), 'java', JAVA), signal)).major).toBe(21)
})
