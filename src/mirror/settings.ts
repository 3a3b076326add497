import { type Cluster, type ConfigEntry, describeConfigs } from '../kafka/index.ts'
import { type During, isKmigError } from '../kit/index.ts'
import type { TopicPlan } from './plan.ts'

/** The longest that a broker can be told to remember a producer: it is an INT of ms. */
const LONGEST_MS = 2_147_483_647n
const HOUR_MS = 3_600_000n

/** What a request has beside its batches, with room to spare. */
export const REQUEST_ROOM = 4_096

export type TargetSettings = {
  /** What they mean for the copy, each with what to do about it. */
  warnings: string[]
  /** Bytes of batches that a request may have: where it has more, a broker ends the connection without a word. */
  requestBytes: number
}

/** The target's own settings. Reads only. Source: MIRROR.md 5.7, SocketServer.scala. */
export const targetSettings = async (
  target: Cluster,
  topics: readonly TopicPlan[],
  { signal }: During,
): Promise<TargetSettings> => {
  const resources = [...target.brokers.keys()].map(nodeId => ({
    kind: 'broker' as const,
    name: String(nodeId),
  }))
  const brokers = await describeConfigs(target, resources, { signal }).then(
    found => [...found.values()],
    ifDenied,
  )
  const sockets = values(brokers, 'socket.request.max.bytes').map(({ value }) => Number(value) - REQUEST_ROOM)
  const requestBytes = Math.min(...sockets.filter(bytes => bytes > 0))
  const unread =
    'the settings of the target’s brokers can’t be read (DescribeConfigs on the cluster is denied): see docs/mirror.md for what they should be'
  const warnings =
    brokers.length === 0
      ? [unread]
      : [...memoryWarnings(brokers), ...electionWarnings(brokers), ...replicaWarnings(brokers, topics)]
  return { warnings, requestBytes }
}

const ifDenied = (e: unknown): ConfigEntry[][] => {
  if (isKmigError(e, 'AUTHORIZATION')) return []
  throw e
}

const values = (brokers: readonly (readonly ConfigEntry[])[], name: string): ConfigEntry[] =>
  brokers.flatMap(entries => entries.filter(entry => entry.name === name))

/**
 * A broker forgets a producer by the time of its records, and then no longer refuses a stray repeat of old ones. Every
 * start reads the target back because of that; the setting makes it rarer.
 */
const memoryWarnings = (brokers: readonly (readonly ConfigEntry[])[]): string[] => {
  const set = values(brokers, 'producer.id.expiration.ms')
  if (set.length === 0) {
    return [
      'the target has no producer.id.expiration.ms (before 3.4 it goes by transactional.id.expiration.ms, 7 days, static): records older than that are guarded by read-back alone',
    ]
  }
  const short = set.filter(({ value }) => BigInt(value ?? 0) < LONGEST_MS)
  if (short.length === 0) {
    const dynamic = set.some(({ source }) => source !== 'static')
    return dynamic
      ? [
          'producer.id.expiration.ms is raised dynamically on the target: a broker that restarts still forgets producers of records older than its static value',
        ]
      : []
  }
  const least = short.map(({ value }) => BigInt(value ?? 0)).reduce((a, b) => (a < b ? a : b))
  return [
    `producer.id.expiration.ms is ${least / HOUR_MS} h on the target: copying records older than that is guarded by read-back alone. To narrow the window: kafka-configs --alter --entity-type brokers --entity-default --add-config producer.id.expiration.ms=${LONGEST_MS} (covers sweeps; set it statically to cover restarts too)`,
  ]
}

const electionWarnings = (brokers: readonly (readonly ConfigEntry[])[]): string[] =>
  values(brokers, 'unclean.leader.election.enable').some(({ value }) => value === 'true')
    ? [
        'unclean.leader.election.enable=true on the target: an election can lose acknowledged records; the mirror finds that and copies them again, clients after the cutover would not',
      ]
    : []

const replicaWarnings = (
  brokers: readonly (readonly ConfigEntry[])[],
  topics: readonly TopicPlan[],
): string[] => {
  const general = Math.min(...values(brokers, 'min.insync.replicas').map(({ value }) => Number(value ?? 1)))
  const weak = topics.filter(
    ({ replicationFactor, configs }) =>
      replicationFactor > 1 && Number(configs.final['min.insync.replicas'] ?? general) <= 1,
  )
  if (weak.length === 0) return []
  const names = weak.slice(0, 5).map(({ topic }) => topic)
  const more = weak.length > names.length ? ` and ${weak.length - names.length} more` : ''
  return [
    `min.insync.replicas=1 with more replicas (${names.join(', ')}${more}): a record may be acknowledged by one broker alone and lost with it`,
  ]
}
