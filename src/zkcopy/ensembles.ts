import { KmigError } from '../kit/index.ts'
import {
  acceptsSession,
  CODE,
  childPath,
  exists,
  formatConnectString,
  getChildren,
  hasMultiRead,
  isWithin,
  type SessionEvent,
  type SessionOptions,
  type ZkAddress,
  ZkSession,
} from '../zookeeper/index.ts'
import { syncAll } from './sync-all.ts'
import { TreeReader } from './tree-reader.ts'

/** Who a session is, and how its servers are spoken to. */
export type Login = Pick<SessionOptions, 'auth' | 'tls' | 'sasl'>
export const sessionOf = ({ servers, auth, tls, sasl }: End): Login & Pick<SessionOptions, 'servers'> => ({
  ...{ servers, auth, tls, sasl },
})
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
  private constructor(sides: { from: TreeReader; to: TreeReader; writer: ZkSession; written: TreeReader }) {
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
    const ends = [...Array(SOURCE_SESSIONS).fill(from), ...Array(TARGET_SESSIONS + 1).fill(to)] as End[]
    const opened = await Promise.allSettled(
      ends.map(end => {
        const side = end === from ? 'source' : 'target'
        return ZkSession.open({
          ...quiet(end, options),
          withinMs: options.lastingMs ?? options.withinMs,
          on: tell[side],
        })
      }),
    )
    const sessions = opened.flatMap(result => (result.status === 'fulfilled' ? [result.value] : []))
    const failed = opened.find(result => result.status === 'rejected')
    if (failed) {
      await Promise.all(sessions.map(session => session.close()))
      throw failed.reason
    }
    const writer = sessions.pop() as ZkSession
    return new Ensembles({
      from: new TreeReader(sessions.slice(0, SOURCE_SESSIONS), { multiRead: fromBatched }),
      to: new TreeReader(sessions.slice(SOURCE_SESSIONS), { multiRead: toBatched }),
      writer,
      written: new TreeReader([writer], { multiRead: toBatched }),
    })
  }

  /** Brings every reading session up to what its leader has, the source's to `floor` at least; gives the lowest zxid that the source has told. */
  async sync(signal: AbortSignal, floor = 0n): Promise<bigint> {
    const [told] = await Promise.all([
      syncAll(this.from.sessions, { signal, floor }),
      syncAll([...this.to.sessions, this.writer], { signal }),
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

/**
 * Refuses roots of which one lies in the other on the same ensemble. Names prove nothing, as an ensemble has many
 * addresses: a session of the source is offered to each server of the target, and only a member knows it.
 */
const refuseOverlap = async (from: End, to: End, options: OpenOptions): Promise<void> => {
  if (!isWithin(from.chroot, to.chroot) && !isWithin(to.chroot, from.chroot)) return
  await using probe = await ZkSession.open(quiet(from, options))
  const withinMs = options.withinMs ?? 10_000
  const known = await Promise.all(
    to.servers.map(server =>
      acceptsSession(server, probe.credentials, { withinMs, tls: to.tls, signal: options.signal }).catch(
        () => false,
      ),
    ),
  )
  const members = to.servers.filter((_, i) => known[i])
  if (members.length === 0 || (await holdsAnother(from, { ...to, servers: members }, options))) return
  const [a, b] = [formatConnectString(from), formatConnectString(to)]
  const how =
    from.chroot === to.chroot
      ? `are both ${from.chroot} of the same ensemble`
      : 'lie one in the other on the same ensemble'
  throw new KmigError('ZK_OVERLAP', `source ${a} and target ${b} ${how}`, {
    try: ['give a target on another ensemble, or a root that neither holds nor lies in the source'],
  })
}

/**
 * Whether the target holds none, or another one, of a znode that the source has: then it is no member of the source's
 * ensemble, whatever it says of a session. Ids of sessions count from the ms of a server's start after its machine's, and
 * passwords are made of ids: servers of two ensembles that started in the same ms take each other's (source:
 * SessionTrackerImpl.initializeNextSessionId, ZooKeeperServer.generatePasswd).
 */
const holdsAnother = async (from: End, to: End, options: OpenOptions): Promise<boolean> => {
  await using a = await ZkSession.open(quiet(from, options))
  await using b = await ZkSession.open(quiet(to, options))
  await syncAll([a], { signal: options.signal })
  const path = await witness(a, from.chroot)
  const here = path && (await a.call(exists, { path }))
  if (!here || here.code !== CODE.Ok) return false
  await syncAll([b], { signal: options.signal })
  const there = await b.call(exists, { path })
  if (there.code === CODE.NoNode) return true
  if (there.code !== CODE.Ok) return false
  return here.value?.czxid !== there.value?.czxid || here.value?.ctimeMs !== there.value?.ctimeMs
}

/** A znode that was made by a transaction: a root is as old as its ensemble, and the same in each. */
const witness = async (session: ZkSession, root: string): Promise<string | undefined> => {
  if (root !== '/') return root
  const names = await session.call(getChildren, { path: '/' })
  const name = names.value?.find(one => one !== 'zookeeper')
  return name && childPath('/', name)
}
