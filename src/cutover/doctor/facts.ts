import {
  brokerVersions,
  type Cluster,
  type ConfigEntry,
  describeConfigs,
  describeTopicConfigs,
  type Group,
  listGroups,
  Metadata,
  type ResponseOf,
} from '../../kafka/index.ts'
import { type During, formatDuration, isKmigError, KmigError, messageOf } from '../../kit/index.ts'
import type { Mirror } from '../../mirror/index.ts'
import { type Timed, timed, within } from '../in-time.ts'
import type { Seen } from '../proof/index.ts'

type Answer = ResponseOf<typeof Metadata>
export type Topic = Answer['topics'][number]
export type Partition = Topic['partitions'][number]

/** What one cluster tells of itself. Settings are keyed by topic, or by broker id. */
export type Side = {
  side: 'old' | 'new'
  /** As the operator calls it. */
  name: string
  cluster: Cluster
  brokers: Answer['brokers']
  topics: readonly Topic[]
  topicConfigs: Seen<ReadonlyMap<string, readonly ConfigEntry[]>>
  brokerConfigs: Seen<ReadonlyMap<string, readonly ConfigEntry[]>>
  versions: Seen<ReadonlyMap<number, string>>
  groups: Seen<readonly Group[]>
}

/** Everything that checks look at; gathered once. */
export type Facts = {
  old: Side
  next: Side
  /** Topics that move. */
  moving: ReadonlySet<string>
  plan: Mirror['plan']
}

/** One question may not hold up the others. */
const WITHIN_MS = 15_000
/** The first question, without which there are no others: of one broker after the other, as some may be frozen. */
const FIRST = { withinMs: 60_000, timeoutMs: 5_000 }

/** All that one check asks ends by then, however many brokers don't answer; and all that all of them ask. */
const CHECK_MS = 60_000
const ALL_MS = 90_000

const late = (what: string) => () => new KmigError('TIMEOUT', what)
/** The time that all checks have together, for `tried`: what is not seen by then is unseen. */
export const inAll = (during: During): Timed =>
  timed(
    ALL_MS,
    late(`all checks together have ${formatDuration(ALL_MS)}, and brokers did not answer in that`),
    during,
  )

/** An answer, or why there is none: whatever a server says or does not say is no reason for a doctor to give up. */
export const tried = async <T>(
  ask: (signal: AbortSignal) => Promise<T>,
  { signal }: During,
): Promise<Seen<T>> => {
  using limit = timed(CHECK_MS, late(`no answer within ${formatDuration(CHECK_MS)}`), { signal })
  try {
    limit.signal.throwIfAborted()
    return { kind: 'seen', value: await within(limit.signal, ask(limit.signal)) }
  } catch (e) {
    const calledOff = signal.aborted && !isKmigError(signal.reason, 'TIMEOUT')
    if (!isKmigError(e) || isKmigError(e, 'BUG') || calledOff) throw e
    return { kind: 'unseen', why: messageOf(e) }
  }
}

export const gather = async (
  mirror: Mirror,
  names: { old: string; next: string },
  { signal }: During,
): Promise<Facts> => {
  const moving = new Set(mirror.plan.topics.map(({ topic }) => topic))
  const [old, next] = await Promise.all([
    sideOf('old', names.old, mirror.source, moving, { signal }),
    sideOf('new', names.next, mirror.target, moving, { signal }),
  ])
  return { old, next, moving, plan: mirror.plan }
}

const sideOf = async (
  side: 'old' | 'new',
  name: string,
  cluster: Cluster,
  moving: ReadonlySet<string>,
  { signal }: During,
): Promise<Side> => {
  const within = { signal, withinMs: WITHIN_MS }
  const { brokers, topics } = await cluster.any(Metadata, { topics: null }, { signal, ...FIRST })
  const there = topics.flatMap(({ name, errorCode }) => (errorCode === 0 && name !== null ? [name] : []))
  const resources = brokers.map(({ nodeId }) => ({ kind: 'broker' as const, name: String(nodeId) }))
  const [topicConfigs, brokerConfigs, versions, groups] = await Promise.all([
    tried(
      () =>
        describeTopicConfigs(
          cluster,
          there.filter(topic => moving.has(topic)),
          { ...within, refused: () => {} },
        ),
      { signal },
    ),
    tried(() => describeConfigs(cluster, resources, within), { signal }),
    tried(() => brokerVersions(cluster, within), { signal }),
    tried(() => listGroups(cluster, within), { signal }),
  ])
  return { side, name, cluster, brokers, topics, topicConfigs, brokerConfigs, versions, groups }
}

/** A setting's value. */
export const settingOf = (
  entries: readonly ConfigEntry[] | undefined,
  name: string,
): string | null | undefined => entries?.find(each => each.name === name)?.value

/** Topics of a side that move, under their names. */
export const movingOf = ({ topics }: Side, moving: ReadonlySet<string>): (Topic & { name: string })[] =>
  topics.flatMap(topic =>
    topic.name !== null && topic.errorCode === 0 && moving.has(topic.name)
      ? [{ ...topic, name: topic.name }]
      : [],
  )
