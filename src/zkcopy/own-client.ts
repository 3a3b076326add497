import { formatHostPort, KmigError } from '../kit/index.ts'
import {
  type Answer,
  CODE,
  create,
  existsWatched,
  getChildren,
  getData,
  must,
  OPEN_ACL,
  type Operation,
  remove,
  type SessionEvent,
  setData,
  type WatchEvent,
  ZkSession,
} from '../zookeeper/index.ts'
import { inTime } from './in-time.ts'
import type { OneServer, OneServerOptions } from './one-server.ts'
import { SESSION_MS } from './ordinary-client.ts'

type Waiting = { resolve(at: number): void; reject(why: KmigError): void }

/** One server by kmig's own session, for what the ordinary client can't do. A connection that is lost ends what waits for events. */
export class OwnClient implements OneServer {
  readonly server: string
  readonly #options: OneServerOptions
  readonly #waiting = new Map<string, Set<Waiting>>()
  #session: ZkSession | undefined
  private constructor(options: OneServerOptions) {
    this.#options = options
    this.server = formatHostPort(options.server)
  }

  /** Throws UNREACHABLE, AUTHENTICATION. */
  static async open(options: OneServerOptions): Promise<OwnClient> {
    const client = new OwnClient(options)
    const { server, auth, tls, sasl, signal, withinMs } = options
    client.#session = await ZkSession.open({
      ...{ servers: [server], auth, tls, sasl, signal, withinMs, timeoutMs: SESSION_MS },
      on: event => client.#heard(event),
      onWatch: event => client.#fired(event),
    })
    return client
  }

  async create(path: string, data: Buffer, { ephemeral }: { ephemeral: boolean }): Promise<void> {
    await this.#must(`create ${path}`, create, { path, data, acl: OPEN_ACL, ephemeral })
  }
  async set(path: string, data: Buffer): Promise<void> {
    await this.#must(`set ${path}`, setData, { path, data, version: -1 })
  }
  async get(path: string): Promise<void> {
    await this.#must(`get ${path}`, getData, { path })
  }
  async remove(path: string): Promise<void> {
    await this.#must(`delete ${path}`, remove, { path, version: -1 })
  }
  async children(path: string): Promise<string[]> {
    return await this.#must(`list ${path}`, getChildren, { path })
  }
  async watch(path: string): Promise<{ there: boolean; event(): Promise<number> }> {
    const fired = Promise.withResolvers<number>()
    fired.promise.catch(() => {}) // thrown to who asks for the event
    const all = this.#waiting.get(path) ?? new Set()
    this.#waiting.set(path, all.add(fired))
    const what = `watch ${path}`
    const answer = await this.#answer(what, existsWatched, { path })
    if (answer.code !== CODE.NoNode) must(answer, `${what} at ${this.server}`)
    const event = () =>
      inTime<number>({ ...this.#options, what: `the watch of ${path}`, server: this.server }, (...ends) => {
        fired.promise.then(...ends)
      })
    return { there: answer.code === CODE.Ok, event }
  }

  async #must<Request, Reply>(
    what: string,
    operation: Operation<Request, Reply>,
    request: Request,
  ): Promise<Reply> {
    return must(await this.#answer(what, operation, request), `${what} at ${this.server}`)
  }
  #answer<Request, Reply>(
    what: string,
    operation: Operation<Request, Reply>,
    request: Request,
  ): Promise<Answer<Reply>> {
    return inTime({ ...this.#options, what, server: this.server }, (resolve, reject) => {
      this.#session?.call(operation, request).then(resolve, reject)
    })
  }

  #fired({ path }: WatchEvent): void {
    const at = performance.now()
    for (const one of this.#waiting.get(path) ?? []) one.resolve(at)
    this.#waiting.delete(path)
  }
  /** A watch of one event is gone with its connection: what happened meanwhile is told by nobody. */
  #heard(event: SessionEvent): void {
    if (event.kind !== 'lost') return
    const why = new KmigError('DISCONNECTED', event.why)
    for (const all of this.#waiting.values()) for (const one of all) one.reject(why)
    this.#waiting.clear()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#session?.close()
  }
}
