import type { HostPort } from '../kit/index.ts'
import {
  hasMultiRead,
  type SessionEvent,
  type SessionOptions,
  type ZkAddress,
  ZkSession,
} from '../zookeeper/index.ts'
import { refuseOverlap } from './overlap.ts'
import { syncAll } from './sync-all.ts'
import { TreeReader } from './tree-reader.ts'

/** Who a session is, and how its servers are spoken to. */
export type Login = Pick<SessionOptions, 'auth' | 'tls' | 'sasl'>
export const sessionOf = ({ servers, auth, tls, sasl }: End): Login & Pick<SessionOptions, 'servers'> => ({
  ...{ servers, auth, tls, sasl },
})
/** Several sessions share all servers, so that one of another ensemble is found. */
export const spread = ({ servers }: ZkAddress, i: number): HostPort | undefined => servers[i % servers.length]
/** One side as a user names it. */
export type End = ZkAddress & Login
export type OpenOptions = {
  withinMs?: number | undefined
  /** The same for a session that was open: longer where losing it costs more. Default `withinMs`. */
  lastingMs?: number | undefined
  signal: AbortSignal
  on?: ((side: 'source' | 'target', event: SessionEvent) => void) | undefined
}
const SOURCE_SESSIONS = 8
const TARGET_SESSIONS = 4

/** Sessions to both sides. */
export class Ensembles implements AsyncDisposable {
  readonly from: TreeReader
  readonly to: TreeReader
  readonly writer: ZkSession
  /** The writer's own view of the target. */
  readonly written: TreeReader
  readonly #more: { from: SessionOptions; to: SessionOptions }
  private constructor(
    sides: { from: TreeReader; to: TreeReader; writer: ZkSession; written: TreeReader },
    more: { from: SessionOptions; to: SessionOptions },
  ) {
    this.#more = more
    this.from = sides.from
    this.to = sides.to
    this.writer = sides.writer
    this.written = sides.written
  }

  /** Throws UNREACHABLE, AUTHENTICATION, ZK_OVERLAP. Nothing is written. */
  static async open(from: End, to: End, options: OpenOptions): Promise<Ensembles> {
    await refuseOverlap(from, to, options)
    const [fromBatched, toBatched] = await Promise.all([
      hasMultiRead(quiet(from, options)),
      hasMultiRead(quiet(to, options)),
    ])
    const tell = { source: asOne('source', options), target: asOne('target', options) }
    const begin = (end: End, side: 'source' | 'target', count: number) =>
      Array.from({ length: count }, (_, i) =>
        ZkSession.open({
          ...quiet(end, options),
          first: spread(end, i),
          withinMs: options.lastingMs ?? options.withinMs,
          on: tell[side],
        }),
      )
    const opened = await Promise.allSettled([
      ...begin(from, 'source', SOURCE_SESSIONS),
      ...begin(to, 'target', TARGET_SESSIONS + 1),
    ])
    const sessions = opened.flatMap(result => (result.status === 'fulfilled' ? [result.value] : []))
    const failed = opened.find(result => result.status === 'rejected')
    if (failed) {
      await Promise.all(sessions.map(session => session.close()))
      throw failed.reason
    }
    const writer = sessions.pop() as ZkSession
    const sides = {
      from: new TreeReader(sessions.slice(0, SOURCE_SESSIONS), { multiRead: fromBatched }),
      to: new TreeReader(sessions.slice(SOURCE_SESSIONS), { multiRead: toBatched }),
      writer,
      written: new TreeReader([writer], { multiRead: toBatched }),
    }
    return new Ensembles(sides, { from: quiet(from, options), to: quiet(to, options) })
  }

  /** Brings every reading session up to what its leader has, the source's to `floor` at least; gives the lowest zxid that the source has told. */
  async sync(signal: AbortSignal, floor = 0n): Promise<bigint> {
    const [told] = await Promise.all([
      syncAll(this.from.sessions, { signal, floor, more: this.#more.from }),
      syncAll([...this.to.sessions, this.writer], { signal, more: this.#more.to }),
    ])
    return told
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const all = [...this.from.sessions, ...this.to.sessions, this.writer]
    await Promise.all(all.map(session => session.close()))
  }
}

const quiet = (end: End, { signal, withinMs }: OpenOptions): SessionOptions => ({
  ...sessionOf(end),
  signal,
  withinMs,
})

/** Tells of the sessions of a side as of one: lost with the first, connected again with the last. */
const asOne = (side: 'source' | 'target', { on }: OpenOptions) => {
  let lost = 0
  return (event: SessionEvent): void => {
    if (event.kind === 'lost' && lost++ > 0) return
    if (event.kind === 'reconnected' && --lost > 0) return
    on?.(side, event)
  }
}
