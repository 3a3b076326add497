import { readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { messageOf } from '../kit/index.ts'
import type { Env } from './directories.ts'
import { type LoginModule, parseJaas } from './jaas.ts'
import { valuesOf } from './properties.ts'
import { Secret } from './secret.ts'
import { refuseOpen } from './secret-file.ts'
import type { Tls } from './security.ts'
import { tlsFrom } from './tls-properties.ts'
import { Values } from './values.ts'

/** How a ZooKeeper is spoken to, as its own clients' properties say it. */
export type ZookeeperProperties = {
  readonly tls?: Tls
  /** DIGEST-MD5. */
  readonly sasl?: { readonly user: string; readonly password: Secret }
}

/** By the names of Kafka's client, which mean the same. ZooKeeper's own begin with `zookeeper.`; Java's case varies. */
const TLS_KEYS = [
  'ssl.keystore.location',
  'ssl.keystore.password',
  'ssl.keystore.type',
  'ssl.truststore.location',
  'ssl.truststore.password',
  'ssl.truststore.type',
]
const JAAS_FILE = 'java.security.auth.login.config'
const SECTION = 'zookeeper.sasl.clientconfig'

/**
 * Reads the properties that ZooKeeper's Java client takes (`zookeeper.ssl.*`, a JAAS file), also in the spelling of a
 * broker's server.properties. Throws CONFIG_INVALID, UNSUPPORTED (JKS, Kerberos).
 */
export const readZookeeperProperties = (file: string, env: Env = process.env): ZookeeperProperties => {
  const written = valuesOf(file, env)
  const values = new Values(
    file,
    new Map([...written.entries()].map(([key, value]) => [key.toLowerCase(), value])),
  )
  const on = (key: string) => values.get(key)?.toLowerCase() === 'true'
  const secure = on('zookeeper.client.secure') || on('zookeeper.ssl.client.enable')
  const jaas = values.some(JAAS_FILE)
  return {
    ...(secure ? { tls: tlsOf(values) } : {}),
    ...(jaas ? { sasl: saslOf(values, resolve(dirname(file), jaas)) } : {}),
  }
}

/** What is read of such a file, in lower case. */
const READ: ReadonlySet<string> = new Set([
  ...TLS_KEYS.map(key => `zookeeper.${key}`),
  'zookeeper.client.secure',
  'zookeeper.ssl.client.enable',
  'zookeeper.ssl.hostnameverification',
  'zookeeper.ssl.endpoint.identification.algorithm',
  JAAS_FILE,
  SECTION,
])
/** Of a broker's server.properties there would be many. */
const NAMED = 10

/**
 * For the operator: keys that are not used (ZooKeeper's all have a dot; a line of credentials has none before its colon),
 * checks that are off. None of a file that can't be read: who logs in by it says why.
 */
export const zookeeperWarnings = (file: string, env: Env = process.env): string[] => {
  try {
    const unused = [...valuesOf(file, env).entries()]
      .map(([key]) => key)
      .filter(key => key.includes('.') && !READ.has(key.toLowerCase()))
      .sort()
    const more = unused.length > NAMED ? ` and ${unused.length - NAMED} more` : ''
    const { tls } = readZookeeperProperties(file, env)
    return [
      ...(tls && !tls.checkHost
        ? [
            `${file}: HOST NAMES ARE NOT CHECKED, so whoever holds any certificate of this CA can pose as a server`,
          ]
        : []),
      ...(unused.length > 0
        ? [`${file}: kmig makes no use of ${unused.slice(0, NAMED).join(', ')}${more}`]
        : []),
    ]
  } catch {
    return []
  }
}

const tlsOf = (values: Values): Tls => {
  const given = new Map<string, string>()
  for (const key of TLS_KEYS) {
    const value = values.get(`zookeeper.${key}`)
    if (value !== undefined) given.set(key, value)
  }
  const password = given.get('ssl.keystore.password')
  if (password !== undefined) given.set('ssl.key.password', password) // ZooKeeper has one for both
  const unchecked = values.get('zookeeper.ssl.hostnameverification')?.toLowerCase() === 'false'
  const check = unchecked ? '' : values.get('zookeeper.ssl.endpoint.identification.algorithm')
  if (check !== undefined) given.set('ssl.endpoint.identification.algorithm', check)
  if (password !== undefined) refuseOpen(values.file, 'zookeeper.ssl.keyStore.password')
  return tlsFrom(new Values(values.file, given))
}

const saslOf = (values: Values, path: string): { user: string; password: Secret } => {
  const name = values.some(SECTION) ?? 'Client'
  const wrong = (why: string) =>
    values.wrong(JAAS_FILE, `${path}: ${why}`, 'see docs/config.md for an example')
  let module: LoginModule
  try {
    const text = readFileSync(path, 'utf8').replace(/^\s*(\/\/|#).*$/gm, '')
    const sections = text.matchAll(/([\w.-]+)\s*\{((?:"(?:\\.|[^"\\])*"|[^}"])*)\}/g)
    const section = [...sections].find(([, title]) => title === name)
    if (!section) throw new Error(`it has no section '${name}'`)
    module = parseJaas(section[2]?.trim() ?? '')
  } catch (e) {
    throw wrong(messageOf(e))
  }
  const [user, password] = [module.options.get('username'), module.options.get('password')]
  if (module.name === 'Krb5LoginModule') {
    throw values.refused(
      JAAS_FILE,
      `${path}: kmig does not speak Kerberos`,
      'use TLS with a client certificate, or DigestLoginModule',
    )
  }
  if (module.name !== 'DigestLoginModule')
    throw wrong(`the login module ${module.name} is not DigestLoginModule`)
  if (!user || password === undefined) throw wrong('it has no username and password')
  refuseOpen(path, 'a password')
  return { user, password: new Secret(password) }
}
