import { KmigError } from '../kit/index.ts'

export type Kind = 'zookeeper' | 'kafka-zk' | 'kraft'
export type Version = '2.8.2' | '3.9.2' | '4.3.1'
export type Profile = 'fast' | 'bench'
/** `sasl`: SASL_PLAINTEXT, `sasl-tls`: SASL_SSL (PLAIN, SCRAM-SHA-256 and -512); `tls`: SSL with client certificates. */
export type SecureListener = 'sasl' | 'sasl-tls' | 'tls'
export type ListenerName = 'plaintext' | 'link' | SecureListener

/** What to start. Source: docs, "sandbox". */
export type Spec = {
  kind: Kind
  /** Kafka's version; ZooKeeper is the one that it brings (2.8.2: 3.5.9, 3.9.2: 3.8.4). */
  version: Version
  /** 0: ZooKeeper only. */
  brokers: 0 | 1 | 3
  /** ZooKeeper nodes; default 1, for kraft 0. A kraft cluster may have a ZooKeeper (3.8.4) beside it for other users. */
  ensemble?: 0 | 1 | 3
  /**
   * Besides plaintext, which is always there. `link`: clients are led through one proxy per broker, also after Metadata.
   * `zk-tls`: a port of the ZooKeepers with client certificates; `zk-sasl`: they take DIGEST-MD5 (and nobody must).
   */
  listeners?: readonly ('link' | SecureListener | 'zk-tls' | 'zk-sasl')[]
  /** Broker properties; they win over the sandbox's own. */
  config?: Readonly<Record<string, string>>
  /** ZooKeeper's properties; they win too. */
  zookeeperConfig?: Readonly<Record<string, string>>
  /** `fast` starts soon and stays small; `bench` is what a broker needs to be no bottleneck. */
  profile?: Profile
}
export type FullSpec = Required<Spec>

export const needsTls = ({ listeners }: FullSpec): boolean =>
  listeners.some(name => name === 'tls' || name === 'sasl-tls' || name === 'zk-tls')

const VERSIONS: Record<Kind, readonly Version[]> = {
  zookeeper: ['2.8.2', '3.9.2'],
  'kafka-zk': ['2.8.2', '3.9.2'],
  kraft: ['4.3.1'],
}

/** The spec with every default filled in. Throws USAGE where it contradicts itself. */
export const complete = (spec: Spec): FullSpec => {
  const full: FullSpec = {
    ensemble: spec.kind === 'kraft' ? 0 : 1,
    listeners: [],
    config: {},
    zookeeperConfig: {},
    profile: 'fast',
    ...spec,
  }
  const wrong = (why: string) =>
    new KmigError('USAGE', `no sandbox cluster of ${JSON.stringify(spec)}: ${why}`)
  if (!VERSIONS[full.kind].includes(full.version)) {
    throw wrong(`${full.kind} comes in ${VERSIONS[full.kind].join(', ')}`)
  }
  if ((full.kind === 'zookeeper') !== (full.brokers === 0)) throw wrong('brokers are 0 for zookeeper alone')
  if (full.kind !== 'kraft' && full.ensemble === 0) throw wrong('it needs a ZooKeeper')
  return full
}
