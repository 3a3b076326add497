import { KmigError } from '../kit/index.ts'
import type { Tolerance } from './by-leader.ts'
import type { AskOptions, Cluster } from './cluster.ts'
import { brokerError, ERROR } from './errors.ts'
import { ALTER, DescribeConfigs, IncrementalAlterConfigs, RESOURCE } from './messages/index.ts'

/** Where a value comes from, the strongest first. Source: DescribeConfigsResponse.ConfigSource. */
export type ConfigSource =
  | 'dynamic-topic'
  | 'dynamic-broker'
  | 'dynamic-default-broker'
  | 'static'
  | 'default'
  | 'dynamic-group'
  | 'other'
const SOURCES: readonly ConfigSource[] = [
  'other',
  'dynamic-topic',
  'dynamic-broker',
  'dynamic-default-broker',
  'static',
  'default',
  'other',
  'other',
  'dynamic-group',
]

export type ConfigEntry = {
  name: string
  /** null where the server hides it. */
  value: string | null
  source: ConfigSource
  readOnly: boolean
  sensitive: boolean
}
/** A topic, or a broker by its node id; the broker named '' stands for the default of all brokers. */
export type ConfigResource = { kind: keyof typeof RESOURCE; name: string }
const kindOf = (type: number): ConfigResource['kind'] =>
  (Object.keys(RESOURCE) as ConfigResource['kind'][]).find(kind => RESOURCE[kind] === type) ?? 'broker'

const failure = (
  { kind, name }: ConfigResource,
  [what, operation]: readonly [string, 'DescribeConfigs' | 'AlterConfigs'],
  code: number,
  detail: string | null,
) =>
  code === ERROR.UNKNOWN_TOPIC_OR_PARTITION
    ? new KmigError('TOPIC_MISSING', `${what} of topic '${name}': it does not exist`)
    : brokerError(
        code,
        `${what} of ${kind} '${name}'`,
        detail,
        `${operation} on ${kind === 'topic' || kind === 'group' ? `${kind} ${name}` : 'the cluster'}`,
      )

const READ = ['settings', 'DescribeConfigs'] as const
const CHANGE = ['change of settings', 'AlterConfigs'] as const

/** A broker's own settings are asked of that broker, all others of any. */
const at = ({ kind, name }: ConfigResource): number | undefined =>
  kind === 'broker' && name !== '' ? Number(name) : undefined

/**
 * All settings of topics and brokers, with where each value comes from; keyed by the resource's name.
 * Throws TOPIC_MISSING, AUTHORIZATION, BROKER of the first that can't be had; with `refused` all are told instead.
 */
export const describeConfigs = async (
  cluster: Cluster,
  resources: readonly ConfigResource[],
  { refused, ...options }: AskOptions & Tolerance = {},
): Promise<Map<string, ConfigEntry[]>> => {
  const found = new Map<string, ConfigEntry[]>()
  for (const [nodeId, share] of Map.groupBy(resources, at)) {
    const asked = share.map(({ kind, name }) => ({ type: RESOURCE[kind], name }))
    const request = { resources: asked }
    const { results } =
      nodeId === undefined
        ? await cluster.any(DescribeConfigs, request, options)
        : await cluster.broker(nodeId, DescribeConfigs, request, options)
    for (const { name, type, errorCode, errorMessage, configs } of results) {
      const resource: ConfigResource = { kind: kindOf(type), name }
      if (errorCode !== 0) {
        const error = failure(resource, READ, errorCode, errorMessage)
        if (!refused) throw error
        refused(name, error)
        continue
      }
      found.set(
        name,
        configs.map(({ name, value, source, readOnly, isSensitive }) => {
          return { name, value, source: SOURCES[source] ?? 'other', readOnly, sensitive: isSensitive }
        }),
      )
    }
  }
  return found
}

/** All settings of topics, keyed by topic. */
export const describeTopicConfigs = (
  cluster: Cluster,
  topics: readonly string[],
  options: AskOptions & Tolerance = {},
): Promise<Map<string, ConfigEntry[]>> =>
  describeConfigs(
    cluster,
    topics.map(name => ({ kind: 'topic', name })),
    options,
  )

export type ConfigChange = {
  set?: Readonly<Record<string, string>> | undefined
  /** These go back to their defaults. */
  delete?: readonly string[] | undefined
}

/** Changes some settings of a topic or broker and leaves the others. Throws TOPIC_MISSING, AUTHORIZATION, BROKER. */
export const alterConfigs = async (
  cluster: Cluster,
  resource: ConfigResource,
  change: ConfigChange,
  options: AskOptions = {},
): Promise<void> => {
  const configs = [
    ...Object.entries(change.set ?? {}).map(([name, value]) => ({ name, operation: ALTER.set, value })),
    ...(change.delete ?? []).map(name => ({ name, operation: ALTER.delete })),
  ]
  if (configs.length === 0) return
  const nodeId = at(resource)
  const request = { resources: [{ type: RESOURCE[resource.kind], name: resource.name, configs }] }
  const { resources } =
    nodeId === undefined
      ? await cluster.any(IncrementalAlterConfigs, request, options)
      : await cluster.broker(nodeId, IncrementalAlterConfigs, request, options)
  for (const { errorCode, errorMessage } of resources) {
    if (errorCode !== 0) throw failure(resource, CHANGE, errorCode, errorMessage)
  }
}

/** Changes some settings of a topic and leaves the others. */
export const alterTopicConfigs = (
  cluster: Cluster,
  topic: string,
  change: ConfigChange,
  options: AskOptions = {},
): Promise<void> => alterConfigs(cluster, { kind: 'topic', name: topic }, change, options)

/** Resources of one request. */
const TRIED_AT_ONCE = 500

/** What the cluster would refuse to set on these topics, each with the error of its first setting; changes nothing. */
export const tryTopicConfigs = async (
  cluster: Cluster,
  topics: ReadonlyMap<string, Readonly<Record<string, string>>>,
  options: AskOptions = {},
): Promise<Map<string, KmigError>> => {
  const all = [...topics].map(([name, set]) => ({
    type: RESOURCE.topic,
    name,
    configs: Object.entries(set).map(([key, value]) => ({ name: key, operation: ALTER.set, value })),
  }))
  const found = new Map<string, KmigError>()
  for (let from = 0; from < all.length; from += TRIED_AT_ONCE) {
    const request = { resources: all.slice(from, from + TRIED_AT_ONCE), validateOnly: true }
    const { resources } = await cluster.any(IncrementalAlterConfigs, request, options)
    for (const { name, errorCode, errorMessage } of resources)
      if (errorCode !== 0) found.set(name, failure({ kind: 'topic', name }, CHANGE, errorCode, errorMessage))
  }
  return found
}
