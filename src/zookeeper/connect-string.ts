import { KmigError } from '../kit/index.ts'
import { pathFault } from './path.ts'

export type ZkServer = { host: string; port: number }
/** Servers of one ensemble, and the root that paths are meant below (`/` for none). */
export type ZkAddress = { servers: readonly ZkServer[]; chroot: string }

const bad = (text: string, why: string): KmigError =>
  new KmigError('ZK_CONNECT_STRING', `'${text}' is not a ZooKeeper connect string: ${why}`, {
    try: ['write host:port[,host:port...][/chroot], for example 10.0.0.1:2181,10.0.0.2:2181/kafka'],
  })

/**
 * Reads `h1:2181,h2:2181/chroot`; an IPv6 address stands in brackets, `[::1]:2181`. Each server has its own port:
 * one left out is refused rather than guessed. No slash means `/`. Throws ZK_CONNECT_STRING.
 */
export const parseConnectString = (text: string): ZkAddress => {
  const slash = text.indexOf('/')
  const chroot = slash < 0 ? '/' : text.slice(slash)
  const fault = pathFault(chroot)
  if (fault) throw bad(text, `the chroot '${chroot}': ${fault}`)
  const list = slash < 0 ? text : text.slice(0, slash)
  return { servers: list.split(',').map(part => parseServer(text, part.trim())), chroot }
}

const parseServer = (text: string, part: string): ZkServer => {
  const match = /^(?:\[([^\]]+)\]|([^:[\]\s]+))(?::(\d+))?$/.exec(part)
  const host = match?.[1] ?? match?.[2]
  if (!host) {
    const colons = part.split(':').length > 2
    throw bad(text, `'${part}' is not host:port${colons ? ' (an IPv6 address stands in brackets)' : ''}`)
  }
  const digits = match?.[3]
  if (digits === undefined) throw bad(text, `'${part}' has no port (ZooKeeper's usual one is 2181)`)
  const port = Number(digits)
  if (port < 1 || port > 65_535) throw bad(text, `port ${digits} of '${part}' is not 1-65535`)
  return { host, port }
}

export const formatServer = ({ host, port }: ZkServer): string =>
  host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`

/** The text that `parseConnectString` reads. */
export const formatConnectString = ({ servers, chroot }: ZkAddress): string =>
  servers.map(formatServer).join(',') + (chroot === '/' ? '' : chroot)
