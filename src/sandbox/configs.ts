import { type Addresses, FIRST_ZOOKEEPER, nodeIds, PORTS } from './addresses.ts'
import type { Credentials } from './credentials.ts'
import { SECURE, secureProperties, secureRows, secureZookeeper } from './secured.ts'
import type { FullSpec, Profile } from './spec.ts'

/** The chroot of a ZooKeeper-mode cluster. */
export const CHROOT = '/kafka'
/** Smallest session of a broker, with ZooKeeper or the controller, that a busy two-core machine keeps alive. */
export const SESSION_MS = 6_000

export type Properties = Readonly<Record<string, string | number | boolean>>

/** A Java properties file. */
export const render = (properties: Properties): string =>
  Object.entries(properties)
    .map(([key, value]) => `${key}=${String(value).replaceAll('\\', '\\\\')}\n`)
    .join('')

/** `host:2181,...` of the cluster's ensemble, without a chroot. */
export const ensembleOf = (size: number, hostOf: (id: number) => string): string =>
  nodeIds(size, FIRST_ZOOKEEPER)
    .map(id => `${hostOf(id)}:${PORTS.zookeeper}`)
    .join(',')

/** A node's place: its number, its data directory, and what it lets in. */
export type Home = { id: number; data: string; credentials: Credentials }

/** One ZooKeeper node. Source: ZooKeeper's administrator guide; what takes time or a fixed port is off. */
export const zookeeperConfig = (
  spec: FullSpec,
  at: Addresses,
  { id, data, credentials }: Home,
): Properties => ({
  tickTime: 500,
  initLimit: 20,
  syncLimit: 10,
  dataDir: data,
  clientPort: PORTS.zookeeper,
  clientPortAddress: at.host(id),
  maxClientCnxns: 0,
  'admin.enableServer': false,
  '4lw.commands.whitelist': '*',
  ...(spec.ensemble > 1
    ? Object.fromEntries(
        nodeIds(spec.ensemble, FIRST_ZOOKEEPER).map(n => [
          `server.${n}`,
          `${at.host(n)}:${PORTS.peer}:${PORTS.election}`,
        ]),
      )
    : {}),
  ...secureZookeeper(spec, at.host(id), id, credentials),
  ...spec.zookeeperConfig,
})

const THREADS: Record<Profile, Properties> = {
  fast: { 'num.network.threads': 2, 'num.io.threads': 2 },
  bench: { 'num.network.threads': 3, 'num.io.threads': 4 },
}

const replication = (brokers: number): Properties => {
  const [factor, inSync] = brokers >= 3 ? [3, 2] : [1, 1]
  return {
    'default.replication.factor': factor,
    'min.insync.replicas': inSync,
    'offsets.topic.replication.factor': factor,
    'transaction.state.log.replication.factor': factor,
    'transaction.state.log.min.isr': inSync,
  }
}

const listeners = (spec: FullSpec, at: Addresses, id: number): Properties => {
  const host = at.host(id)
  const rows = [
    { name: 'PLAINTEXT', listen: `${host}:${PORTS.plaintext}`, advertise: `${host}:${PORTS.plaintext}` },
    ...(spec.listeners.includes('link')
      ? [{ name: 'LINK', listen: `${host}:${PORTS.link}`, advertise: `${at.linkHost(id)}:${PORTS.link}` }]
      : []),
    ...secureRows(spec).map(({ name, port }) => {
      return { name, listen: `${host}:${port}`, advertise: `${host}:${port}` }
    }),
  ]
  const secure = SECURE.map(({ name, protocol }) => `${name}:${protocol}`)
  const controller = spec.kind === 'kraft' ? [`CONTROLLER://${host}:${PORTS.controller}`] : []
  return {
    listeners: [...rows.map(({ name, listen }) => `${name}://${listen}`), ...controller].join(','),
    'advertised.listeners': rows.map(({ name, advertise }) => `${name}://${advertise}`).join(','),
    'listener.security.protocol.map': `PLAINTEXT:PLAINTEXT,LINK:PLAINTEXT,CONTROLLER:PLAINTEXT,${secure}`,
    'inter.broker.listener.name': 'PLAINTEXT',
  }
}

const role = (spec: FullSpec, at: Addresses, id: number): Properties => {
  if (spec.kind === 'kraft') {
    const voters = nodeIds(spec.brokers).map(n => `${n}@${at.host(n)}:${PORTS.controller}`)
    return {
      'process.roles': 'broker,controller',
      'node.id': id,
      'controller.quorum.voters': voters.join(','),
      'controller.listener.names': 'CONTROLLER',
      'broker.session.timeout.ms': SESSION_MS,
      'share.coordinator.state.topic.replication.factor': spec.brokers >= 3 ? 3 : 1,
      'share.coordinator.state.topic.min.isr': spec.brokers >= 3 ? 2 : 1,
    }
  }
  return {
    'broker.id': id,
    'zookeeper.connect': `${ensembleOf(spec.ensemble, n => at.host(n))}${CHROOT}`,
    'zookeeper.session.timeout.ms': SESSION_MS,
  }
}

/** One broker: small, quick, and without topics that appear by themselves. The spec's own properties win. */
export const brokerConfig = (spec: FullSpec, at: Addresses, { id, data, credentials }: Home): Properties => ({
  'log.dirs': data,
  'auto.create.topics.enable': false,
  'offsets.topic.num.partitions': 5,
  'transaction.state.log.num.partitions': 5,
  'group.initial.rebalance.delay.ms': 0,
  'log.cleaner.dedupe.buffer.size': 2_097_152,
  ...THREADS[spec.profile],
  ...replication(spec.brokers),
  ...listeners(spec, at, id),
  ...role(spec, at, id),
  ...secureProperties(spec, id, credentials),
  ...spec.config,
})
