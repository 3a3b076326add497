import { type HostPort, isKmigError, KmigError } from '../kit/index.ts'
import { Connection, type ConnectionOptions } from './connection.ts'

/**
 * One connection per key, opened when first wanted and again after it ended. Callers at the same time share an opening,
 * so it runs on the signal of the whole set, not on theirs.
 */
export class Links implements AsyncDisposable {
  #options: Omit<ConnectionOptions, 'signal'>
  #links = new Map<string, Promise<Connection>>()
  #live = new Set<Connection>()
  #closing = new AbortController()
  /** Told of each request on any of them. */
  onRequest: ((api: string) => void) | undefined
  constructor(options: Omit<ConnectionOptions, 'signal'>) {
    this.#options = options
  }

  get closed(): boolean {
    return this.#closing.signal.aborted
  }

  /** The quickest answer on any of them that are open, ms; infinite before the first. */
  get roundTripMs(): number {
    let least = Number.POSITIVE_INFINITY
    for (const { roundTripMs } of this.#live) least = Math.min(least, roundTripMs)
    return least
  }

  /** `name` says in errors whose address it is. */
  async get(
    key: string,
    name: string,
    address: HostPort,
    signal?: AbortSignal | undefined,
  ): Promise<Connection> {
    signal?.throwIfAborted()
    this.#closing.signal.throwIfAborted()
    const link = this.#links.get(key) ?? this.#open(key, name, address)
    if (!signal) return link
    const { promise, reject } = Promise.withResolvers<never>()
    const abort = () => reject(signal.reason)
    signal.addEventListener('abort', abort, { once: true })
    try {
      return await Promise.race([link, promise])
    } finally {
      signal.removeEventListener('abort', abort)
    }
  }

  #open(key: string, name: string, address: HostPort): Promise<Connection> {
    const opening = Connection.open(address, { ...this.#options, signal: this.#closing.signal }).catch(e => {
      throw isKmigError(e, 'UNREACHABLE', 'DISCONNECTED', 'TIMEOUT')
        ? new KmigError(e.code, `${name} ${e.message}`, { cause: e, try: e.suggestions })
        : e
    })
    this.#links.set(key, opening)
    const forget = () => {
      if (this.#links.get(key) === opening) this.#links.delete(key)
    }
    opening.then(connection => {
      connection.onRequest = this.onRequest
      this.#live.add(connection)
      connection.ended.then(() => this.#live.delete(connection))
      connection.ended.then(forget)
    }, forget)
    return opening
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort(new KmigError('DISCONNECTED', 'the connections to the cluster were closed by kmig'))
    const opened = await Promise.allSettled(this.#links.values())
    await Promise.all(
      opened.map(each => (each.status === 'fulfilled' ? each.value[Symbol.asyncDispose]() : undefined)),
    )
  }
}
