import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { KmigError } from '../kit/index.ts'

const run = promisify(execFile)
const OLDEST_JAVA = 17

/** A Java that is new enough. `build` tells one build from another. */
export type Java = { path: string; major: number; build: string }

const JAVA_TRY = [
  `install a JDK ${OLDEST_JAVA} or newer (Debian: apt-get install openjdk-17-jdk-headless; macOS: brew install openjdk@17)`,
  'or set JAVA_HOME to one',
]

/** Throws NO_PROVIDER, naming what to install, if `path` is no Java 17 or newer. */
export const findJava = async (path: string, signal: AbortSignal): Promise<Java> => {
  const build = await version(path, ['-version'], signal).catch((cause: unknown) => {
    signal.throwIfAborted()
    throw new KmigError('NO_PROVIDER', `the sandbox needs Java ${OLDEST_JAVA}, and ${path} doesn't run`, {
      cause,
      try: JAVA_TRY,
    })
  })
  const [, first, second] = build.match(/version "(\d+)(?:\.(\d+))?/) ?? []
  const major = Number(first === '1' ? second : first)
  if (!(major >= OLDEST_JAVA)) {
    const found = build.split('\n')[0]
    throw new KmigError('NO_PROVIDER', `the sandbox needs Java ${OLDEST_JAVA}, and ${path} is ${found}`, {
      try: JAVA_TRY,
    })
  }
  return { path, major, build }
}

/** Throws NO_PROVIDER, naming what to install, if `path` is no Maven. */
export const checkMaven = async (path: string, signal: AbortSignal): Promise<void> => {
  await version(path, ['--version'], signal).catch((cause: unknown) => {
    signal.throwIfAborted()
    throw new KmigError(
      'NO_PROVIDER',
      `Kafka's jars are not in the cache, and ${path} doesn't run to fetch them`,
      {
        cause,
        try: ['install Maven (Debian: apt-get install maven; macOS: brew install maven)'],
      },
    )
  })
}

const version = async (path: string, args: string[], signal: AbortSignal): Promise<string> => {
  const { stdout, stderr } = await run(path, args, { signal, timeout: 30_000 })
  return `${stderr}${stdout}`
}
