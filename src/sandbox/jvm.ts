import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { isKmigError, KmigError } from '../kit/index.ts'
import { create, must, OPEN_ACL, parseConnectString, ZkSession } from '../zookeeper/index.ts'
import { FIRST_ZOOKEEPER, nodeIds } from './addresses.ts'
import { brokerJars, cached, type JarOptions, jarsOf } from './artifacts.ts'
import { classArchive } from './class-archive.ts'
import { SandboxCluster } from './cluster.ts'
import { brokerConfig, CHROOT, ensembleOf, type Properties, render, zookeeperConfig } from './configs.ts'
import {
  type Credentials,
  hasSasl,
  makeCredentials,
  scramCommands,
  scramRecords,
  zookeeperJaas,
} from './credentials.ts'
import { format } from './format.ts'
import { javaCommand, type Main, TOOLS } from './jvm-flags.ts'
import { openLinks } from './links.ts'
import { JvmNode } from './node.ts'
import type { SandboxOptions } from './options.ts'
import type { Plan, Provider } from './provider.ts'
import { brokerIdFree, brokerReady, READY_MS, zookeeperReady } from './ready.ts'
import { type FullSpec, needsTls, type Version } from './spec.ts'
import { runToEnd } from './supervised.ts'
import { tailOf } from './tail.ts'
import { checkOpenssl } from './tls.ts'
import { checkMaven, findJava, type Java } from './toolchain.ts'

/** A quorum that did not form in this time is started afresh, with so much more patience each time. */
const QUORUM_MS = 30_000
const QUORUM_TRIES = 3
/** Kafka 4 brings no ZooKeeper: the one beside a KRaft cluster comes with this version. */
const LAST_WITH_ZOOKEEPER: Version = '3.9.2'

/** Servers as child processes on this machine's Java; their jars come through Maven. */
export class JvmProvider implements Provider {
  readonly name = 'jvm'
  #java: string
  #found: Promise<Java> | undefined
  #jarOptions: JarOptions
  constructor({ cacheRoot, java = 'java', maven = 'mvn', on }: SandboxOptions) {
    this.#java = java
    this.#jarOptions = { cacheRoot, maven, onFetch: directory => on?.({ kind: 'fetching', directory }) }
  }

  async check(spec: FullSpec, signal: AbortSignal): Promise<void> {
    await findJava(this.#java, signal)
    if (needsTls(spec)) await checkOpenssl(signal)
    for (const version of versionsOf(spec)) {
      const there = await cached(brokerJars(version), this.#jarOptions)
      if (!there) await checkMaven(this.#jarOptions.maven, signal)
    }
  }

  async start(plan: Plan, signal: AbortSignal): Promise<SandboxCluster> {
    const credentials = await makeCredentials(plan, signal)
    for (let attempt = 1; ; attempt++) {
      const patienceMs = plan.spec.kind === 'kraft' && plan.spec.brokers > 1 ? QUORUM_MS * attempt : READY_MS
      const nodes = [
        ...(await this.#zookeepers(plan, credentials, signal)),
        ...(await this.#brokers(plan, credentials, patienceMs, signal)),
      ]
      const links = await openLinks(plan, nodes)
      const cluster = new SandboxCluster(plan.spec, plan.addresses, { nodes, links, credentials })
      try {
        await launch(cluster, () => this.#users(plan, credentials, signal), signal)
        return cluster
      } catch (e) {
        await cluster[Symbol.asyncDispose]()
        const quorum = plan.spec.kind === 'kraft' && plan.spec.brokers > 1 && isKmigError(e, 'SANDBOX')
        if (!quorum || attempt === QUORUM_TRIES || signal.aborted) throw e
        for (const node of cluster.nodes) await rm(node.data, { recursive: true, force: true })
      }
    }
  }

  async #zookeepers(plan: Plan, credentials: Credentials, signal: AbortSignal): Promise<JvmNode[]> {
    const { spec, addresses, directory } = plan
    const main = spec.ensemble > 1 ? 'ensemble' : 'zookeeper'
    const work = nodeIds(spec.ensemble, FIRST_ZOOKEEPER).map(async id => {
      const home = join(directory, `zookeeper-${id}`)
      const config = zookeeperConfig(spec, addresses, { id, data: join(home, 'data'), credentials })
      const file = await layOut(home, 'zoo.cfg', config)
      await writeFile(join(home, 'data', 'myid'), `${id}\n`)
      const host = addresses.host(id)
      const jaas = join(home, 'jaas.conf')
      const login = spec.listeners.includes('zk-sasl') ? [`-Djava.security.auth.login.config=${jaas}`] : []
      if (login.length > 0) await writeFile(jaas, zookeeperJaas(credentials), { mode: 0o600 })
      const { command, training } = await this.#server(main, zookeeperVersion(spec), spec, signal, login)
      return new JvmNode({
        id,
        role: 'zookeeper',
        host,
        directory: home,
        command: [...command, file],
        ready: s => zookeeperReady(host, s),
        training,
      })
    })
    return await Promise.all(work)
  }

  async #brokers(
    plan: Plan,
    credentials: Credentials,
    patienceMs: number,
    signal: AbortSignal,
  ): Promise<JvmNode[]> {
    const { spec, addresses, directory } = plan
    const zookeepers = nodeIds(spec.ensemble, FIRST_ZOOKEEPER).map(id => addresses.host(id))
    const nodes: JvmNode[] = []
    for (const id of nodeIds(spec.brokers)) {
      const { command, training } = await this.#server('broker', spec.version, spec, signal)
      const home = join(directory, `broker-${id}`)
      const config = brokerConfig(spec, addresses, { id, data: join(home, 'data'), credentials })
      const file = await layOut(home, 'server.properties', config)
      const host = addresses.host(id)
      nodes.push(
        new JvmNode({
          id,
          role: 'broker',
          host,
          directory: home,
          command: [...command, file],
          training,
          ready: s => brokerReady(host, [id], s, patienceMs),
          ...(spec.kind === 'kafka-zk' ? { startable: s => brokerIdFree(zookeepers, id, s) } : {}),
        }),
      )
    }
    if (spec.kind !== 'kraft') return nodes
    const users = hasSasl(spec) ? scramRecords(credentials) : []
    await format(nodes, { ...(await this.#server('format', spec.version, spec, signal)), users, signal })
    return nodes
  }

  /** Writes the SCRAM users of a cluster that has them in ZooKeeper, which runs. */
  async #users({ spec, addresses, directory }: Plan, credentials: Credentials, signal: AbortSignal) {
    if (spec.kind !== 'kafka-zk' || !hasSasl(spec)) return
    const { command } = await this.#server('users', spec.version, spec, signal)
    const zookeeper = `${ensembleOf(spec.ensemble, id => addresses.host(id))}${CHROOT}`
    const log = join(directory, 'users.log')
    await using zk = await ZkSession.open({ servers: parseConnectString(zookeeper).servers, signal })
    must(await zk.call(create, { path: CHROOT, data: null, acl: OPEN_ACL }), `create ${CHROOT}`) // ConfigCommand can't
    for (const args of scramCommands(credentials, zookeeper)) {
      const code = await runToEnd({ command: [...command, ...args], cwd: directory, log }, signal)
      if (code !== 0)
        throw new KmigError('SANDBOX', `ConfigCommand ended with ${code}:\n${await tailOf(log, 15)}`)
    }
  }

  async #server(
    main: Main,
    version: Version,
    { profile }: FullSpec,
    signal: AbortSignal,
    flags: readonly string[] = [],
  ) {
    this.#found ??= findJava(this.#java, signal)
    const java = await this.#found
    const { home, jars } = await jarsOf(brokerJars(version), this.#jarOptions, signal)
    const archive =
      profile === 'fast' && !TOOLS.includes(main) ? classArchive(home, main, java) : { flags: [] }
    const command = javaCommand({ java: java.path, jars, main, profile, more: [...archive.flags, ...flags] })
    return { home, command, ...archive }
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

const launch = async (
  cluster: SandboxCluster,
  makeUsers: () => Promise<void>,
  signal: AbortSignal,
): Promise<void> => {
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
  await makeUsers()
  await start('broker')
  const ids = nodeIds(cluster.spec.brokers)
  const brokers = cluster.nodes.filter(node => node.role === 'broker')
  await Promise.all(brokers.map(({ host }) => brokerReady(host, ids, signal)))
}
