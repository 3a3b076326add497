import zookeeper from 'node-zookeeper-client'
import { formatHostPort, KmigError, messageOf } from '../kit/index.ts'
import { CODE, codeError, PERM } from '../zookeeper/index.ts'
import { inTime } from './in-time.ts'
import type { OneServer, OneServerOptions } from './one-server.ts'

type Done<T> = (error: unknown, value: T) => void

/** How long a session may be gone before the ensemble drops its ephemerals. */
export const SESSION_MS = 10_000
const CLOSE_MS = 1_000
const OPEN = [new zookeeper.ACL(PERM.all, new zookeeper.Id('world', 'anyone'))]

/**
 * One server as ordinary clients see it, by node-zookeeper-client, which itself waits for ever. Calls throw the server's
 * code as an error, TIMEOUT, DISCONNECTED.
 */
export class OrdinaryClient implements OneServer {
  readonly server: string
  readonly #client: zookeeper.Client
  readonly #options: OneServerOptions
  private constructor(options: OneServerOptions) {
    this.#options = options
    this.server = formatHostPort(options.server)
    this.#client = zookeeper.createClient(this.server, { sessionTimeout: SESSION_MS, retries: 0 })
    for (const { scheme, secret } of options.auth ?? []) this.#client.addAuthInfo(scheme, secret)
  }

  /** Throws UNREACHABLE, AUTHENTICATION. */
  static async open(options: OneServerOptions): Promise<OrdinaryClient> {
    const client = new OrdinaryClient(options)
    try {
      await client.#within<void>('connect', done => {
        client.#client.once('connected', () => done(undefined, undefined))
        client.#client.once('authenticationFailed', () =>
          done(codeError(CODE.AuthFailed, `authentication at ${client.server}`), undefined),
        )
        client.#client.connect()
      })
      return client
    } catch (e) {
      await client[Symbol.asyncDispose]()
      if (!(e instanceof KmigError) || e.code !== 'TIMEOUT') throw e
      throw new KmigError(
        'UNREACHABLE',
        `no ZooKeeper answered at ${client.server} in ${options.withinMs} ms`,
        {
          try: ['check the address, and that the server runs and has a quorum'],
        },
      )
    }
  }

  async create(path: string, data: Buffer, options: { ephemeral: boolean }): Promise<void> {
    const mode = options.ephemeral ? zookeeper.CreateMode.EPHEMERAL : zookeeper.CreateMode.PERSISTENT
    await this.#within(`create ${path}`, done => this.#client.create(path, data, OPEN, mode, done))
  }
  async set(path: string, data: Buffer): Promise<void> {
    await this.#within(`set ${path}`, done => this.#client.setData(path, data, -1, done))
  }
  async get(path: string): Promise<void> {
    await this.#within(`get ${path}`, done => this.#client.getData(path, error => done(error, undefined)))
  }
  async remove(path: string): Promise<void> {
    await this.#within<void>(`delete ${path}`, done =>
      this.#client.remove(path, -1, error => done(error, undefined)),
    )
  }
  async children(path: string): Promise<string[]> {
    return await this.#within(`list ${path}`, done =>
      this.#client.getChildren(path, (error, names) => done(error, names)),
    )
  }
  async watch(path: string): Promise<{ there: boolean; event(): Promise<number> }> {
    const fired = Promise.withResolvers<number>()
    const stat = await this.#within<unknown>(`watch ${path}`, done =>
      this.#client.exists(
        path,
        () => fired.resolve(performance.now()),
        (error, found) => done(error, found),
      ),
    )
    const event = () =>
      this.#within<number>(`the watch of ${path}`, done => {
        fired.promise.then(at => done(undefined, at))
      })
    return { there: stat !== null, event }
  }

  #within<T>(what: string, start: (done: Done<T>) => void): Promise<T> {
    return inTime<T>({ ...this.#options, what, server: this.server }, (resolve, reject) =>
      start((error, value) => (error ? reject(this.#errorOf(error, what)) : resolve(value))),
    )
  }

  #errorOf(error: unknown, what: string): KmigError {
    if (error instanceof KmigError) return error
    const code = (error as Partial<zookeeper.Exception>).getCode?.()
    const where = `${what} at ${this.server}`
    if (code === undefined || code === CODE.ConnectionLoss) {
      return new KmigError('DISCONNECTED', `${where}: ${messageOf(error)}`, { cause: error })
    }
    return codeError(code, where)
  }

  /** Ends the session: its ephemerals go. Where the server does not answer, the socket is cut, or it would live on. */
  async [Symbol.asyncDispose](): Promise<void> {
    const gone = new Promise<void>(resolve => this.#client.once('disconnected', resolve))
    this.#client.close()
    const late = Promise.withResolvers<void>()
    const timer = setTimeout(late.resolve, CLOSE_MS)
    await Promise.race([gone, late.promise])
    clearTimeout(timer)
    const inside = this.#client as unknown as { connectionManager?: { socket?: { destroy(): void } } }
    inside.connectionManager?.socket?.destroy()
  }
}
