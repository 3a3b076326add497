import { Cluster, type ClusterAddress } from '../kafka/index.ts'
import { type During, isKmigError, KmigError } from '../kit/index.ts'
import { logEnds, type Where } from './log-ends.ts'

/** Longer than it takes to elect leaders anew. */
const WITHIN_MS = 20_000
const GONE = ['UNREACHABLE', 'TIMEOUT', 'DISCONNECTED', 'BROKER'] as const

export const isGone = (e: unknown): e is KmigError => isKmigError(e, ...GONE)

export type AwayOptions = During & {
  address: ClusterAddress
  /** As it was when the run began. */
  clusterId: string
  wheres: readonly Where[]
  withinMs?: number | undefined
}

/**
 * Why a cluster can't be gone on with, found in bounded time: no broker answers, another cluster does, or a partition has
 * no leader. Undefined: it can. Throws what is wrong with the credentials.
 */
export const whyAway = async (o: AwayOptions): Promise<KmigError | undefined> => {
  const { address, clusterId, wheres, withinMs = WITHIN_MS, signal } = o
  const limit = AbortSignal.timeout(withinMs)
  const both = AbortSignal.any([signal, limit])
  try {
    await using cluster = await Cluster.open({ ...address, signal: both })
    if (cluster.clusterId !== clusterId) {
      const what = `cluster ${cluster.clusterId} answers there now, and not ${clusterId}`
      return new KmigError('UNREACHABLE', what)
    }
    await logEnds(cluster, wheres, { signal: both })
    return undefined
  } catch (e) {
    signal.throwIfAborted()
    if (limit.aborted) {
      const what = `not every partition has a leader that answers within ${withinMs / 1_000} s`
      return new KmigError('UNREACHABLE', what)
    }
    if (isGone(e)) return e
    throw e
  }
}
