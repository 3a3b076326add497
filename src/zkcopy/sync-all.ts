import { type HostPort, KmigError, parseBootstrap, sleep } from '../kit/index.ts'
import { acceptsSession, must, type SessionOptions, sync, ZkSession } from '../zookeeper/index.ts'

const AGAIN_MS = 20
const STIR_AFTER_MS = 200
const STIR_EVERY_MS = 2_000
/** So often one after the other a server must not know a session of another one: what is lost in an election is not. */
const STRANGE_TIMES = 2
const WITHIN_MS = 30_000

export type SyncOptions = {
  signal: AbortSignal
  floor?: bigint
  /** How one more session is opened there. */
  more: SessionOptions
}

/**
 * Brings sessions of one ensemble up to what its leader has, and none of them behind `floor` or another one: a leader
 * answers a sync as it does a read, without awaiting what it has committed at others and not yet applied itself (source:
 * CommitProcessor, matchSyncs). What it then read could be older than what a watch at another server was set after.
 * Gives the lowest zxid told.
 *
 * After an election with no write since, the leader tells the first zxid of its epoch, and its followers the last one of
 * the epoch before, until something is committed (source: Leader.startZkServer; seen on 3.8.4). What moves them all is a
 * session that begins: that is a transaction, and asks for no right on any znode.
 * Throws TIMEOUT, ZK_CONNECT_STRING (servers of more than one ensemble).
 */
export const syncAll = async (
  sessions: readonly ZkSession[],
  { signal, floor = 0n, more }: SyncOptions,
): Promise<bigint> => {
  const ask = (some: readonly ZkSession[]) =>
    Promise.all(
      some.map(async session => must(await session.call(sync, { path: '/' }), `sync at ${session.address}`)),
    )
  await ask(sessions)
  const most = sessions.reduce((high, { lastZxid }) => (lastZxid > high ? lastZxid : high), floor)
  const startedAt = performance.now()
  let stirAt = startedAt + STIR_AFTER_MS
  let strange = 0
  for (;;) {
    const behind = sessions.filter(({ lastZxid }) => lastZxid < most)
    if (behind.length === 0)
      return sessions.reduce((low, s) => (s.lastZxid < low ? s.lastZxid : low), sessions[0]?.lastZxid ?? 0n)
    if (performance.now() - startedAt > WITHIN_MS) {
      throw new KmigError(
        'TIMEOUT',
        `${behind[0]?.address} is behind the other servers since ${WITHIN_MS / 1_000} s`,
        {
          try: ['look into its log; or leave it out of the connect string'],
        },
      )
    }
    if (performance.now() >= stirAt) {
      const ahead = sessions.find(({ lastZxid }) => lastZxid >= most)
      const foreign = await stir(behind[0] as ZkSession, { ...more, signal }, ahead)
      strange = foreign ? strange + 1 : 0
      if (foreign && strange === STRANGE_TIMES) throw mixed(behind[0] as ZkSession, foreign)
      stirAt = performance.now() + STIR_EVERY_MS
    }
    await sleep(AGAIN_MS, signal)
    await ask(behind)
  }
}

/**
 * Begins a session where one is ahead, and gives its server if the one that is behind does not know of it: they are no
 * members of one ensemble then.
 */
const stir = async (
  behind: ZkSession,
  options: SessionOptions,
  ahead: ZkSession | undefined,
): Promise<string | undefined> => {
  const { signal, tls, withinMs = 10_000 } = options
  const servers = ahead ? parseBootstrap(ahead.address) : options.servers
  try {
    await using session = await ZkSession.open({ ...options, servers })
    const there = parseBootstrap(behind.address)[0] as HostPort
    const known = await acceptsSession(there, session.credentials, { withinMs, tls, signal })
    return known ? undefined : session.address
  } catch {
    signal?.throwIfAborted() // else the sessions that wait tell what is wrong
    return undefined
  }
}

const mixed = (a: ZkSession, b: string): KmigError =>
  new KmigError('ZK_CONNECT_STRING', `${a.address} and ${b} are not servers of one ensemble`, {
    try: ['name servers of one ensemble only'],
  })
