import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { isKmigError, KmigError, LockFile, retry } from '../kit/index.ts'
import type { Version } from './spec.ts'
import { runToEnd } from './supervised.ts'
import { tailOf } from './tail.ts'
import { checkMaven } from './toolchain.ts'

const PLUGIN = 'org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies'
/** Kafka 4 brings no slf4j binding: without one a dying broker says nothing. */
const SLF4J = 'org.slf4j:slf4j-simple:1.7.36'
const FETCH_MS = 15 * 60_000

/** A directory of jars and the Maven coordinates that it is made of. */
export type Artifact = { directory: string; coordinates: readonly string[] }

/** What a broker or a ZooKeeper of this Kafka version needs: about 45 MB. */
export const brokerJars = (version: Version): Artifact => ({
  directory: `broker-${version}`,
  coordinates: [`org.apache.kafka:kafka_2.13:${version}`, SLF4J],
})

const pomOf = ({ directory, coordinates }: Artifact): string => {
  const dependency = (coordinate: string) => {
    const [group, artifact, version] = coordinate.split(':')
    return `    <dependency><groupId>${group}</groupId><artifactId>${artifact}</artifactId><version>${version}</version></dependency>`
  }
  return [
    '<project xmlns="http://maven.apache.org/POM/4.0.0">',
    '  <modelVersion>4.0.0</modelVersion>',
    `  <groupId>kmig.sandbox</groupId><artifactId>${directory}</artifactId><version>1</version>`,
    '  <dependencies>',
    ...coordinates.map(dependency),
    '  </dependencies>',
    '</project>\n',
  ].join('\n')
}

/** Absolute paths, sorted, and the directory that holds them. */
export type Jars = { home: string; jars: readonly string[] }

type Place = { home: string; pom: string; hash: string }

export type JarOptions = {
  /** Where `sandbox/<directory>` is kept from run to run. */
  cacheRoot: string
  /** The Maven command. */
  maven: string
  /** Told once before anything is downloaded. */
  onFetch?: ((directory: string) => void) | undefined
}

const placeOf = (artifact: Artifact, { cacheRoot }: JarOptions): Place => {
  const pom = pomOf(artifact)
  return {
    home: join(cacheRoot, 'sandbox', artifact.directory),
    pom,
    hash: createHash('sha256').update(`${PLUGIN}\n${pom}`).digest('hex'),
  }
}

const valid = async ({ home, hash }: Place): Promise<boolean> =>
  (await readFile(join(home, '.complete'), 'utf8').catch(() => '')) === hash

/** Whether a whole set is there, so that nothing need be fetched. */
export const cached = (artifact: Artifact, options: JarOptions): Promise<boolean> =>
  valid(placeOf(artifact, options))

/** Work of this process on a directory; the lock file is for the others. */
const underWay = new Map<string, Promise<void>>()

/**
 * The jars of an artifact; fetched by Maven unless a whole set is in the cache.
 * Several runs at once wait for the first. Throws NO_PROVIDER (no Maven, or it failed).
 */
export const jarsOf = async (artifact: Artifact, options: JarOptions, signal: AbortSignal): Promise<Jars> => {
  const place = placeOf(artifact, options)
  const { home } = place
  if (!(await valid(place))) {
    const work = underWay.get(home) ?? fetch(artifact.directory, place, options, signal)
    underWay.set(home, work)
    await work.finally(() => underWay.delete(home))
  }
  const names = (await readdir(home)).filter(name => name.endsWith('.jar'))
  return { home, jars: names.sort().map(name => join(home, name)) }
}

const fetch = async (directory: string, place: Place, options: JarOptions, signal: AbortSignal) => {
  const { home, pom, hash } = place
  const { maven } = options
  await checkMaven(maven, signal)
  await using _ = await retry(() => LockFile.take(`${home}.lock`, `fetching ${directory}`), {
    withinMs: FETCH_MS,
    signal,
    retriable: e => isKmigError(e, 'LOCKED'),
  })
  if (await valid(place)) return // another run was first
  options.onFetch?.(directory)
  const part = `${home}.part`
  await rm(part, { recursive: true, force: true })
  await mkdir(part, { recursive: true })
  const [file, log] = [join(part, 'pom.xml'), join(part, 'maven.log')]
  await writeFile(file, pom)
  const settings = ['-DincludeScope=runtime', `-DoutputDirectory=${part}`]
  const code = await runToEnd(
    { command: [maven, '-q', '-B', '-f', file, PLUGIN, ...settings], cwd: part, log },
    AbortSignal.any([signal, AbortSignal.timeout(FETCH_MS)]),
  ).catch(() => {
    signal.throwIfAborted()
    return `none within ${FETCH_MS} ms`
  })
  if (code !== 0 || !(await readdir(part)).some(name => name.endsWith('.jar'))) {
    throw new KmigError(
      'NO_PROVIDER',
      `Maven could not fetch ${directory} (exit ${code}):\n${await tailOf(log, 15)}`,
      {
        try: [
          `see ${log}`,
          'check that Maven reaches a repository (mirrors and proxies: ~/.m2/settings.xml)',
        ],
      },
    )
  }
  await writeFile(join(part, '.complete'), hash)
  if (existsSync(home)) await rm(home, { recursive: true })
  await rename(part, home)
}
