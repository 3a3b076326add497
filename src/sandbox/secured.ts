import { PORTS } from './addresses.ts'
import type { Properties } from './configs.ts'
import type { Credentials } from './credentials.ts'
import type { FullSpec, SecureListener } from './spec.ts'

type Row = { listener: SecureListener; name: string; port: number; protocol: string }

/** The listeners that want to know who comes. */
export const SECURE: readonly Row[] = [
  { listener: 'sasl', name: 'SASL', port: PORTS.sasl, protocol: 'SASL_PLAINTEXT' },
  { listener: 'tls', name: 'TLS', port: PORTS.tls, protocol: 'SSL' },
  { listener: 'sasl-tls', name: 'SASLTLS', port: PORTS.saslTls, protocol: 'SASL_SSL' },
]
export const secureRows = ({ listeners }: FullSpec): Row[] =>
  SECURE.filter(({ listener }) => listeners.includes(listener))

/** A broker's properties for its listeners of TLS (with client certificates, where no password is asked) and SASL. */
export const secureProperties = (spec: FullSpec, id: number, credentials: Credentials): Properties =>
  Object.assign(
    {},
    ...secureRows(spec).map(({ name, protocol }) => {
      const pairs: [string, string][] = []
      if (protocol.startsWith('SASL')) pairs.push(...sasl(credentials))
      if (protocol.endsWith('SSL')) pairs.push(...tls(id, credentials, protocol === 'SSL'))
      return Object.fromEntries(
        pairs.map(([key, value]) => [`listener.name.${name.toLowerCase()}.${key}`, value]),
      )
    }),
  )

const MODULES = 'org.apache.kafka.common.security'

const sasl = ({ users }: Credentials): [string, string][] => {
  const known = Object.entries(users).map(([name, password]) => `user_${name}="${password}"`)
  const scram = `${MODULES}.scram.ScramLoginModule required;`
  return [
    ['sasl.enabled.mechanisms', 'PLAIN,SCRAM-SHA-256,SCRAM-SHA-512'],
    ['plain.sasl.jaas.config', `${MODULES}.plain.PlainLoginModule required ${known.join(' ')};`],
    ['scram-sha-256.sasl.jaas.config', scram],
    ['scram-sha-512.sasl.jaas.config', scram],
  ]
}

const tls = (id: number, credentials: Credentials, mutual: boolean): [string, string][] => [
  ['ssl.keystore.type', 'PEM'],
  ['ssl.keystore.location', credentials.tls?.servers.get(id)?.store ?? ''],
  ['ssl.truststore.type', 'PEM'],
  ['ssl.truststore.location', credentials.tls?.authority.certificate ?? ''],
  ['ssl.client.auth', mutual ? 'required' : 'none'],
]

/** A ZooKeeper's properties for a port of TLS, which wants client certificates, and for SASL on all its ports. */
export const secureZookeeper = (
  { listeners }: FullSpec,
  host: string,
  id: number,
  credentials: Credentials,
): Properties => ({
  ...(listeners.includes('zk-tls')
    ? {
        serverCnxnFactory: 'org.apache.zookeeper.server.NettyServerCnxnFactory',
        secureClientPort: PORTS.secureZookeeper,
        secureClientPortAddress: host,
        'ssl.keyStore.type': 'PEM',
        'ssl.keyStore.location': credentials.tls?.servers.get(id)?.store ?? '',
        'ssl.trustStore.type': 'PEM',
        'ssl.trustStore.location': credentials.tls?.authority.certificate ?? '',
      }
    : {}),
  ...(listeners.includes('zk-sasl')
    ? { 'authProvider.sasl': 'org.apache.zookeeper.server.auth.SASLAuthenticationProvider' }
    : {}),
})
