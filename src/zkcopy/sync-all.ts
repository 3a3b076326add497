import { KmigError, sleep } from '../kit/index.ts'
import { must, sync, type ZkSession } from '../zookeeper/index.ts'

const AGAIN_MS = 20
const WITHIN_MS = 30_000

/**
 * Brings sessions of one ensemble up to what its leader has, and none of them behind `floor` or another one: a leader
 * answers a sync as it does a read, without awaiting what it has committed at others and not yet applied itself (source:
 * CommitProcessor, matchSyncs). What it then read could be older than what a watch at another server was set after.
 * Gives the lowest zxid told.
 * Throws TIMEOUT.
 */
export const syncAll = async (
  sessions: readonly ZkSession[],
  { signal, floor = 0n }: { signal: AbortSignal; floor?: bigint },
): Promise<bigint> => {
  const ask = (some: readonly ZkSession[]) =>
    Promise.all(
      some.map(async session => must(await session.call(sync, { path: '/' }), `sync at ${session.address}`)),
    )
  await ask(sessions)
  const most = sessions.reduce((high, { lastZxid }) => (lastZxid > high ? lastZxid : high), floor)
  const startedAt = performance.now()
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
    await sleep(AGAIN_MS, signal)
    await ask(behind)
  }
}
