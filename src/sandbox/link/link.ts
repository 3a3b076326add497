import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { type Deferred, deferred, KmigError } from '../../kit/index.ts'
import {
  type Answer,
  type Call,
  type Calls,
  type Counters,
  DIRECTIONS,
  type Direction,
  type Endpoint,
  type Shape,
} from './shape.ts'

/** Beside this file, in the form that this file itself has: sources or built. */
const PROCESS = fileURLToPath(
  new URL(import.meta.url.endsWith('.ts') ? './process.ts' : './process.js', import.meta.url),
)

export type LinkOptions = { listen: Endpoint; target: Endpoint; seed?: number }

/**
 * A TCP proxy before a server, in a process of its own, so that it takes no time from the loop under measurement. It
 * can be slow, hold bytes and reset; it can't lose or reorder packets. Each change resolves when it is in effect, with
 * the counters as evidence. Throws SANDBOX if the proxy has ended.
 */
export class Link implements AsyncDisposable {
  readonly address: string
  readonly pid: number
  #process: ChildProcess
  #waiting = new Map<number, Deferred<Counters>>()
  #nextId = 0
  private constructor(process: ChildProcess, { host, port }: Endpoint) {
    this.#process = process
    this.pid = process.pid ?? 0
    this.address = `${host}:${port}`
    process.on('message', (answer: Answer) => {
      const waiting = this.#waiting.get(answer.id)
      this.#waiting.delete(answer.id)
      if ('error' in answer) waiting?.reject(this.#failed(answer.error))
      else waiting?.resolve(answer.counters)
    })
    process.on('exit', code => this.#ended(`its process ended with ${code}`))
    process.on('error', e => this.#ended(e.message))
  }

  /** Listens at `listen` and connects each client to `target`. `seed` of the jitter: default 1. */
  static async open(options: LinkOptions): Promise<Link> {
    const { listen, target, seed = 1 } = options
    const child = fork(PROCESS, {
      detached: true,
      execArgv: [],
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    })
    const link = new Link(child, listen)
    try {
      await link.#call('listen', { listen, target, seed })
      return link
    } catch (e) {
      await link[Symbol.asyncDispose]()
      throw e
    }
  }

  /** Changes one direction, or both. What is not named stays. */
  shape(change: Partial<Shape>, direction?: Direction): Promise<Counters> {
    return this.#call('shape', { change, directions: direction ? [direction] : DIRECTIONS })
  }

  /** Holds bytes, FIN and RST, as a cable that is pulled; one direction: half-open. */
  cut(direction?: Direction): Promise<Counters> {
    return this.shape({ cut: true }, direction)
  }

  /** Delivers what was held and goes on. */
  heal(direction?: Direction): Promise<Counters> {
    return this.shape({ cut: false }, direction)
  }

  /** Ends all connections by RST; with `after`, the one that carries the byte after so many more. */
  reset(after?: { direction: Direction; bytes: number }): Promise<Counters> {
    return this.#call('reset', after ? { after } : {})
  }

  /** `on`: new connections are refused as by a host without a listener; open ones go on. */
  refuse(on: boolean): Promise<Counters> {
    return this.#call('refuse', { on })
  }

  counters(): Promise<Counters> {
    return this.#call('counters', {})
  }

  #call<K extends keyof Calls>(call: K, args: Calls[K]): Promise<Counters> {
    const id = this.#nextId++
    const answer = deferred<Counters>()
    this.#waiting.set(id, answer)
    if (this.#process.connected) this.#process.send({ id, call, args } as Call)
    else this.#ended('its process has ended')
    return answer.promise
  }

  #ended(why: string): void {
    for (const waiting of this.#waiting.values()) waiting.reject(this.#failed(why))
    this.#waiting.clear()
  }

  #failed(why: string): KmigError {
    return new KmigError('SANDBOX', `the link at ${this.address}: ${why}`)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return
    const exit = once(this.#process, 'exit')
    this.#process.kill('SIGKILL')
    await exit
  }
}
