import { messageOf } from '../kit/index.ts'
import { type LoginModule, parseJaas } from './jaas.ts'
import { Secret } from './secret.ts'
import { SASL_MECHANISMS, type Sasl, type SaslMechanism } from './security.ts'
import type { Values } from './values.ts'

const OTHER_WAY = `use a listener that takes ${SASL_MECHANISMS.join(', ')}, or client certificates (security.protocol=SSL)`
/** What kmig can't speak, in the operator's words. */
const NOT_SPOKEN: Record<string, string> = {
  GSSAPI: 'kmig does not speak Kerberos (GSSAPI)',
  OAUTHBEARER: 'kmig does not speak OAUTHBEARER',
}

/** User and password as Kafka's client would take them. Throws CONFIG_INVALID, UNSUPPORTED. */
export const saslFrom = (values: Values): Sasl => {
  const asked = values.some('sasl.mechanism')
  const mechanism = SASL_MECHANISMS.find(name => name === asked)
  if (!mechanism) {
    const name = asked ?? 'GSSAPI'
    const unset = asked ? '' : "; it is not set, which means GSSAPI to Kafka's clients"
    throw values.refused(
      'sasl.mechanism',
      `${NOT_SPOKEN[name] ?? `kmig does not know ${name}`}${unset}`,
      OTHER_WAY,
    )
  }
  const text = values.some('sasl.jaas.config')
  if (!text) {
    throw values.wrong(
      'sasl.jaas.config',
      `it is needed for ${mechanism}`,
      `sasl.jaas.config=org.apache.kafka.common.security.${exampleOf(mechanism)} required username="..." password="...";`,
    )
  }
  const wrong = (why: string, ...next: string[]) => values.wrong('sasl.jaas.config', why, ...next)
  let module: LoginModule
  try {
    module = parseJaas(text)
  } catch (e) {
    throw wrong(messageOf(e))
  }
  const { name, options } = module
  if (name === 'Krb5LoginModule')
    throw values.refused('sasl.jaas.config', 'kmig does not speak Kerberos', OTHER_WAY)
  if (name !== 'PlainLoginModule' && name !== 'ScramLoginModule') {
    throw values.refused('sasl.jaas.config', `kmig does not know the login module ${name}`, OTHER_WAY)
  }
  const [user, password] = [options.get('username'), options.get('password')]
  if (!user) throw wrong('it has no username')
  if (password === undefined) throw wrong('it has no password')
  const token = options.get('tokenauth')?.toLowerCase() === 'true'
  return { mechanism, user, password: new Secret(password), ...(token ? { token } : {}) }
}

const exampleOf = (mechanism: SaslMechanism): string =>
  mechanism === 'PLAIN' ? 'plain.PlainLoginModule' : 'scram.ScramLoginModule'
