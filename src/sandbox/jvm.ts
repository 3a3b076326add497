import { randomBytes } from 'node:crypto'
import { cp, mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { isKmigError, KmigError } from '../kit/index.ts'
import { FIRST_ZOOKEEPER, nodeIds } from './addresses.ts'
import { brokerJars, cached, type JarOptions, jarsOf } from './artifacts.ts'
import { SandboxCluster } from './cluster.ts'
import { brokerConfig, type Properties, render, zookeeperConfig } from './configs.ts'
import { javaCommand, type Main } from './jvm-flags.ts'
import { openLinks } from './links.ts'
import { JvmNode } from './node.ts'
import type { SandboxOptions } from './options.ts'
import type { Plan, Provider } from './provider.ts'
import { brokerIdFree, brokerReady, READY_MS, zookeeperReady } from './ready.ts'
import type { FullSpec, Version } from './spec.ts'
import { runToEnd } from './supervised.ts'
import { tailOf } from './tail.ts'
import { checkMaven, findJava } from './toolchain.ts'

/** A quorum that did not form in this time is started afresh. */
const QUORUM_MS = 30_000
const QUORUM_TRIES = 3
/** Kafka 4 brings no ZooKeeper: the one beside a KRaft cluster comes with this version. */
const LAST_WITH_ZOOKEEPER: Version = '3.9.2'

/** Servers as child processes on this machine's Java; their jars come through Maven. */
export class JvmProvider implements Provider {
  readonly name = 'jvm'
  #java: string
  #jarOptions: JarOptions
  constructor({ cacheRoot, java = 'java', maven = 'mvn', on }: SandboxOptions) {
    this.#java = java
    this.#jarOptions = { cacheRoot, maven, onFetch: directory => on?.({ kind: 'fetching', directory }) }
  }

  async check(spec: FullSpec, signal: AbortSignal): Promise<void> {
    await findJava(this.#java, signal)
    for (const version of versionsOf(spec)) {
      if (!(await cached(brokerJars(version), this.#jarOptions)))
        await checkMaven(this.#jarOptions.maven, signal)
    }
  }

  async start(plan: Plan, signal: AbortSignal): Promise<SandboxCluster> {
    await findJava(this.#java, signal)
    for (let attempt = 1; ; attempt++) {
      const nodes = [...(await this.#zookeepers(plan, signal)), ...(await this.#brokers(plan, signal))]
      const links = await openLinks(plan, nodes)
      const cluster = new SandboxCluster(plan.spec, plan.addresses, { nodes, links })
      try {
        await launch(cluster, signal)
        return cluster
      } catch (e) {
        await cluster[Symbol.asyncDispose]()
        const quorum = plan.spec.kind === 'kraft' && plan.spec.brokers > 1 && isKmigError(e, 'SANDBOX')
        if (!quorum || attempt === QUORUM_TRIES || signal.aborted) throw e
        for (const node of cluster.nodes) await rm(node.data, { recursive: true, force: true })
      }
    }
  }

  async #zookeepers({ spec, addresses, directory }: Plan, signal: AbortSignal): Promise<JvmNode[]> {
    const main = spec.ensemble > 1 ? 'ensemble' : 'zookeeper'
    const work = nodeIds(spec.ensemble, FIRST_ZOOKEEPER).map(async id => {
      const home = join(directory, `zookeeper-${id}`)
      const config = zookeeperConfig(addresses, id, spec.ensemble, join(home, 'data'))
      const file = await layOut(home, 'zoo.cfg', config)
      await writeFile(join(home, 'data', 'myid'), `${id}\n`)
      const host = addresses.host(id)
      const command = await this.#command(main, zookeeperVersion(spec), spec, signal)
      return new JvmNode({
        id,
        role: 'zookeeper',
        host,
        directory: home,
        command: [...command, file],
        ready: s => zookeeperReady(host, s),
      })
    })
    return await Promise.all(work)
  }

  async #brokers(plan: Plan, signal: AbortSignal): Promise<JvmNode[]> {
    const { spec, addresses, directory } = plan
    const command = spec.brokers > 0 ? await this.#command('broker', spec.version, spec, signal) : undefined
    const nodes: JvmNode[] = []
    for (const id of command ? nodeIds(spec.brokers) : []) {
      const home = join(directory, `broker-${id}`)
      const config = brokerConfig(spec, addresses, id, join(home, 'data'))
      const file = await layOut(home, 'server.properties', config)
      const [host, zookeeper] = [addresses.host(id), addresses.host(FIRST_ZOOKEEPER)]
      nodes.push(
        new JvmNode({
          id,
          role: 'broker',
          host,
          directory: home,
          command: [...(command as [string]), file],
          ready: s =>
            brokerReady(host, [id], s, spec.kind === 'kraft' && spec.brokers > 1 ? QUORUM_MS : READY_MS),
          ...(spec.kind === 'kafka-zk' ? { startable: s => brokerIdFree(zookeeper, id, s) } : {}),
        }),
      )
    }
    if (spec.kind === 'kraft') await this.#format(plan, nodes, signal)
    return nodes
  }

  /** Formats the first node's storage and gives the others a copy with their own ids: a JVM less for each. */
  async #format({ spec, directory }: Plan, nodes: readonly JvmNode[], signal: AbortSignal): Promise<void> {
    const [first, ...others] = nodes
    if (!first) return
    const clusterId = kafkaId()
    const log = join(directory, 'format.log')
    const command = await this.#command('format', spec.version, spec, signal)
    const file = join(directory, `broker-${first.id}`, 'server.properties')
    const code = await runToEnd(
      { command: [...command, 'format', '-t', clusterId, '-c', file], cwd: directory, log },
      signal,
    )
    if (code !== 0) {
      throw new KmigError('SANDBOX', `formatting storage ended with ${code}:\n${await tailOf(log, 15)}`, {
        try: [`see ${log}`],
      })
    }
    for (const { id, data } of others) {
      await cp(first.data, data, { recursive: true })
      const meta = { version: 1, 'cluster.id': clusterId, 'node.id': id, 'directory.id': kafkaId() }
      await writeFile(join(data, 'meta.properties'), render(meta))
    }
  }

  async #command(main: Main, version: Version, { profile }: FullSpec, signal: AbortSignal) {
    return javaCommand({ java: this.#java, jars: await this.#jars(version, signal), main, profile })
  }

  #jars(version: Version, signal: AbortSignal): Promise<string[]> {
    return jarsOf(brokerJars(version), this.#jarOptions, signal)
  }
}

const zookeeperVersion = (spec: FullSpec): Version =>
  spec.kind === 'kraft' ? LAST_WITH_ZOOKEEPER : spec.version
const versionsOf = (spec: FullSpec): Version[] => [
  ...new Set([
    ...(spec.ensemble > 0 ? [zookeeperVersion(spec)] : []),
    ...(spec.brokers > 0 ? [spec.version] : []),
  ]),
]

const layOut = async (home: string, name: string, config: Properties): Promise<string> => {
  const file = join(home, name)
  await mkdir(join(home, 'data'), { recursive: true })
  await writeFile(file, render(config))
  return file
}

/** 16 random bytes in base64url, as Kafka writes a Uuid; a leading `-` would be taken for an option. */
const kafkaId = (): string => {
  const id = randomBytes(16).toString('base64url')
  return id.startsWith('-') ? kafkaId() : id
}

const launch = async (cluster: SandboxCluster, signal: AbortSignal): Promise<void> => {
  const stop = new AbortController()
  const all = AbortSignal.any([signal, stop.signal])
  const start = async (role: 'zookeeper' | 'broker') => {
    const starts = cluster.nodes.filter(node => node.role === role).map(node => node.start(all))
    try {
      await Promise.all(starts)
    } catch (e) {
      stop.abort()
      await Promise.allSettled(starts)
      throw e
    }
  }
  await start('zookeeper')
  await start('broker')
  const ids = nodeIds(cluster.spec.brokers)
  for (const { host } of cluster.nodes.filter(node => node.role === 'broker'))
    await brokerReady(host, ids, signal)
}
