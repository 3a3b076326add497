import { join } from 'node:path'
import { cacheDirectory, type Env } from '../config/index.ts'
import { KmigError } from '../kit/index.ts'

export type SandboxEvent =
  /** Jars are being downloaded into the cache, which happens once. */
  | { kind: 'fetching'; directory: string }
  /** State and logs were kept for a look at what failed. */
  | { kind: 'kept'; directory: string }

export type SandboxOptions = {
  /** State goes to `<root>/.kmig/sandbox/<id>`. */
  root: string
  /** Jars are kept in `<cacheRoot>/sandbox`. */
  cacheRoot: string
  /** The java command; default `java`. */
  java?: string | undefined
  /** The Maven command; default `mvn`. */
  maven?: string | undefined
  signal?: AbortSignal | undefined
  on?: ((event: SandboxEvent) => void) | undefined
}

/** What the environment says: JAVA_HOME, XDG_CACHE_HOME, KMIG_SANDBOX_PROVIDER (auto or jvm, else USAGE). */
export const sandboxEnvironment = (env: Env): Pick<SandboxOptions, 'cacheRoot' | 'java'> => {
  const provider = env['KMIG_SANDBOX_PROVIDER'] || 'auto'
  if (provider !== 'auto' && provider !== 'jvm') {
    throw new KmigError('USAGE', `KMIG_SANDBOX_PROVIDER is '${provider}'; it can be auto or jvm`)
  }
  const home = env['JAVA_HOME']
  return { cacheRoot: cacheDirectory(env), ...(home ? { java: join(home, 'bin', 'java') } : {}) }
}
