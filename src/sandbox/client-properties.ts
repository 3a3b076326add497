import type { Properties } from './configs.ts'
import type { Credentials, User } from './credentials.ts'
import { SECURE } from './secured.ts'
import type { ListenerName } from './spec.ts'

export type Login = {
  user?: User
  mechanism?: 'PLAIN' | 'SCRAM-SHA-256' | 'SCRAM-SHA-512'
  /** Default the user's own. */
  password?: string
}

/** What a Kafka client needs for a listener. */
export const clientProperties = (
  listener: ListenerName,
  { users, tls }: Credentials,
  { user = 'kmig', mechanism = 'SCRAM-SHA-512', password = users[user] }: Login,
): Properties => {
  const protocol = SECURE.find(row => row.listener === listener)?.protocol ?? 'PLAINTEXT'
  const module = mechanism === 'PLAIN' ? 'plain.PlainLoginModule' : 'scram.ScramLoginModule'
  return {
    'security.protocol': protocol,
    ...(protocol.startsWith('SASL')
      ? {
          'sasl.mechanism': mechanism,
          'sasl.jaas.config': `org.apache.kafka.common.security.${module} required username="${user}" password="${password}";`,
        }
      : {}),
    ...(protocol.endsWith('SSL')
      ? { 'ssl.truststore.type': 'PEM', 'ssl.truststore.location': tls?.authority.certificate ?? '' }
      : {}),
    ...(protocol === 'SSL'
      ? { 'ssl.keystore.type': 'PEM', 'ssl.keystore.location': tls?.client.store ?? '' }
      : {}),
  }
}
