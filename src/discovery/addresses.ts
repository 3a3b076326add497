import { Cluster, type ClusterAddress } from '../kafka/index.ts'
import { formatHostPort, isKmigError, KmigError } from '../kit/index.ts'
import type { ClusterAddresses } from './match.ts'

export type NamedCluster = ClusterAddress & { zookeeper?: string | undefined }

const TIMEOUT_MS = 10_000

/**
 * By what an entry is told to name a cluster: its bootstrap, and what its brokers advertise. `offline` asks nobody, so
 * that a cluster that is down can still be named. Throws UNREACHABLE.
 */
export const addressesOf = async (
  cluster: NamedCluster,
  { offline, signal }: { offline: boolean; signal: AbortSignal },
): Promise<ClusterAddresses> => {
  const bootstrap = cluster.bootstrap.map(formatHostPort)
  if (offline) return { brokers: bootstrap, zookeeper: cluster.zookeeper }
  try {
    await using open = await Cluster.open({ ...cluster, timeoutMs: TIMEOUT_MS, signal })
    const advertised = [...open.brokers.values()].map(formatHostPort)
    return { brokers: [...new Set([...bootstrap, ...advertised])], zookeeper: cluster.zookeeper }
  } catch (e) {
    if (!isKmigError(e, 'UNREACHABLE')) throw e
    throw new KmigError('UNREACHABLE', e.message, {
      try: ['--offline: match by the bootstrap addresses alone', ...e.suggestions],
      cause: e,
    })
  }
}
