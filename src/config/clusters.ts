import { existsSync, readFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { type HostPort, KmigError, messageOf, parseBootstrap } from '../kit/index.ts'
import { configDirectory, type Env } from './directories.ts'
import { type Document, parseConfig } from './document.ts'
import { type ClientProperties, readProperties } from './properties.ts'
import type { Security } from './security.ts'

export const CONFIG_FILE = 'kmig.yaml'

/** A Kafka cluster as a command names it. */
export type ClusterConfig = {
  /** Its name in kmig.yaml, or the address itself. */
  name: string
  bootstrap: HostPort[]
  /** What discovery files get, and zkcopy reads: a connect string with chroot. */
  zookeeper?: string
  /** Of its client's .properties file. */
  clientId?: string
  security?: Security
  /** What that file says and the operator should know. */
  warnings?: readonly string[]
}

export type FindOptions = {
  /** `--config`. With it, or with KMIG_CONFIG, no other place is searched. */
  file?: string | undefined
  cwd: string
  env: Env
}

type Found = { file: string | undefined; searched: readonly string[] }

const locate = ({ file, cwd, env }: FindOptions): Found => {
  const named = file || env['KMIG_CONFIG']
  const searched = named
    ? [resolve(cwd, named)]
    : [join(cwd, CONFIG_FILE), join(configDirectory(env), CONFIG_FILE)]
  return { file: named ? searched[0] : searched.find(path => existsSync(path)), searched }
}

const ofClient = ({ file, clientId, security, warnings }: ClientProperties) => ({
  ...(clientId ? { clientId } : {}),
  security,
  warnings: warnings.map(warning => `${file}: ${warning}`),
})

/** The clusters that kmig.yaml names. The file is read when a name is asked for: an address needs none. */
export class Clusters {
  readonly #found: Found
  readonly #env: Env
  #document: Document | undefined
  constructor(found: Found, env: Env) {
    this.#found = found
    this.#env = env
  }

  /** kmig.yaml, if there is one. */
  get file(): string | undefined {
    return this.#found.file
  }

  get names(): string[] {
    return Object.keys(this.#read().clusters)
  }

  /** By name, or by address (anything with a colon). Throws UNKNOWN_CLUSTER, BAD_ADDRESS, CONFIG_INVALID, UNSUPPORTED. */
  kafka(nameOrAddress: string): ClusterConfig {
    if (nameOrAddress.includes(':')) return { name: nameOrAddress, bootstrap: parseBootstrap(nameOrAddress) }
    const entry = this.#entry(nameOrAddress)
    if (entry.bootstrap === undefined) throw this.#lacks(nameOrAddress, 'bootstrap')
    const properties = entry.properties && resolve(dirname(this.#found.file ?? '.'), entry.properties)
    return {
      name: nameOrAddress,
      bootstrap: parseBootstrap([entry.bootstrap].flat().join(',')),
      ...(entry.zookeeper ? { zookeeper: entry.zookeeper } : {}),
      ...(properties ? ofClient(readProperties(properties, this.#env)) : {}),
    }
  }

  /** The connect string of a named cluster; anything with a colon is one itself. */
  zookeeper(nameOrAddress: string): string {
    if (nameOrAddress.includes(':')) return nameOrAddress
    const { zookeeper } = this.#entry(nameOrAddress)
    if (zookeeper === undefined) throw this.#lacks(nameOrAddress, 'zookeeper')
    return zookeeper
  }

  /** File by which the ZooKeeper of a named cluster is logged in to; none for an address. */
  zookeeperProperties(nameOrAddress: string): string | undefined {
    if (nameOrAddress.includes(':')) return undefined
    const { zookeeperProperties: file } = this.#entry(nameOrAddress)
    return file && resolve(dirname(this.#found.file ?? '.'), file)
  }

  #entry(name: string): Document['clusters'][string] {
    const { clusters } = this.#read()
    const entry = Object.hasOwn(clusters, name) ? clusters[name] : undefined
    if (entry) return entry
    const known = this.names
    const places = this.#found.searched.join(', ')
    throw new KmigError(
      'UNKNOWN_CLUSTER',
      this.#found.file
        ? `there is no cluster '${name}' in ${this.#found.file}; it has ${known.join(', ') || 'none'}`
        : `there is no cluster '${name}', as there is no ${CONFIG_FILE}; searched ${places}`,
      {
        try: [
          ...(known.length > 0 ? [`name one of ${known.join(', ')}`] : []),
          `add '${name}' to ${this.#found.file ?? this.#found.searched[0]}`,
          'give an address: host:port,host:port',
        ],
      },
    )
  }

  #lacks(name: string, key: string): KmigError {
    return new KmigError('CONFIG_INVALID', `cluster '${name}' in ${this.#found.file} has no ${key}`, {
      try: [`add ${key} to it, or give an address`],
    })
  }

  #read(): Document {
    const { file } = this.#found
    if (!this.#document && file) {
      let text: string
      try {
        text = readFileSync(file, 'utf8')
      } catch (e) {
        throw new KmigError('CONFIG_INVALID', `${file} can't be read: ${messageOf(e)}`, {
          try: ['name a file that exists in --config or KMIG_CONFIG'],
          cause: e,
        })
      }
      this.#document = parseConfig(file, text)
    }
    return this.#document ?? { clusters: {} }
  }
}

/** Looks in `--config`, or KMIG_CONFIG, or the working directory, then the user's configuration directory. */
export const findClusters = (options: FindOptions): Clusters => new Clusters(locate(options), options.env)
