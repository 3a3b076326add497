const HOST = /^(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)$/
const CHROOT = /^(?:\/[A-Za-z0-9._~@%+=-]+)+$/

const portOf = (text: string): number | undefined => {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0
  return port >= 1 && port <= 65_535 ? port : undefined
}

/** One host:port: as written, or why it is none. A missing port is `defaultPort` (kafka-python's 9092, ZooKeeper's 2181). */
export type Address =
  | { ok: true; host: string; port: number; key: string; portWritten: boolean }
  | { ok: false; why: 'port' | 'form'; text: string }

export const parseAddress = (text: string, defaultPort: number): Address => {
  const colon = text.startsWith('[') ? text.indexOf(':', text.indexOf(']')) : text.indexOf(':')
  const host = colon < 0 ? text : text.slice(0, colon)
  if (!HOST.test(host)) return { ok: false, why: 'form', text }
  const port = colon < 0 ? defaultPort : portOf(text.slice(colon + 1))
  if (port === undefined) return { ok: false, why: 'port', text }
  const key = `${host.toLowerCase()}:${port}`
  return { ok: true, host: host.toLowerCase(), port, key, portWritten: colon >= 0 }
}

/** What two broker addresses are compared by: host lower-cased, port kept. undefined for what is no address. */
export const brokerKey = (text: string): string | undefined => {
  const address = parseAddress(text.trim(), 9092)
  return address.ok ? address.key : undefined
}

export const brokerKeys = (brokers: readonly string[]): Set<string> =>
  new Set(brokers.map(brokerKey).filter(key => key !== undefined))

export const hostsOf = (keys: Iterable<string>): Set<string> =>
  new Set([...keys].map(key => key.slice(0, key.lastIndexOf(':'))))

/** A ZooKeeper connect string, compared as (host set, chroot), or why it is none. Source: ZooKeeper's ConnectStringParser. */
export type ZkConnect =
  | { ok: true; key: string }
  | { ok: false; why: 'whitespace' | 'chroot' | 'port' | 'form'; text: string }

export const parseZkConnect = (text: string): ZkConnect => {
  if (/\s/.test(text)) return { ok: false, why: 'whitespace', text }
  const slash = text.indexOf('/')
  const [hosts, chroot] =
    slash < 0 ? [text, ''] : [text.slice(0, slash), text.slice(slash).replace(/\/$/, '')]
  if (chroot.includes(',')) return { ok: false, why: 'chroot', text }
  if (chroot !== '' && !CHROOT.test(chroot)) return { ok: false, why: 'form', text }
  const addresses = hosts.split(',').map(host => parseAddress(host, 2181))
  const wrong = addresses.find(address => !address.ok)
  if (wrong && !wrong.ok) return { ok: false, why: wrong.why, text: wrong.text }
  const keys = addresses.map(address => (address.ok ? address.key : '')).sort()
  return { ok: true, key: `${[...new Set(keys)].join(',')}${chroot}` }
}
