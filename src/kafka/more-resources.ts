import { isKmigError } from '../kit/index.ts'
import type { AskOptions, Cluster } from './cluster.ts'
import { type ConfigEntry, describeConfigs } from './configs.ts'
import { brokerError } from './errors.ts'
import { listGroups } from './groups.ts'
import { ListClientMetricsResources } from './messages/index.ts'

export type ResourceSettings = { name: string; entries: readonly ConfigEntry[] }

/** Subscriptions of client metrics; none before 3.7. Throws AUTHORIZATION without DescribeConfigs on the cluster. */
export const listClientMetrics = async (
  cluster: Cluster,
  options: AskOptions = {},
): Promise<ResourceSettings[]> => {
  try {
    const { errorCode, resources } = await cluster.any(ListClientMetricsResources, {}, options)
    if (errorCode !== 0) throw brokerError(errorCode, 'subscriptions of client metrics')
    const asked = resources.map(({ name }) => ({ kind: 'client-metrics' as const, name }))
    const found = asked.length > 0 ? await describeConfigs(cluster, asked, options) : []
    return [...found].map(([name, entries]) => ({ name, entries }))
  } catch (e) {
    if (isKmigError(e, 'UNSUPPORTED')) return []
    throw e
  }
}

const GROUPS_AT_ONCE = 1_000

/** Settings of groups' own (Kafka 4), of groups that have any. Throws AUTHORIZATION of the first that may not be read. */
export const listGroupSettings = async (
  cluster: Cluster,
  options: AskOptions = {},
): Promise<ResourceSettings[]> => {
  const groups = await listGroups(cluster, options)
  const found: ResourceSettings[] = []
  for (let from = 0; from < groups.length; from += GROUPS_AT_ONCE) {
    const asked = groups
      .slice(from, from + GROUPS_AT_ONCE)
      .map(({ groupId: name }) => ({ kind: 'group' as const, name }))
    const refused = (_: string, error: Error): void => {
      if (isKmigError(error, 'AUTHORIZATION')) throw error // others say that they know of no such settings
    }
    for (const [name, entries] of await describeConfigs(cluster, asked, { ...options, refused }))
      if (entries.some(({ source }) => source === 'dynamic-group')) found.push({ name, entries })
  }
  return found
}
