import type { HostPort } from '../kit/index.ts'
import type { Login } from './ensembles.ts'
import { OrdinaryClient } from './ordinary-client.ts'
import { OwnClient } from './own-client.ts'

export type OneServerOptions = Login & {
  server: HostPort
  signal: AbortSignal
  /** For the connection, and for each request. */
  withinMs: number
}
/** Who asks a server: what applications use, or kmig itself. */
export const CLIENTS = ['node-zookeeper-client', 'kmig'] as const
export const CLIENT_TEXT =
  'node-zookeeper-client, an ordinary one; kmig where that one can not: TLS, SASL, IPv6 addresses'
export type ClientName = (typeof CLIENTS)[number]

/** One server, spoken to by a connection to it alone, with a deadline on everything. Paths are absolute. */
export type OneServer = AsyncDisposable & {
  readonly server: string
  create(path: string, data: Buffer, options: { ephemeral: boolean }): Promise<void>
  set(path: string, data: Buffer): Promise<void>
  get(path: string): Promise<void>
  remove(path: string): Promise<void>
  children(path: string): Promise<string[]>
  /** Whether it is there, and when its next event comes (performance.now()), due in `withinMs` from the asking. */
  watch(path: string): Promise<{ there: boolean; event(): Promise<number> }>
}

/** An ordinary client proves most; that one has neither TLS nor SASL, and can't read IPv6 addresses. */
export const clientFor = ({
  server,
  tls,
  sasl,
}: Pick<OneServerOptions, 'server' | 'tls' | 'sasl'>): ClientName =>
  tls || sasl || server.host.includes(':') ? 'kmig' : 'node-zookeeper-client'

/** Throws UNREACHABLE, AUTHENTICATION. */
export const openServer = async (options: OneServerOptions): Promise<OneServer> =>
  clientFor(options) === 'kmig' ? await OwnClient.open(options) : await OrdinaryClient.open(options)
