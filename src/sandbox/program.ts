import { jarsOf } from './artifacts.ts'
import { programCommand } from './jvm-flags.ts'
import type { SandboxOptions } from './options.ts'
import type { Profile } from './spec.ts'
import { Supervised } from './supervised.ts'
import { findJava } from './toolchain.ts'

/** A Java program that is no server of the sandbox, as the other mirror of a benchmark is. */
export type Program = {
  /** Directory of its jars in the cache. */
  name: string
  /** `group:artifact:version` of all that it needs besides what those need themselves. */
  coordinates: readonly string[]
  main: string
  args: readonly string[]
  profile: Profile
  /** Where it runs; its output goes to `<name>.log` there. */
  directory: string
}

/** Starts it, fetching its jars first where they are not in the cache. Throws NO_PROVIDER, SANDBOX. */
export const startProgram = async (
  { name, coordinates, main, args, profile, directory }: Program,
  {
    cacheRoot,
    java: path = 'java',
    maven = 'mvn',
    on,
    signal = new AbortController().signal,
  }: SandboxOptions,
): Promise<Supervised> => {
  const java = (await findJava(path, signal)).path
  const onFetch = (fetched: string) => on?.({ kind: 'fetching', directory: fetched })
  const { jars } = await jarsOf({ directory: name, coordinates }, { cacheRoot, maven, onFetch }, signal)
  const command = programCommand({ java, jars, main, profile, more: [] })
  return await Supervised.spawn({
    command: [...command, ...args],
    cwd: directory,
    log: `${directory}/${name}.log`,
  })
}
