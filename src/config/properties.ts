import { readFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { KmigError, messageOf } from '../kit/index.ts'
import type { Env } from './directories.ts'
import { parseProperties } from './java-properties.ts'
import { holdsSecret, withReferences } from './references.ts'
import { saslFrom } from './sasl-properties.ts'
import { refuseOpen } from './secret-file.ts'
import type { Security } from './security.ts'
import { tlsFrom } from './tls-properties.ts'
import { Values } from './values.ts'

/** What kmig takes from a Kafka client's .properties file. */
export type ClientProperties = {
  readonly file: string
  readonly clientId?: string
  readonly security: Security
  /** For the operator: checks that are off, keys that are not used. */
  readonly warnings: readonly string[]
}

/** Values that nobody but the owner of the file should read. */
const SECRET_KEYS = ['sasl.jaas.config', 'ssl.keystore.key', 'ssl.keystore.password', 'ssl.key.password']
/** How Kafka's client finds `${}` values; kmig knows these providers by themselves. */
const PROVIDERS = /^config\.providers(\.|$)/

/**
 * Reads a client's file as it is. Throws CONFIG_INVALID (it can't be read, a value is wrong, a secret lies open),
 * UNSUPPORTED (JKS, Kerberos and what else kmig can't do).
 */
export const readProperties = (file: string, env: Env = {}): ClientProperties => {
  const values = valuesOf(file, env)
  const security = securityFrom(values)
  const clientId = values.some('client.id')
  const unused = values.unused.filter(key => !PROVIDERS.test(key)).sort()
  return {
    file,
    ...(clientId ? { clientId } : {}),
    security,
    warnings: [
      ...('tls' in security && !security.tls.checkHost
        ? [
            'ssl.endpoint.identification.algorithm is empty: HOST NAMES ARE NOT CHECKED, so whoever holds any certificate of this CA can pose as a broker',
          ]
        : []),
      ...(security.protocol === 'SASL_PLAINTEXT' && security.sasl.mechanism === 'PLAIN'
        ? ['the password travels in clear: PLAIN without TLS']
        : []),
      ...(unused.length > 0 ? [`kmig makes no use of ${unused.join(', ')}`] : []),
    ],
  }
}

const securityFrom = (values: Values): Security => {
  const protocol = values.some('security.protocol')?.toUpperCase() ?? 'PLAINTEXT'
  switch (protocol) {
    case 'PLAINTEXT':
      return { protocol }
    case 'SSL':
      return { protocol, tls: tlsFrom(values) }
    case 'SASL_PLAINTEXT':
      return { protocol, sasl: saslFrom(values) }
    case 'SASL_SSL':
      return { protocol, tls: tlsFrom(values), sasl: saslFrom(values) }
    default:
      throw values.wrong(
        'security.protocol',
        `'${protocol}' is not PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL`,
      )
  }
}

/** A properties file with its references replaced; one that holds a secret must be closed to others. */
export const valuesOf = (file: string, env: Env): Values => {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (e) {
    throw new KmigError('CONFIG_INVALID', `client properties ${file} can't be read: ${messageOf(e)}`, {
      try: ['name a file that exists, relative to kmig.yaml, in `properties`'],
      cause: e,
    })
  }
  const written = parseProperties(text)
  const secrets = SECRET_KEYS.filter(key => holdsSecret(key, written.get(key) ?? ''))
  if (secrets.length > 0) refuseOpen(file, secrets.join(', '))
  const directory = dirname(file)
  const close = (other: string) => refuseOpen(other, 'a secret')
  const found = [...written].map(([key, value]): [string, string] => {
    try {
      return [key, withReferences(value, { directory, env, refuseOpen: close })]
    } catch (e) {
      if (e instanceof KmigError) throw e
      throw new Values(file, written).wrong(key, messageOf(e), 'correct the reference, or give what it names')
    }
  })
  return new Values(file, new Map(found))
}
