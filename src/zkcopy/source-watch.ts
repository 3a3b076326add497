import { onAbort } from '../kit/index.ts'
import {
  belowPath,
  CODE,
  must,
  type SessionEvent,
  sync,
  type WatchEvent,
  ZkSession,
} from '../zookeeper/index.ts'
import { type End, sessionOf } from './ensembles.ts'
import { TreeReader } from './tree-reader.ts'

export type SourceWatchOptions = {
  signal: AbortSignal
  /** How long no server may answer before it gives up. */
  withinMs: number
  on?: ((event: SessionEvent) => void) | undefined
}

/**
 * What changes below a root, as its servers tell it: paths only, each once until it is taken. What happens while no
 * connection is there is not told; `missed` says so. ACLs that are set are never told. Needs servers from 3.6.
 */
export class SourceWatch implements AsyncDisposable {
  readonly session: ZkSession
  /** Reads through the session that was told: another one may be at a server that does not know of it yet. */
  readonly reader: TreeReader
  /** Whether something may have happened that was not told. */
  missed = false
  /** When something was told last; at first when the watch was set. As performance.now(). */
  changedAt = performance.now()
  #root: string
  #dirty = new Map<string, number>()
  #wake: (() => void) | undefined

  private constructor(end: End, session: ZkSession) {
    this.#root = end.chroot
    this.session = session
    this.reader = new TreeReader([session], { multiRead: true })
  }

  /** Undefined where the servers have no such watch. Throws UNREACHABLE, AUTHENTICATION. */
  static async open(end: End, options: SourceWatchOptions): Promise<SourceWatch | undefined> {
    let watch: SourceWatch | undefined
    const session = await ZkSession.open({
      ...sessionOf(end),
      signal: options.signal,
      withinMs: options.withinMs,
      onWatch: event => {
        if (watch) watch.#note(event)
      },
      on: event => {
        if (watch) watch.#connection(event)
        options.on?.(event)
      },
    })
    watch = new SourceWatch(end, session)
    try {
      const { code } = await session.watch(end.chroot)
      if (code === CODE.Ok) return watch
    } catch (e) {
      await session.close()
      throw e
    }
    await session.close()
    return undefined
  }

  /** Told and not taken yet. */
  get pending(): number {
    return this.#dirty.size
  }

  /** Takes up to so many paths below the root, parents before children, each with the time at which it was told. */
  take(most: number): Map<string, number> {
    const taken = new Map([...this.#dirty].slice(0, most).sort(([a], [b]) => (a < b ? -1 : 1)))
    for (const path of taken.keys()) this.#dirty.delete(path)
    return taken
  }

  /** zxid of which all, and of all before it, was told by now. */
  async told(): Promise<bigint> {
    must(await this.session.call(sync, { path: '/' }), `sync at ${this.session.address}`)
    return this.session.lastZxid
  }

  /** Resolves when something is told or a connection is made again, at the latest after `ms`. */
  async wait(ms: number, signal: AbortSignal): Promise<void> {
    if (this.#dirty.size > 0 || signal.aborted) return
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#wake = resolve
    const timer = setTimeout(resolve, ms)
    using _ = onAbort(signal, () => resolve())
    await promise
    clearTimeout(timer)
    this.#wake = undefined
  }

  #note({ kind, path }: WatchEvent): void {
    if (kind === 'other') return // about the session, not about a znode
    const below = belowPath(this.#root, path)
    const now = performance.now()
    if (!this.#dirty.has(below)) this.#dirty.set(below, now)
    this.changedAt = now
    this.#wake?.()
  }

  #connection({ kind }: SessionEvent): void {
    if (kind === 'lost') this.missed = true
    this.#wake?.()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.session.close()
  }
}
