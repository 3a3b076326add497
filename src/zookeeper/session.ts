import type { Tls } from '../config/index.ts'
import { formatHostPort, type HostPort, KmigError, messageOf, sleep } from '../kit/index.ts'
import { Writer } from '../wire/index.ts'
import { type Answer, CODE, codeError } from './codes.ts'
import { Connection, type Credentials, NEW_SESSION, type ReplyFrame, XID } from './connection.ts'
import { closeSession, type Operation } from './operations.ts'
import { whyRefused } from './read-only.ts'
import { logInOver, type SaslLogin } from './sasl.ts'
import { addWatch, OP_SET_WATCHES2, readWatchEvent, setWatches, type WatchEvent } from './watches.ts'

export type Auth = { scheme: string; secret: Buffer }
export type SessionEvent =
  | { kind: 'lost'; why: string }
  | { kind: 'reconnected'; server: string }
  /** The ensemble ended the session; a new one was begun. Ephemerals and watches of the old one are gone. */
  | { kind: 'expired' }
export type SessionOptions = {
  /** Tried in any order. */
  servers: readonly HostPort[]
  /** The one of them that is tried first. */
  first?: HostPort | undefined
  /** Sent before anything else on every connection. */
  auth?: readonly Auth[] | undefined
  tls?: Tls | undefined
  /** Logged in before that, on every connection. */
  sasl?: SaslLogin | undefined
  /** Ends the opening only; an open session ends by dispose. */
  signal?: AbortSignal | undefined
  /** Session timeout asked for. Default 30,000. */
  timeoutMs?: number | undefined
  /** How long no server may answer before the session gives up, at the start and after a loss. Default 10,000. */
  withinMs?: number | undefined
  /** A request unanswered for so long ends its connection with TIMEOUT. Default 30,000. */
  requestMs?: number | undefined
  on?: ((event: SessionEvent) => void) | undefined
  /** Told of what `watch` sees. What happened while no connection was there is not told: look again when `reconnected`. */
  onWatch?: ((event: WatchEvent) => void) | undefined
}

const MAX_XID = 0x7fffffff
/** Room for an ordinary request; a larger one grows its buffer. */
const REQUEST_BYTES = 192
/** A request under which so many connections were lost is taken for the one that breaks them. */
const MAX_LOSSES = 5
const CLOSE_MS = 2_000
/** A server that is being started may take a connection and never answer it. */
const HANDSHAKE_MS = 5_000

type Call = {
  name: string
  opcode: number
  repeatable: boolean
  /** Requests in it, with the xids from `xid` on. */
  count: number
  xid: number
  answered: number
  sentAt: number
  /** Connections that were lost under it since its last answer. */
  losses: number
  encode(to: Writer, index: number): void
  settle(reply: ReplyFrame, index: number): void
  fail(why: KmigError): void
}

/**
 * A ZooKeeper session over any of several servers. Requests are pipelined: answered in order, never waiting for each
 * other. Every promise settles. After a lost connection the session goes on at another server: requests that change
 * nothing are sent again, those not sent yet are sent, and writes without an answer fail with DISCONNECTED, as nobody
 * knows whether they were done. When no server answers for `withinMs`, everything fails with UNREACHABLE.
 * Source: ClientCnxn.
 */
export class ZkSession implements AsyncDisposable {
  readonly #options: SessionOptions
  readonly #withinMs: number
  readonly #requestMs: number
  #servers: HostPort[]
  #connection: Connection | undefined
  #credentials: Credentials = NEW_SESSION
  #lastZxid = 0n
  #xid = 0
  #unsent: Call[] = []
  #sent: Call[] = []
  #watched = new Set<string>()
  #closed: KmigError | undefined
  #timer: NodeJS.Timeout

  private constructor(options: SessionOptions) {
    this.#options = options
    this.#withinMs = options.withinMs ?? 10_000
    this.#requestMs = options.requestMs ?? 30_000
    const { servers, first } = options
    this.#servers = first ? [first, ...shuffled(servers.filter(one => one !== first))] : shuffled(servers)
    this.#timer = setInterval(() => this.#checkDeadline(), Math.min(1000, this.#requestMs / 4)).unref()
  }

  /** Throws UNREACHABLE with each address and how long it was tried, AUTHENTICATION. */
  static async open(options: SessionOptions): Promise<ZkSession> {
    const session = new ZkSession(options)
    try {
      await session.#connect(options.signal)
      return session
    } catch (e) {
      session.#finish(e instanceof KmigError ? e : new KmigError('DISCONNECTED', messageOf(e)))
      throw e
    }
  }

  /** Highest zxid that a reply has carried. */
  get lastZxid(): bigint {
    return this.#lastZxid
  }
  /** What another connection needs to be this session. */
  get credentials(): Credentials {
    return this.#credentials
  }
  /** The server it is connected to, or the servers it may use. */
  get address(): string {
    return this.#connection?.address ?? this.#servers.map(formatHostPort).join(',')
  }

  /** Sends a request at once and gives its answer, whatever the server's code. */
  call<Request, Reply>(operation: Operation<Request, Reply>, request: Request): Promise<Answer<Reply>> {
    return this.callEach(operation, [request]).then(([answer]) => answer as Answer<Reply>)
  }

  /** Sends requests of one kind at once and gives all their answers: far cheaper than as many calls. */
  callEach<Request, Reply>(
    operation: Operation<Request, Reply>,
    requests: readonly Request[],
  ): Promise<Answer<Reply>[]> {
    if (this.#closed) return Promise.reject(this.#closed)
    if (requests.length === 0) return Promise.resolve([])
    return new Promise((resolve, reject) => {
      const answers: Answer<Reply>[] = []
      const call: Call = {
        name: operation.name,
        opcode: operation.opcode,
        repeatable: operation.repeatable,
        count: requests.length,
        xid: 0,
        answered: 0,
        sentAt: 0,
        losses: 0,
        encode: (to, index) => operation.write(to, requests[index] as Request),
        settle: ({ code, body }, index) => {
          answers[index] = code === 0 ? { code: 0, value: operation.read(body) } : { code }
          if (index === requests.length - 1) resolve(answers)
        },
        fail: reject,
      }
      if (this.#connection) this.#send(this.#connection, call)
      else this.#unsent.push(call)
    })
  }

  /** Watches a znode and all below it until the session is closed, over lost connections and new sessions too. */
  async watch(path: string): Promise<Answer<void>> {
    const answer = await this.call(addWatch, { path })
    if (answer.code === CODE.Ok) this.#watched.add(path)
    return answer
  }

  #send(connection: Connection, call: Call): void {
    if (this.#xid > MAX_XID - call.count) this.#xid = 0
    call.xid = this.#xid + 1 - call.answered // what was answered before a loss is not asked again
    call.sentAt = performance.now()
    this.#sent.push(call)
    const frames = new Writer(REQUEST_BYTES * Math.min(call.count, 64))
    const starts: number[] = []
    for (let i = call.answered; i < call.count; i++) {
      starts.push(frames.length)
      this.#xid++
      call.encode(frames.int32(0).int32(this.#xid).int32(call.opcode), i)
    }
    const bytes = frames.length
    const pieces = starts.length === 1 ? frames.finish() : [frames.toBuffer()]
    for (const [i, start] of starts.entries()) {
      pieces[0]?.writeInt32BE((starts[i + 1] ?? bytes) - start - 4, start)
    }
    connection.send(pieces, bytes)
  }

  #take(reply: ReplyFrame): void {
    if (reply.zxid > this.#lastZxid) this.#lastZxid = reply.zxid
    if (reply.xid === XID.watch) {
      this.#options.onWatch?.(readWatchEvent(reply.body))
      return
    }
    if (reply.xid === XID.setWatches) return
    if (reply.xid === XID.auth) {
      if (reply.code !== 0) this.#finish(codeError(CODE.AuthFailed, `authentication at ${this.address}`))
      return
    }
    const call = this.#sent[0]
    if (!call || call.xid + call.answered !== reply.xid) {
      const wanted = call ? `${call.xid + call.answered} (${call.name})` : 'none'
      throw reply.body.fail(`reply ${reply.xid} from ${this.address} where ${wanted} is due`)
    }
    const index = call.answered++
    call.losses = 0
    if (call.answered === call.count) this.#sent.shift()
    try {
      call.settle(reply, index)
    } catch (e) {
      const why = e instanceof KmigError ? e : new KmigError('PROTOCOL', messageOf(e), { cause: e })
      call.fail(why)
      throw why
    }
  }

  async #connect(signal?: AbortSignal | undefined): Promise<void> {
    const since = performance.now()
    const faults = new Map<string, string>()
    for (let attempt = 0; ; attempt++) {
      if (this.#closed) throw this.#closed
      const leftMs = this.#withinMs - (performance.now() - since)
      const hopeless = faults.size === this.#servers.length && [...faults.values()].every(isUnknownHost)
      if (leftMs <= 0 || hopeless) {
        const ms = performance.now() - since
        for (const server of this.#servers) {
          const why = faults.get(formatHostPort(server))
          const options = { tls: this.#options.tls, signal }
          if (why) faults.set(formatHostPort(server), await whyRefused(server, why, options))
        }
        throw unreachable(faults, ms)
      }
      const server = this.#servers[attempt % this.#servers.length] as HostPort
      try {
        await this.#attach(server, leftMs, signal)
        return
      } catch (e) {
        signal?.throwIfAborted()
        if (e instanceof KmigError && e.code === 'AUTHENTICATION') throw e
        faults.set(formatHostPort(server), messageOf(e))
        if ((attempt + 1) % this.#servers.length === 0) await sleep(Math.min(200, leftMs), signal)
      }
    }
  }

  async #attach(server: HostPort, leftMs: number, signal?: AbortSignal | undefined): Promise<void> {
    const share = Math.max(500, Math.min(HANDSHAKE_MS, leftMs / Math.min(3, this.#servers.length)))
    let login: ((reply: ReplyFrame) => void) | undefined
    const ended = Promise.withResolvers<never>()
    ended.promise.catch(() => {}) // only a login waits for it
    const connection = await Connection.open(
      {
        ...this.#credentials,
        server,
        tls: this.#options.tls,
        lastZxidSeen: this.#lastZxid,
        timeoutMs: this.#options.timeoutMs ?? 30_000,
        withinMs: Math.min(leftMs, share),
        signal,
      },
      {
        reply: reply => (login ? login(reply) : this.#take(reply)),
        end: why => {
          ended.reject(why)
          this.#lost(why, connection)
        },
      },
    )
    if (connection.granted.timeoutMs <= 0) {
      this.#credentials = NEW_SESSION
      connection.end(new KmigError('ZK_SESSION_EXPIRED', `session ended by ${formatHostPort(server)}`))
      this.#options.on?.({ kind: 'expired' })
      return await this.#attach(server, leftMs, signal)
    }
    this.#credentials = connection.granted
    const { sasl } = this.#options
    if (sasl) {
      const listen = (to: typeof login): void => {
        login = to
      }
      await logInOver(connection, sasl, { listen, ended: ended.promise, withinMs: share })
    }
    if (this.#closed) return connection.end(this.#closed)
    this.#connection = connection
    for (const { scheme, secret } of this.#options.auth ?? []) connection.sendAuth(scheme, secret)
    for (const body of setWatches(this.#watched, this.#lastZxid)) {
      connection.sendOne(XID.setWatches, OP_SET_WATCHES2, body)
    }
    const waiting = this.#unsent
    this.#unsent = []
    for (const call of waiting) this.#send(connection, call)
  }

  #lost(why: KmigError, connection: Connection): void {
    if (!this.#connection || this.#connection !== connection) return
    this.#connection = undefined
    const open = this.#sent
    this.#sent = []
    const again = open.filter(call => call.repeatable && ++call.losses < MAX_LOSSES)
    this.#unsent = [...again, ...this.#unsent]
    for (const call of open.filter(call => !again.includes(call))) call.fail(unanswered(call, why))
    if (this.#closed || why.code === 'PROTOCOL') {
      this.#finish(why)
      return
    }
    this.#options.on?.({ kind: 'lost', why: messageOf(why) })
    this.#connect().then(
      () => this.#options.on?.({ kind: 'reconnected', server: this.address }),
      e => this.#finish(e),
    )
  }

  #checkDeadline(): void {
    const oldest = this.#sent[0]
    if (!oldest || performance.now() - oldest.sentAt < this.#requestMs) return
    const why = `${oldest.name} got no answer from ${this.address} in ${this.#requestMs / 1000} s`
    this.#connection?.end(new KmigError('TIMEOUT', why))
  }

  #finish(why: KmigError): void {
    this.#closed ??= why
    clearInterval(this.#timer)
    const open = [...this.#sent, ...this.#unsent]
    this.#sent = []
    this.#unsent = []
    for (const call of open) call.fail(this.#closed)
    const connection = this.#connection
    this.#connection = undefined
    connection?.end(this.#closed)
  }

  /** Tells the server that the session is over (its ephemerals go at once), waiting a moment for its answer. */
  async close(): Promise<void> {
    if (!this.#closed && this.#connection) {
      const answered = new AbortController() // or else the timer would hold up the end of the process
      const patience = sleep(CLOSE_MS, answered.signal).catch(() => {})
      const done = this.call(closeSession, undefined).catch(() => {})
      await Promise.race([done, patience])
      answered.abort()
    }
    this.#finish(new KmigError('DISCONNECTED', 'the session was closed'))
  }
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }
}

const unanswered = ({ name, repeatable, losses }: Call, why: KmigError): KmigError =>
  new KmigError(
    'DISCONNECTED',
    repeatable
      ? `${name} was sent ${losses} times, each time the connection was lost: ${messageOf(why)}`
      : `${name} was sent, its outcome is unknown: ${messageOf(why)}`,
    { cause: why },
  )

const isUnknownHost = (fault: string): boolean => fault.includes('ENOTFOUND')

const unreachable = (faults: ReadonlyMap<string, string>, ms: number): KmigError =>
  new KmigError(
    'UNREACHABLE',
    `no ZooKeeper server answered in ${(ms / 1000).toFixed(1)} s: ${[...faults.values()].join('; ')}`,
    { try: ['check the addresses, and that the ensemble runs and has a quorum'] },
  )

const shuffled = <T>(items: readonly T[]): T[] =>
  items
    .map(item => ({ item, at: Math.random() }))
    .sort((a, b) => a.at - b.at)
    .map(({ item }) => item)
