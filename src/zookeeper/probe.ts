import type { Tls } from '../config/index.ts'
import { type HostPort, KmigError } from '../kit/index.ts'
import { CODE } from './codes.ts'
import { Connection, type Credentials } from './connection.ts'
import { multiRead } from './multi.ts'
import { type SessionOptions, ZkSession } from './session.ts'

/** Whether the servers know multiRead. Asked on a session of its own: an old server may close the connection over it. */
export const hasMultiRead = async (options: SessionOptions): Promise<boolean> => {
  const lost = Promise.withResolvers<'lost'>()
  await using probe = await ZkSession.open({
    ...options,
    on: event => event.kind === 'lost' && lost.resolve('lost'),
  })
  const answer = await Promise.race([
    probe.call(multiRead, [{ kind: 'children', path: '/' }]).catch(() => 'lost' as const),
    lost.promise,
  ])
  return answer !== 'lost' && answer.code === CODE.Ok
}

/**
 * Whether a server takes the session as one of its own, which only a member of the ensemble that gave it does: the proof
 * that two addresses are one ensemble, without writing to either. The session's own connection is lost by it.
 */
export const acceptsSession = async (
  server: HostPort,
  session: Credentials,
  options: { withinMs: number; tls?: Tls | undefined; signal?: AbortSignal | undefined },
): Promise<boolean> => {
  const over = new KmigError('DISCONNECTED', 'the probe is over')
  const connection = await Connection.open(
    { ...session, ...options, server, lastZxidSeen: 0n, timeoutMs: 5_000 },
    { reply: () => {}, end: () => {} },
  )
  connection.end(over)
  return connection.granted.timeoutMs > 0
}
