import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { FIRST_ZOOKEEPER, nodeIds } from './addresses.ts'
import type { Plan } from './provider.ts'
import { type FullSpec, needsTls } from './spec.ts'
import { type Authority, type Certificate, certificateAuthority } from './tls.ts'

export type User = 'admin' | 'kmig'
/** What a cluster's listeners let in. Made for it alone and gone with it. */
export type Credentials = {
  /** Passwords of its users, for every SASL mechanism. */
  users: Readonly<Record<User, string>>
  /** With a listener of TLS. */
  tls?: {
    authority: Authority
    /** By node. */
    servers: ReadonlyMap<number, Certificate>
    /** CN=kmig. */
    client: Certificate
  }
}

/** Random passwords, and certificates where the spec wants TLS: they are in `<directory>/tls`. Throws NO_PROVIDER, SANDBOX. */
export const makeCredentials = async (plan: Plan, signal: AbortSignal): Promise<Credentials> => {
  const { spec, addresses, directory } = plan
  const password = () => randomBytes(12).toString('base64url')
  const users = { admin: password(), kmig: password() }
  if (!needsTls(spec)) return { users }
  const authority = await certificateAuthority(join(directory, 'tls'), { signal })
  const ids = [...nodeIds(spec.brokers), ...nodeIds(spec.ensemble, FIRST_ZOOKEEPER)]
  const made = ids.map(async id => {
    const certificate = await authority.issue(`node-${id}`, { hosts: [addresses.host(id), 'localhost'] })
    return [id, certificate] as const
  })
  const servers = new Map(await Promise.all(made))
  return { users, tls: { authority, servers, client: await authority.issue('kmig') } }
}

const SCRAM = ['SCRAM-SHA-256', 'SCRAM-SHA-512']

/** `kafka.tools.StorageTool format -S` arguments. */
export const scramRecords = ({ users }: Credentials): string[] =>
  Object.entries(users).flatMap(([name, password]) =>
    SCRAM.flatMap(mechanism => ['-S', `${mechanism}=[name=${name},password=${password}]`]),
  )

/** Arguments of one `kafka.admin.ConfigCommand` per user. */
export const scramCommands = ({ users }: Credentials, zookeeper: string): string[][] =>
  Object.entries(users).map(([name, password]) => [
    ...['--zookeeper', zookeeper, '--alter', '--entity-type', 'users', '--entity-name', name],
    ...['--add-config', SCRAM.map(mechanism => `${mechanism}=[password=${password}]`).join(',')],
  ])

/** The JAAS file of a ZooKeeper that takes DIGEST-MD5. */
export const zookeeperJaas = ({ users }: Credentials): string => {
  const rows = Object.entries(users).map(([name, password]) => `  user_${name}="${password}"`)
  return `Server {\n  org.apache.zookeeper.server.auth.DigestLoginModule required\n${rows.join('\n')};\n};\n`
}

export const hasSasl = ({ listeners }: FullSpec): boolean =>
  listeners.includes('sasl') || listeners.includes('sasl-tls')
