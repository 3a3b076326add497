import type { Tls } from '../config/index.ts'
import { formatHostPort, type HostPort, KmigError } from '../kit/index.ts'
import { CLOSED, Connection, NEW_SESSION } from './connection.ts'

const WITHIN_MS = 2_000

/**
 * Why a server would not have a session, in words. One that has lost its quorum (readonlymode.enabled) closes the
 * connection without any, but lets in who only wants to read: so it is asked that way.
 */
export const whyRefused = async (
  server: HostPort,
  why: string,
  options: { tls?: Tls | undefined; signal?: AbortSignal | undefined },
): Promise<string> => {
  if (!why.includes(CLOSED)) return why
  const asked = {
    ...NEW_SESSION,
    ...options,
    server,
    lastZxidSeen: 0n,
    timeoutMs: 5_000,
    withinMs: WITHIN_MS,
  }
  const readOnly = await Connection.open(
    { ...asked, readOnly: true },
    { reply: () => {}, end: () => {} },
  ).then(
    connection => {
      connection.end(new KmigError('DISCONNECTED', 'the probe is over'))
      return connection.granted.readOnly
    },
    () => false,
  )
  return readOnly ? `ZooKeeper at ${formatHostPort(server)} is read-only: it has lost its quorum` : why
}
