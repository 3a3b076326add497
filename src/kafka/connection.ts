import { type Security, saslOf, tlsFailure, tlsOf } from '../config/index.ts'
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
import { authenticate } from './sasl/authenticate.ts'
import { dial, type Transport } from './transport.ts'

export type ConnectionOptions = {
  /** Default 'kmig'. Kafka: client.id. */
  clientId?: string | undefined
  /** Default PLAINTEXT. */
  security?: Security | undefined
  /** For the connection, the negotiation of versions and the login together; default 10,000 ms. */
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
type Held = { post(): void; reject(reason: unknown): void }

const READ_BYTES = 64 * 1024
/** A session is renewed at this part of its life. Kafka: sasl.login.refresh.window.factor, KIP-368 (85 to 95 %). */
const RENEW_AT = 0.85
/** The login waits behind what the broker was asked before, which may be long polls. */
const RENEW_MS = 30_000

/**
 * One connection to one broker, which logs in again before its session ends. Requests are written in the order of the calls to `send`, without waiting for answers;
 * answers come in the same order. A request that times out or is aborted resets the connection, since its outcome is
 * unknown and its answer would be mistaken for another's. Every promise settles once.
 */
export class Connection implements AsyncDisposable {
  readonly address: HostPort
  /** Resolves, and never rejects, with why the connection ended. */
  readonly ended: Promise<Error>
  bytesIn = 0
  bytesOut = 0
  /** The quickest answer so far, ms: about the time to the broker and back. */
  roundTripMs = Number.POSITIVE_INFINITY
  /** Told of each request by the name of its kind. */
  onRequest: ((api: string) => void) | undefined
  #transport: Transport | undefined
  #security: Security | undefined
  #clientId: string
  #where: string
  #end = deferred<Error>()
  #reason: Error | undefined
  #gone = deferred<void>()
  #pending: Pending[] = []
  #correlationId = 0
  #timer: NodeJS.Timeout | undefined
  #timerAt = Number.POSITIVE_INFINITY
  #renewal: NodeJS.Timeout | undefined
  /** Requests that wait until the login is renewed: the broker takes nothing else in between. */
  #held: Set<Held> | undefined
  #versions = new Map<number, readonly [min: number, max: number]>()

  private constructor(address: HostPort, { clientId = 'kmig', security }: ConnectionOptions) {
    this.address = address
    this.#clientId = clientId
    this.#security = security
    this.#where = formatHostPort(address)
    this.ended = this.#end.promise
  }

  /**
   * Throws UNREACHABLE, TIMEOUT, DISCONNECTED, PROTOCOL, UNSUPPORTED, AUTHENTICATION (a certificate, a password), or the
   * signal's reason.
   */
  static async open(address: HostPort, options: ConnectionOptions = {}): Promise<Connection> {
    const { timeoutMs = 10_000, signal } = options
    signal?.throwIfAborted()
    const connection = new Connection(address, options)
    const end = performance.now() + timeoutMs
    const left = () => ({ timeoutMs: Math.max(1, end - performance.now()), signal })
    try {
      await connection.#dial(options)
      await connection.#negotiate(left())
      await connection.#login(left)
      return connection
    } catch (e) {
      connection.reset()
      throw e
    }
  }

  async #dial({ timeoutMs = 10_000, signal, pool }: ConnectionOptions): Promise<void> {
    const frames = new Frames(Buffer.allocUnsafeSlow(READ_BYTES), body => this.#answer(body), pool)
    const take = (chunk: Buffer) => {
      this.bytesIn += chunk.length
      try {
        frames.push(chunk)
      } catch (e) {
        this.reset(this.#told(e))
      }
    }
    const sink = { room: () => frames.room(), take }
    const tls = tlsOf(this.#security)
    this.#transport = await dial(this.address, { tls, sink, timeoutMs, signal })
    const { stream } = this.#transport
    stream.on('error', e => {
      const refused = tls && tlsFailure(e, this.#where, tls)
      this.#finish(refused ?? this.#lost(`was lost: ${messageOf(e)}`, e))
    })
    stream.on('end', () => this.#finish(this.#lost('was closed by the server')))
    stream.on('close', () => {
      this.#finish(this.#lost('was closed'))
      this.#gone.resolve()
    })
  }

  async #negotiate(options: SendOptions): Promise<void> {
    const request = { clientSoftwareName: 'kmig', clientSoftwareVersion: '0.1.0' }
    let version = ApiVersions.versions[1]
    let body = await this.#post(ApiVersions, version, request, options)
    if (body.buffer.readInt16BE(body.position) === ERROR.UNSUPPORTED_VERSION) {
      version = 0
      body = await this.#post(ApiVersions, version, request, options)
    }
    const { errorCode, apiKeys } = this.#decode(ApiVersions, version, body)
    if (errorCode !== ERROR.NONE) throw brokerError(errorCode, `ApiVersions of ${this.#where}`)
    for (const { apiKey, minVersion, maxVersion } of apiKeys) {
      this.#versions.set(apiKey, [minVersion, maxVersion])
    }
  }

  /** Logs in, if the listener wants it, and sees to it that the session goes on. */
  async #login(options: () => SendOptions): Promise<void> {
    const sasl = saslOf(this.#security)
    if (!sasl) return
    const lifetimeMs = await authenticate(sasl, this.#where, async (api, request) => {
      const version = this.supports(api)
      if (version === undefined) throw this.#unsupported(api)
      return this.#decode(api, version, await this.#post(api, version, request, options()))
    })
    if (lifetimeMs > 0) this.#renewal = setTimeout(() => void this.#renew(), lifetimeMs * RENEW_AT)
  }

  async #renew(): Promise<void> {
    this.#held = new Set()
    try {
      await this.#login(() => ({ timeoutMs: RENEW_MS }))
    } catch (e) {
      this.reset(isKmigError(e) ? e : this.#told(e))
    }
    const held = this.#held
    this.#held = undefined
    for (const each of held) each.post()
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

  #exchange<Q>(api: Api<Q, unknown>, version: number, request: Q, options: SendOptions): Promise<Reader> {
    const held = this.#held
    if (!held || this.#reason) return this.#post(api, version, request, options)
    options.signal?.throwIfAborted()
    const { promise, resolve, reject } = deferred<Reader>()
    const post = () => void this.#post(api, version, request, options).then(resolve, reject)
    const waiting = { post, reject }
    held.add(waiting)
    const abort = onAbort(options.signal, reason => {
      if (held.delete(waiting)) reject(reason)
    })
    return promise.finally(() => abort[Symbol.dispose]())
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

  async #post<Q>(api: Api<Q, unknown>, version: number, request: Q, options: SendOptions): Promise<Reader> {
    options.signal?.throwIfAborted()
    if (this.#reason) throw this.#reason
    this.onRequest?.(api.name)
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
    const stream = this.#transport?.stream
    stream?.cork()
    stream?.write(length)
    for (const piece of body.finish()) stream?.write(piece)
    stream?.uncork()
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
    const sent = waiting.deadline - waiting.timeoutMs
    this.roundTripMs = Math.min(this.roundTripMs, performance.now() - sent)
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
      const text = `${late.what} was not answered by ${this.#where} within ${Math.round(late.timeoutMs)} ms`
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
    clearTimeout(this.#renewal)
    for (const { what, reject } of this.#pending.splice(0)) {
      reject(
        isKmigError(reason, 'DISCONNECTED')
          ? new KmigError('DISCONNECTED', `${reason.message}; ${what} was not answered`, { cause: reason })
          : reason,
      )
    }
    if (this.#transport) this.#transport.stream.destroy()
    else this.#gone.resolve()
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
    this.#transport?.reset()
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
