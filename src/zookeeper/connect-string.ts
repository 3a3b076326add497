import { formatHostPort, type HostPort, KmigError, messageOf, parseBootstrap } from '../kit/index.ts'
import { pathFault } from './path.ts'

/** Servers of one ensemble, and the root that paths are meant below (`/` for none). */
export type ZkAddress = { servers: readonly HostPort[]; chroot: string }

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
  try {
    return { servers: parseBootstrap(slash < 0 ? text : text.slice(0, slash)), chroot }
  } catch (e) {
    throw bad(text, messageOf(e))
  }
}

/** The text that `parseConnectString` reads. */
export const formatConnectString = ({ servers, chroot }: ZkAddress): string =>
  servers.map(formatHostPort).join(',') + (chroot === '/' ? '' : chroot)
