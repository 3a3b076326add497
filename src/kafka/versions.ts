import type { AskOptions, Cluster } from './cluster.ts'
import { brokerError } from './errors.ts'
import { ApiVersions } from './messages/index.ts'

/** Brokers refuse a request without a name. Source: KIP-511. */
const SELF = { clientSoftwareName: 'kmig', clientSoftwareVersion: '0.1.0' }

type Range = { apiKey: number; maxVersion: number }

/**
 * What each version of Kafka was the first to speak: the API's key and version, and by which proposal. No API tells the
 * version itself. Source: the message definitions of Kafka's releases.
 */
const FIRST: readonly (readonly [version: string, key: number, speaks: number, source: string])[] = [
  ['4.1', 0, 13, 'Produce by topic id, KIP-516'],
  ['4.0', 3, 13, 'Metadata, KIP-1102'],
  ['3.9', 1, 17, 'Fetch, KIP-853'],
  ['3.8', 66, 1, 'ListTransactions, KIP-994'],
  ['3.7', 0, 10, 'Produce, KIP-951'],
  ['3.5', 1, 15, 'Fetch, KIP-903'],
  ['3.3', 35, 4, 'DescribeLogDirs, KIP-827'],
  ['3.1', 1, 13, 'Fetch by topic id, KIP-516'],
  ['3.0', 66, 0, 'ListTransactions, KIP-664'],
  ['2.8', 61, 0, 'DescribeProducers, KIP-664'],
  ['2.7', 50, 0, 'DescribeUserScramCredentials, KIP-554'],
  ['2.6', 48, 0, 'DescribeClientQuotas, KIP-546'],
  ['2.4', 46, 0, 'ListPartitionReassignments, KIP-455'],
]

/** The newest version of Kafka that a broker certainly has, as '3.7'; '2.3' for those before 2.4. */
export const versionOf = (apis: readonly Range[]): string => {
  const speaks = new Map(apis.map(({ apiKey, maxVersion }) => [apiKey, maxVersion]))
  return FIRST.find(([, key, version]) => (speaks.get(key) ?? -1) >= version)?.[0] ?? '2.3'
}

/** Whether a version is at least another one: both as '3.7'. */
export const isAtLeast = (version: string, least: string): boolean => {
  const [a = 0, b = 0] = version.split('.').map(Number)
  const [c = 0, d = 0] = least.split('.').map(Number)
  return a > c || (a === c && b >= d)
}

/** The version that each live broker has at least, by node id. */
export const brokerVersions = async (
  cluster: Cluster,
  options: AskOptions = {},
): Promise<Map<number, string>> => {
  await cluster.metadata([], options)
  const rows = [...cluster.brokers.keys()].map(async nodeId => {
    const { errorCode, apiKeys } = await cluster.broker(nodeId, ApiVersions, SELF, options)
    if (errorCode !== 0) throw brokerError(errorCode, `ApiVersions of broker ${nodeId}`)
    return [nodeId, versionOf(apiKeys)] as const
  })
  return new Map(await Promise.all(rows))
}
