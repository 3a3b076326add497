import { KmigError } from './errors.ts'

/** A server's address. IPv6 hosts are without brackets. */
export type HostPort = { readonly host: string; readonly port: number }

export const formatHostPort = ({ host, port }: HostPort): string =>
  host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`

const bad = (text: string, what: string, whole: string): KmigError =>
  new KmigError('BAD_ADDRESS', `'${text}' ${what}${text === whole ? '' : `, in '${whole}'`}`, {
    try: ['write it as host:port, or host:port,host:port; an IPv6 host in brackets: [::1]:9092'],
  })

/** `host:port`; an IPv6 host in brackets. Throws BAD_ADDRESS that says what is wrong. */
export const parseHostPort = (text: string, whole: string = text): HostPort => {
  const match = /^(?:\[(?<v6>[^\]]*)\]|(?<name>[^:[\]]*))(?::(?<port>[^:]*))?$/.exec(text)
  if (!match?.groups) throw bad(text, 'is not host:port (an IPv6 host needs brackets)', whole)
  const { v6, name, port } = match.groups
  const host = v6 ?? name ?? ''
  if (host === '') throw bad(text, 'has no host', whole)
  if (v6 === undefined ? !/^[\w.-]+$/.test(host) : !/^[\da-fA-F:.]*:[\da-fA-F:.]*(%[\w.-]+)?$/.test(host)) {
    throw bad(text, `has a host that is not a name, an IPv4 or a bracketed IPv6 address`, whole)
  }
  if (port === undefined || port === '') throw bad(text, 'has no port', whole)
  if (!/^\d{1,5}$/.test(port) || Number(port) < 1 || Number(port) > 65_535) {
    throw bad(text, `has port '${port}', which is not 1..65535`, whole)
  }
  return { host, port: Number(port) }
}

/** `host:port,host:port`; blanks around commas are ignored, repeats dropped. Throws BAD_ADDRESS with the entry and the whole. */
export const parseBootstrap = (text: string): HostPort[] => {
  const seen = new Map<string, HostPort>()
  for (const [index, entry] of text.split(',').entries()) {
    if (entry.trim() === '') throw bad(text, `has nothing at entry ${index + 1}`, text)
    const address = parseHostPort(entry.trim(), text)
    seen.set(formatHostPort(address), address)
  }
  return [...seen.values()]
}
