import { KmigError } from '../kit/index.ts'
import {
  CODE,
  exists,
  formatConnectString,
  hasMultiRead,
  must,
  type SessionEvent,
  ZkSession,
} from '../zookeeper/index.ts'
import { type End, sessionOf, spread } from './ensembles.ts'
import { syncAll } from './sync-all.ts'
import { TreeReader } from './tree-reader.ts'

export type OneEnsembleOptions = {
  signal: AbortSignal
  withinMs?: number | undefined
  on?: ((event: SessionEvent) => void) | undefined
}
const READERS = 4

/** Sessions to one ensemble: several that read, and one that may write and reads what it wrote. */
export class OneEnsemble implements AsyncDisposable {
  readonly end: End
  readonly reader: TreeReader
  readonly writer: ZkSession
  /** The writer's own view. */
  readonly written: TreeReader
  private constructor(end: End, sessions: readonly ZkSession[], options: { multiRead: boolean }) {
    this.end = end
    this.reader = new TreeReader(sessions.slice(1), options)
    this.writer = sessions[0] as ZkSession
    this.written = new TreeReader([this.writer], options)
  }

  /** Throws UNREACHABLE, AUTHENTICATION. Nothing is written. */
  static async open(end: End, options: OneEnsembleOptions): Promise<OneEnsemble> {
    const session = { ...sessionOf(end), ...options }
    const multiRead = await hasMultiRead({ ...session, on: undefined })
    const opened = await Promise.allSettled(
      Array.from({ length: READERS + 1 }, (_, i) => ZkSession.open({ ...session, first: spread(end, i) })),
    )
    const sessions = opened.flatMap(result => (result.status === 'fulfilled' ? [result.value] : []))
    const failed = opened.find(result => result.status === 'rejected')
    if (!failed) return new OneEnsemble(end, sessions, { multiRead })
    await Promise.all(sessions.map(each => each.close()))
    throw failed.reason
  }

  get name(): string {
    return formatConnectString(this.end)
  }

  /** Brings every session up to what its leader has; gives the lowest zxid told. */
  async sync(signal: AbortSignal): Promise<bigint> {
    return await syncAll([this.writer, ...this.reader.sessions], { signal, more: sessionOf(this.end) })
  }

  /** Throws ZK_NO_NODE if the root is not there. */
  async mustHaveRoot(): Promise<void> {
    const { chroot } = this.end
    const answer = await this.writer.call(exists, { path: chroot })
    if (answer.code === CODE.NoNode) {
      throw new KmigError('ZK_NO_NODE', `there is no ${chroot} (${this.writer.address})`, {
        try: ['check the chroot: it is what follows the last port'],
      })
    }
    must(answer, `read ${chroot} of ${this.writer.address}`)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.writer, ...this.reader.sessions].map(session => session.close()))
  }
}
