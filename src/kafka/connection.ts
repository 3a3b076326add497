import { connect, type Socket } from 'node:net'
import {
  bug,
  deferred,
  formatHostPort,
  type HostPort,
  isKmigError,
  KmigError,
  messageOf,
  onAbort,
} from '../kit/index.ts'
import { Reader, Writer } from '../wire/index.ts'
import type { Api } from './api.ts'
import { brokerError, ERROR } from './errors.ts'
import type { FramePool } from './frame-pool.ts'
import { Frames } from './framing.ts'
import { ApiVersions } from './messages/index.ts'

/** How a listener is spoken to. Only PLAINTEXT is built so far; others throw UNSUPPORTED. Kafka: security.protocol. */
export type Security = { readonly protocol: 'PLAINTEXT' | 'SSL' | 'SASL_PLAINTEXT' | 'SASL_SSL' }

export type ConnectionOptions = {
  /** Default 'kmig'. Kafka: client.id. */
  clientId?: string | undefined
  security?: Security | undefined
  /** For the connection and the negotiation of versions together; default 10,000 ms. */
  timeoutMs?: number | undefined
  signal?: AbortSignal | undefined
  /** Where the memory of large answers comes from; default new memory each. */
  pool?: FramePool | undefined
}
export type SendOptions = {
  timeoutMs: number
  signal?: AbortSignal | undefined
  version?: number | undefined
}

type Pending = {
  what: string
  correlationId: number
  deadline: number
  timeoutMs: number
  resolve(body: Reader): void
  reject(reason: unknown): void
}

const READ_BYTES = 64 * 1024

/**
 * One TCP connection to one broker. Requests are written in the order of the calls to `send`, without waiting for answers;
 * answers come in the same order. A request that times out or is aborted resets the connection, since its outcome is
 * unknown and its answer would be mistaken for another's. Every promise settles once.
 */
export class Connection implements AsyncDisposable {
  readonly address: HostPort
  /** Resolves, and never rejects, with why the connection ended. */
  readonly ended: Promise<Error>
  bytesIn = 0
  bytesOut = 0
  #socket: Socket
  #clientId: string
  #where: string
  #end = deferred<Error>()
  #reason: Error | undefined
  #gone = deferred<void>()
  #pending: Pending[] = []
  #correlationId = 0
  #timer: NodeJS.Timeout | undefined
  #timerAt = Number.POSITIVE_INFINITY
  #versions = new Map<number, readonly [min: number, max: number]>()

  private constructor(address: HostPort, clientId: string, pool: FramePool | undefined) {
    this.address = address
    this.#clientId = clientId
    this.#where = formatHostPort(address)
    this.ended = this.#end.promise
    const frames = new Frames(Buffer.allocUnsafeSlow(READ_BYTES), body => this.#answer(body), pool)
    this.#socket = connect({
      host: address.host,
      port: address.port,
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: 30_000,
      onread: {
        buffer: () => frames.room(),
        callback: (bytes, buffer) => {
          this.bytesIn += bytes
          try {
            frames.push((buffer as Buffer).subarray(0, bytes))
          } catch (e) {
            this.reset(this.#told(e))
          }
          return true
        },
      },
    })
    this.#socket.on('error', e => this.#finish(this.#lost(`was lost: ${messageOf(e)}`, e)))
    this.#socket.on('end', () => this.#finish(this.#lost('was closed by the server')))
    this.#socket.on('close', () => {
      this.#finish(this.#lost('was closed'))
      this.#gone.resolve()
    })
  }

  /** Throws UNREACHABLE, TIMEOUT, DISCONNECTED, PROTOCOL, UNSUPPORTED, or the signal's reason. */
  static async open(address: HostPort, options: ConnectionOptions = {}): Promise<Connection> {
    const { clientId = 'kmig', security, timeoutMs = 10_000, signal, pool } = options
    signal?.throwIfAborted()
    if (security && security.protocol !== 'PLAINTEXT') {
      throw new KmigError(
        'UNSUPPORTED',
        `${security.protocol} is not built yet (${formatHostPort(address)})`,
        {
          try: ['use a PLAINTEXT listener'],
        },
      )
    }
    const connection = new Connection(address, clientId, pool)
    try {
      const start = performance.now()
      await connection.#connected(timeoutMs, signal)
      await connection.#negotiate({ timeoutMs: Math.max(1, timeoutMs - (performance.now() - start)), signal })
      return connection
    } catch (e) {
      connection.reset()
      throw e
    }
  }

  async #connected(timeoutMs: number, signal: AbortSignal | undefined): Promise<void> {
    const start = performance.now()
    const opened = deferred<void>()
    const after = () => `after ${Math.round(performance.now() - start)} ms`
    const failed = (why: string, cause?: unknown) =>
      opened.reject(new KmigError('UNREACHABLE', `${this.#where}: ${why} ${after()}`, { cause }))
    const timer = setTimeout(() => failed('no connection'), timeoutMs)
    using _ = onAbort(signal, opened.reject)
    this.#socket.once('connect', opened.resolve)
    this.#socket.once('error', e => failed(reasonOf(e), e))
    try {
      await opened.promise
    } finally {
      clearTimeout(timer)
    }
  }

  async #negotiate(options: SendOptions): Promise<void> {
    const request = { clientSoftwareName: 'kmig', clientSoftwareVersion: '0.1.0' }
    let version = ApiVersions.versions[1]
    let body = await this.#exchange(ApiVersions, version, request, options)
    if (body.buffer.readInt16BE(body.position) === ERROR.UNSUPPORTED_VERSION) {
      version = 0
      body = await this.#exchange(ApiVersions, version, request, options)
    }
    const { errorCode, apiKeys } = this.#decode(ApiVersions, version, body)
    if (errorCode !== ERROR.NONE) throw brokerError(errorCode, `ApiVersions of ${this.#where}`)
    for (const { apiKey, minVersion, maxVersion } of apiKeys) {
      this.#versions.set(apiKey, [minVersion, maxVersion])
    }
  }

  /** The highest version that both sides speak; undefined if there is none. */
  supports(api: Api<never, unknown>): number | undefined {
    const [min, max] = this.#versions.get(api.key) ?? [0, -1]
    const version = Math.min(max, api.versions[1])
    return version >= Math.max(min, api.versions[0]) ? version : undefined
  }

  /**
   * Sends one request and gives its answer; error codes inside the answer are the caller's to read.
   * Throws TIMEOUT, DISCONNECTED, PROTOCOL, UNSUPPORTED, or the signal's reason.
   */
  async send<Q, S>(api: Api<Q, S>, request: Q, options: SendOptions): Promise<S> {
    const version = options.version ?? this.supports(api)
    if (version === undefined) throw this.#unsupported(api)
    return this.#decode(api, version, await this.#exchange(api, version, request, options))
  }

  #unsupported(api: Api<never, unknown>): KmigError {
    const theirs = this.#versions.get(api.key)
    const [min, max] = api.versions
    return new KmigError(
      'UNSUPPORTED',
      `${this.#where} ${theirs ? `speaks ${api.name} in versions ${theirs[0]}..${theirs[1]}` : `does not know ${api.name}`}, kmig needs ${min}..${max}`,
      { try: ['use brokers of Kafka 2.3 or newer'] },
    )
  }

  #exchange<Q>(api: Api<Q, unknown>, version: number, request: Q, options: SendOptions): Promise<Reader> {
    options.signal?.throwIfAborted()
    if (this.#reason) throw this.#reason
    const correlationId = this.#correlationId++ & 0x7fffffff
    const flexible = version >= api.flexibleFrom
    const body = new Writer().int16(api.key).int16(version).int32(correlationId)
    body.nullableString16(this.#clientId)
    if (flexible) body.unsignedVarint(0)
    api.request.write(body, request, { version, flexible })
    const { promise, resolve, reject } = deferred<Reader>()
    const deadline = performance.now() + options.timeoutMs
    const what = `${api.name} v${version}`
    const waiting: Pending = { what, correlationId, deadline, timeoutMs: options.timeoutMs, resolve, reject }
    this.#pending.push(waiting)
    this.#write(body)
    this.#arm(deadline)
    if (!options.signal) return promise
    const abort = onAbort(options.signal, reason => {
      const at = this.#pending.indexOf(waiting)
      if (at < 0) return // answered, or failed, in this very turn
      this.#pending.splice(at, 1)
      reject(reason)
      this.reset(this.#lost(`was reset, as ${what} was aborted`, reason))
    })
    return promise.finally(() => abort[Symbol.dispose]())
  }

  #write(body: Writer): void {
    const length = Buffer.allocUnsafe(4)
    length.writeInt32BE(body.length)
    this.bytesOut += 4 + body.length
    this.#socket.cork()
    this.#socket.write(length)
    for (const piece of body.finish()) this.#socket.write(piece)
    this.#socket.uncork()
  }

  #answer(body: Buffer): void {
    if (this.#reason) return
    const reader = new Reader(body)
    const correlationId = reader.int32()
    const waiting = this.#pending[0]
    if (waiting?.correlationId !== correlationId) {
      const wanted = waiting ? `${waiting.correlationId} (${waiting.what}) is due` : 'nothing was asked'
      throw new KmigError('PROTOCOL', `an answer to request ${correlationId} came, ${wanted}`)
    }
    this.#pending.shift()
    if (this.#pending.length === 0) this.#disarm()
    waiting.resolve(reader)
  }

  #decode<S>(api: Api<never, S>, version: number, body: Reader): S {
    const flexible = version >= api.flexibleFrom
    try {
      if (flexible && api.key !== ApiVersions.key) skipTags(body)
      const value = api.response.read(body, { version, flexible })
      if (body.left > 0) throw body.fail(`${body.left} bytes more than the layout has`)
      return value
    } catch (e) {
      const error = this.#told(e, `${api.name} v${version}: `)
      this.reset(error)
      throw error
    }
  }

  #told(e: unknown, what = ''): Error {
    if (!isKmigError(e)) return bug(`${this.#where}: ${what}${messageOf(e)}`, e)
    return new KmigError(e.code, `${this.#where}: ${what}${e.message}`, { try: e.suggestions, cause: e })
  }
  #lost(how: string, cause?: unknown): KmigError {
    return new KmigError('DISCONNECTED', `the connection to ${this.#where} ${how}`, { cause })
  }

  // One timer, for the earliest deadline; it is not moved when an answer comes, only looked at when it fires.
  #arm(deadline: number): void {
    if (deadline >= this.#timerAt) return
    clearTimeout(this.#timer)
    this.#timerAt = deadline
    this.#timer = setTimeout(() => this.#expire(), Math.max(1, deadline - performance.now()))
  }
  #disarm(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#timerAt = Number.POSITIVE_INFINITY
  }
  #expire(): void {
    this.#disarm()
    const now = performance.now()
    const late = this.#pending.find(p => p.deadline <= now)
    if (late) {
      const text = `${late.what} was not answered by ${this.#where} within ${late.timeoutMs} ms`
      this.#pending.splice(this.#pending.indexOf(late), 1)
      late.reject(new KmigError('TIMEOUT', text))
      this.reset(this.#lost(`was reset, as ${text}`))
    } else if (this.#pending.length > 0) {
      this.#arm(Math.min(...this.#pending.map(p => p.deadline)))
    }
  }

  #finish(reason: Error): void {
    if (this.#reason) return
    this.#reason = reason
    this.#disarm()
    for (const { what, reject } of this.#pending.splice(0)) {
      reject(
        isKmigError(reason, 'DISCONNECTED')
          ? new KmigError('DISCONNECTED', `${reason.message}; ${what} was not answered`, { cause: reason })
          : reason,
      )
    }
    this.#socket.destroy()
    this.#end.resolve(reason)
  }

  get closed(): boolean {
    return this.#reason !== undefined
  }
  /** Requests that wait for their answer. */
  get outstanding(): number {
    return this.#pending.length
  }

  /** Ends the connection by RST, so that what is still on the way lands as little as possible. */
  reset(reason: Error = this.#lost('was reset')): void {
    if (this.#reason) return
    this.#socket.resetAndDestroy()
    this.#finish(reason)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#pending.length > 0) this.reset()
    else this.#finish(this.#lost('was closed by kmig'))
    await this.#gone.promise
  }
}

const skipTags = (body: Reader): void => {
  for (let tags = body.unsignedVarint(); tags > 0; tags--) {
    body.unsignedVarint()
    body.raw(body.unsignedVarint())
  }
}

const reasonOf = (e: Error): string => {
  const { code } = e as NodeJS.ErrnoException
  if (code === 'ECONNREFUSED') return 'connection refused'
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return `the host name is not known (${code})`
  return e.message || code || e.name
}
