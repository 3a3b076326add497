import { connect, isIP, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { type Tls, tlsFailure, tlsOptions } from '../config/index.ts'
import { formatHostPort, type HostPort, KmigError, messageOf, onAbort } from '../kit/index.ts'
import { Reader, Writer } from '../wire/index.ts'
import { CODE } from './codes.ts'
import { FrameSplitter } from './frames.ts'

/** Xids that answer no request of ours. Source: ClientCnxn. */
export const XID = { watch: -1, ping: -2, auth: -4, setWatches: -8 } as const
const OP_PING = 11
const OP_AUTH = 100
/** Small requests of one tick go out together, at once when there are this many bytes of them. */
const COALESCE_BYTES = 64 << 10
const READ_BYTES = 64 << 10

/** What makes a session ours on any server. All zero asks for a new one. */
export type Credentials = { sessionId: bigint; password: Buffer }
export const NEW_SESSION: Credentials = { sessionId: 0n, password: Buffer.alloc(16) }

export type ConnectOptions = Credentials & {
  server: HostPort
  tls?: Tls | undefined
  /** Whether a server that has lost its quorum may take the session, for reading. Default no. */
  readOnly?: boolean
  lastZxidSeen: bigint
  /** Asked for; the server grants 2 to 20 of its ticks. */
  timeoutMs: number
  /** For the TCP connect and the server's answer together. */
  withinMs: number
  signal?: AbortSignal | undefined
}
export type ReplyFrame = { xid: number; zxid: bigint; code: number; body: Reader }
export type Handlers = { reply(frame: ReplyFrame): void; end(why: KmigError): void }

/**
 * One TCP connection of a session: handshake, framing, coalesced writes, pings. Silent for two thirds of the session's
 * timeout, it is dead. Ends once, with the reason, through `handlers.end`. Source: ClientCnxn, ClientCnxnSocketNIO.
 */
export class Connection {
  readonly server: HostPort
  /** Granted by the server. `timeoutMs` 0: the session that was asked for is gone. */
  readonly granted: Credentials & { timeoutMs: number; readOnly: boolean }
  #socket: Socket
  #handlers: Handlers
  #splitter: FrameSplitter
  #out: Buffer[] = []
  #outBytes = 0
  #flushSoon = false
  #ended = false
  #sentAt = performance.now()
  #heardAt = performance.now()
  #timer: NodeJS.Timeout | undefined

  private constructor(
    socket: Socket,
    opened: { server: HostPort; granted: Connection['granted']; splitter: FrameSplitter },
    handlers: Handlers,
  ) {
    this.#socket = socket
    this.server = opened.server
    this.granted = opened.granted
    this.#splitter = opened.splitter
    this.#handlers = handlers
    socket.on('drain', () => this.#flush())
    socket.on('error', e => this.end(this.#gone(messageOf(e))))
    socket.on('close', () => this.end(this.#gone('the server closed the connection')))
    if (this.granted.timeoutMs > 0) this.#watchOver(this.granted.timeoutMs)
  }

  /** Throws UNREACHABLE, AUTHENTICATION (a certificate), or PROTOCOL if what listens there is no ZooKeeper. */
  static async open(options: ConnectOptions, handlers: Handlers): Promise<Connection> {
    const { server, withinMs, signal, tls } = options
    const address = formatHostPort(server)
    const splitter = new FrameSplitter()
    const answer = Promise.withResolvers<Buffer>()
    let take = (chunk: Buffer): void => {
      try {
        for (const frame of splitter.push(chunk)) answer.resolve(frame)
      } catch (e) {
        answer.reject(new KmigError('PROTOCOL', `what listens at ${address} is no ZooKeeper`, { cause: e }))
      }
    }
    const onread = {
      buffer: Buffer.allocUnsafeSlow(READ_BYTES), // one for all reads: else each read costs 64 KiB of garbage
      callback: (bytes: number, buffer: Uint8Array): boolean => {
        take(Buffer.from(buffer.subarray(0, bytes)))
        return true
      },
    }
    const { host, port } = server
    const socket = tls
      ? connectTls({ ...tlsOptions(tls), host, port, ...(isIP(host) ? {} : { servername: host }) })
      : connect({ host, port, noDelay: true, onread })
    if (tls) socket.setNoDelay(true).on('data', chunk => take(chunk))
    const refuse = (why: string): void =>
      answer.reject(new KmigError('UNREACHABLE', `ZooKeeper at ${address}: ${why}`))
    const timer = setTimeout(() => refuse(`no answer within ${(withinMs / 1000).toFixed(1)} s`), withinMs)
    using _ = onAbort(signal, reason => answer.reject(reason))
    socket.on('error', e => {
      const refused = tls && tlsFailure(e, `ZooKeeper at ${address}`, tls)
      if (refused) answer.reject(refused)
      else refuse(messageOf(e) || ((e as NodeJS.ErrnoException).code ?? 'failed'))
    })
    socket.on('close', () => refuse(`${CLOSED}${tls ? ' (does this port speak TLS?)' : ''}`))
    socket.on(tls ? 'secureConnect' : 'connect', () => socket.write(helloBytes(options)))
    try {
      const granted = readGrant(new Reader(await answer.promise))
      for (const event of ['error', 'close', 'connect', 'secureConnect']) socket.removeAllListeners(event)
      const connection = new Connection(socket, { server, granted, splitter }, handlers)
      take = chunk => connection.#take(chunk)
      return connection
    } catch (e) {
      socket.removeAllListeners()
      socket.on('error', () => {})
      socket.destroy()
      throw e
    } finally {
      clearTimeout(timer)
    }
  }

  get address(): string {
    return formatHostPort(this.server)
  }

  /** Sends whole frames. */
  send(pieces: readonly Buffer[], bytes: number): void {
    if (this.#ended) return
    for (const piece of pieces) this.#out.push(piece)
    this.#outBytes += bytes
    if (this.#outBytes >= COALESCE_BYTES) this.#flush()
    else if (!this.#flushSoon) {
      this.#flushSoon = true
      setImmediate(() => {
        this.#flushSoon = false
        this.#flush()
      })
    }
  }

  sendAuth(scheme: string, secret: Buffer): void {
    const body = new Writer(64).int32(0).string32(scheme).bytes32(secret).toBuffer()
    this.sendOne(XID.auth, OP_AUTH, body)
  }

  sendOne(xid: number, opcode: number, body: Buffer): void {
    const head = new Writer(12)
      .int32(8 + body.length)
      .int32(xid)
      .int32(opcode)
    this.send([head.toBuffer(), body], 12 + body.length)
  }

  #flush(): void {
    if (this.#outBytes === 0 || this.#ended || this.#socket.writableNeedDrain) return
    this.#sentAt = performance.now()
    this.#socket.write(this.#out.length === 1 && this.#out[0] ? this.#out[0] : Buffer.concat(this.#out))
    this.#out = []
    this.#outBytes = 0
  }

  #take(chunk: Buffer): void {
    this.#heardAt = performance.now()
    try {
      for (const frame of this.#splitter.push(chunk)) {
        const body = new Reader(frame)
        const reply = { xid: body.int32(), zxid: body.int64(), code: body.int32(), body }
        if (reply.xid !== XID.ping) this.#handlers.reply(reply)
        if (this.#ended) return
      }
    } catch (e) {
      this.end(
        e instanceof KmigError
          ? e
          : new KmigError('PROTOCOL', `reply of ${this.address}: ${messageOf(e)}`, { cause: e }),
      )
    }
  }

  #watchOver(timeoutMs: number): void {
    const everyMs = timeoutMs / 6
    let lookedAt = performance.now()
    this.#timer = setInterval(() => {
      const now = performance.now()
      const stalled = now - lookedAt > 2 * everyMs // our own process slept: what came meanwhile is not read yet
      lookedAt = now
      if (stalled) this.#heardAt = Math.max(this.#heardAt, now - timeoutMs / 2)
      const silentMs = now - this.#heardAt
      if (silentMs >= (timeoutMs * 2) / 3) {
        this.end(this.#gone(`it has been silent for ${(silentMs / 1000).toFixed(1)} s`))
      } else if (now - this.#sentAt >= timeoutMs / 3 || silentMs >= timeoutMs / 3) {
        this.send([new Writer(12).int32(8).int32(XID.ping).int32(OP_PING).toBuffer()], 12)
      }
    }, everyMs)
  }

  #gone(why: string): KmigError {
    return new KmigError('DISCONNECTED', `connection to ZooKeeper at ${this.address} lost: ${why}`)
  }

  /** Ends it now. What was not sent is dropped. */
  end(why: KmigError): void {
    if (this.#ended) return
    this.#ended = true
    clearInterval(this.#timer)
    this.#socket.destroy()
    this.#out = []
    this.#handlers.end(why)
  }
}

/** How a server ends it that speaks another protocol, or is read-only. */
export const CLOSED = 'it closed the connection during the handshake'

const helloBytes = ({
  lastZxidSeen,
  timeoutMs,
  sessionId,
  password,
  readOnly = false,
}: ConnectOptions): Buffer => {
  const frame = new Writer(64).int32(0).int32(0).int64(lastZxidSeen).int32(timeoutMs)
  const bytes = frame.int64(sessionId).bytes32(password).bool(readOnly).toBuffer()
  bytes.writeInt32BE(bytes.length - 4, 0)
  return bytes
}

/** What a read-only server that makes no sessions (3.8) answers in place of a grant: a reply's header, and no more. */
const NOT_READ_ONLY_BYTES = 16
const readGrant = (from: Reader): Connection['granted'] => {
  if (from.left === NOT_READ_ONLY_BYTES && from.buffer.readInt32BE(from.position + 12) === CODE.NotReadOnly) {
    return { ...NEW_SESSION, timeoutMs: 0, readOnly: true }
  }
  from.int32()
  const timeoutMs = from.int32()
  const sessionId = from.int64()
  const password = Buffer.from(from.bytes32())
  return { timeoutMs, sessionId, password, readOnly: from.left > 0 && from.bool() }
}
