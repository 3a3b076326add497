import { connect, isIP, type Socket } from 'node:net'
import { connect as connectTls, type TLSSocket } from 'node:tls'
import { type Tls, tlsFailure, tlsOptions } from '../config/index.ts'
import { deferred, formatHostPort, type HostPort, KmigError, onAbort } from '../kit/index.ts'

/** Where the bytes of a connection go: `take` gets them, those of a plain one lying in what `room` gave. */
export type Sink = { room(): Buffer; take(chunk: Buffer): void }

export type Transport = {
  /** What requests are written to. */
  readonly stream: Socket
  /** Ends it by RST: what the kernel has not sent yet is dropped. */
  reset(): void
}
export type DialOptions = {
  tls: Tls | undefined
  sink: Sink
  timeoutMs: number
  signal?: AbortSignal | undefined
}

/**
 * A TCP connection, with TLS on top if that is asked for. Plain bytes are read into their place; those of TLS are copied
 * there, since Node reads TLS into a given buffer only where it made the socket itself, and can't reset such a socket.
 * Throws UNREACHABLE, AUTHENTICATION (one side's certificate), PROTOCOL, or the signal's reason.
 */
export const dial = async (address: HostPort, options: DialOptions): Promise<Transport> => {
  const { tls, sink, signal } = options
  const { host, port } = address
  const where = formatHostPort(address)
  const start = performance.now()
  const opened = deferred<void>()
  const failed = (why: string, cause?: unknown) => {
    const after = Math.round(performance.now() - start)
    const hint = tls && socket.bytesRead === 0 && !socket.connecting ? { try: [NO_TLS] } : {}
    opened.reject(new KmigError('UNREACHABLE', `${where}: ${why} after ${after} ms`, { cause, ...hint }))
  }
  const timer = setTimeout(() => failed('no connection'), options.timeoutMs)
  const socket = connect({
    host,
    port,
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: 30_000,
    ...(tls ? {} : { onread: { buffer: () => sink.room(), callback: readInto(sink) } }),
  })
  let stream: Socket = socket
  socket.on('error', e => failed(reasonOf(e), e))
  using _ = onAbort(signal, opened.reject)
  try {
    if (tls) {
      socket.once('connect', () => {
        stream = secured(socket, host, tls)
        stream.once('secureConnect', opened.resolve).on('error', e => {
          const told = tlsFailure(e, where, tls)
          if (told) opened.reject(told)
          else failed(reasonOf(e), e)
        })
        stream.on('data', chunk => sink.take(chunk))
      })
    } else socket.once('connect', opened.resolve)
    await opened.promise
    return { stream, reset: () => void socket.resetAndDestroy() }
  } catch (e) {
    socket.resetAndDestroy()
    throw e
  } finally {
    clearTimeout(timer)
  }
}

const NO_TLS = 'check security.protocol: this listener may not speak TLS'

const secured = (socket: Socket, host: string, tls: Tls): TLSSocket =>
  connectTls({ ...tlsOptions(tls), socket, host, ...(isIP(host) ? {} : { servername: host }) })

const readInto =
  ({ take }: Sink) =>
  (bytes: number, buffer: Uint8Array): boolean => {
    take((buffer as Buffer).subarray(0, bytes))
    return true
  }

const reasonOf = (e: Error): string => {
  const { code } = e as NodeJS.ErrnoException
  if (code === 'ECONNREFUSED') return 'connection refused'
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return `the host name is not known (${code})`
  return e.message || code || e.name
}
