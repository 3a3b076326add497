import { backoffMs, isKmigError, KmigError, sleep } from '../kit/index.ts'
import type { AskOptions, Cluster } from './cluster.ts'
import { brokerError, ERROR, isRetriable } from './errors.ts'
import { CreatePartitions, CreateTopics, DeleteTopics, EARLIEST } from './messages/index.ts'
import type { TopicMetadata } from './routes.ts'

/** `configs` are those that differ from the cluster's defaults. */
export type NewTopic = {
  name: string
  partitions: number
  replicationFactor: number
  configs?: Readonly<Record<string, string>> | undefined
}

const BROKER_MS = 30_000
type Verdict = { name: string; errorCode: number; errorMessage: string | null }

/** Told of a topic that the cluster refuses; without it the first such error is thrown. */
export type TopicRefused = { refused?: ((topic: string, error: KmigError) => void) | undefined }

/**
 * Sends a request about several topics until each has an answer that stays. `settled` is the code that, after a try of
 * unknown outcome, means that this try had done it. Gives the topics that were not refused.
 */
const perTopic = async <T extends { name: string }>(
  cluster: Cluster,
  topics: readonly T[],
  { refused, ...options }: AskOptions & TopicRefused,
  work: {
    what: string
    needs: string
    settled?: number
    send: (topics: readonly T[], once: AskOptions) => Promise<readonly Verdict[]>
  },
): Promise<T[]> => {
  const bad = new Set<string>()
  let left = [...topics]
  if (left.length === 0) return []
  let perhapsDone = false
  await cluster.retrying(options, async (attempt, remaining) => {
    if (attempt > 0) await cluster.metadata([], remaining)
    // One try of the request itself: a repeat must be told from a first try, whose "exists" is somebody else's.
    const verdicts = await work.send(left, { ...remaining, withinMs: 0 }).catch(e => {
      perhapsDone ||= isKmigError(e, 'DISCONNECTED', 'TIMEOUT')
      throw e
    })
    const again: Verdict[] = []
    for (const verdict of verdicts) {
      const { name, errorCode, errorMessage } = verdict
      if (errorCode === ERROR.NONE || (perhapsDone && errorCode === work.settled)) continue
      const passing = errorCode !== ERROR.UNKNOWN_TOPIC_OR_PARTITION && isRetriable(errorCode)
      if (passing) again.push(verdict)
      else {
        const error = failure(work, name, errorCode, errorMessage)
        if (!refused) throw error
        bad.add(name)
        refused(name, error)
      }
    }
    perhapsDone ||= again.some(({ errorCode }) => errorCode === ERROR.REQUEST_TIMED_OUT)
    left = left.filter(({ name }) => again.some(verdict => verdict.name === name))
    const [first] = again
    if (first) throw failure(work, first.name, first.errorCode, first.errorMessage)
  })
  return topics.filter(({ name }) => !bad.has(name))
}

/** Brokers refuse to make more partitions than 10,000 at a time. */
const PARTITIONS_AT_ONCE = 5_000

/** In shares that one request may ask for. */
export const shares = <T extends { partitions: number }>(topics: readonly T[]): T[][] => {
  const all: T[][] = []
  let left = 0
  for (const topic of topics) {
    const share = all.at(-1)
    left -= topic.partitions
    if (share && left >= 0) share.push(topic)
    else {
      all.push([topic])
      left = PARTITIONS_AT_ONCE - topic.partitions
    }
  }
  return all
}

const failure = (
  { what, needs }: { what: string; needs: string },
  name: string,
  errorCode: number,
  detail: string | null,
): KmigError =>
  errorCode === ERROR.UNKNOWN_TOPIC_OR_PARTITION
    ? new KmigError('TOPIC_MISSING', `${what} of topic '${name}': it does not exist`)
    : brokerError(errorCode, `${what} of topic '${name}'`, detail, `${needs} on topic ${name}`)

const creation = ({ name, partitions, replicationFactor, configs = {} }: NewTopic) => ({
  name,
  partitions,
  replicationFactor,
  configs: Object.entries(configs).map(([key, value]) => ({ name: key, value })),
})
const CREATION = { what: 'creation', needs: 'Create' }

/**
 * Creates topics and waits until each partition has a leader that takes requests; gives their metadata, ids included.
 * Throws BROKER (TOPIC_ALREADY_EXISTS, INVALID_CONFIG, POLICY_VIOLATION, ...), AUTHORIZATION; with `refused` all of these
 * are told instead.
 */
export const createTopics = async (
  cluster: Cluster,
  topics: readonly NewTopic[],
  options: AskOptions & TopicRefused = {},
): Promise<TopicMetadata[]> => {
  const asked: NewTopic[] = []
  for (const share of shares(topics)) {
    const work = {
      ...CREATION,
      settled: ERROR.TOPIC_ALREADY_EXISTS,
      send: async (left: readonly NewTopic[], once: AskOptions) => {
        const request = { topics: left.map(creation), timeoutMs: BROKER_MS }
        return (await cluster.controller(CreateTopics, request, once)).topics
      },
    }
    asked.push(...(await perTopic(cluster, share, options, work)))
  }
  const names = asked.map(({ name }) => name)
  const made = await until(cluster, names, options, 'has no leader yet', found => {
    const wanted = topics.find(({ name }) => name === found.name)?.partitions
    const led = found.partitions.filter(({ leader }) => leader >= 0)
    return found.error === ERROR.NONE && led.length >= (wanted ?? 0)
  })
  await ready(cluster, made, options)
  return made
}

const NO_REFUSAL: readonly number[] = [ERROR.NONE, ERROR.TOPIC_ALREADY_EXISTS]

/**
 * What the cluster would refuse to create, each with the error; makes nothing. What may pass is no refusal, nor is that a
 * topic is there by now: somebody made it after the caller looked.
 */
export const tryTopics = async (
  cluster: Cluster,
  topics: readonly NewTopic[],
  options: AskOptions = {},
): Promise<Map<string, KmigError>> => {
  const found = new Map<string, KmigError>()
  for (const share of shares(topics)) {
    const request = { topics: share.map(creation), timeoutMs: BROKER_MS, validateOnly: true }
    for (const { name, errorCode, errorMessage } of (await cluster.controller(CreateTopics, request, options))
      .topics)
      if (!NO_REFUSAL.includes(errorCode) && !isRetriable(errorCode))
        found.set(name, failure(CREATION, name, errorCode, errorMessage))
  }
  return found
}

/** Deletes topics and waits until no broker that is asked knows them. Throws TOPIC_MISSING, BROKER, AUTHORIZATION. */
export const deleteTopics = async (
  cluster: Cluster,
  names: readonly string[],
  options: AskOptions = {},
): Promise<void> => {
  const topics = names.map(name => ({ name }))
  await perTopic(cluster, topics, options, {
    what: 'deletion',
    needs: 'Delete',
    settled: ERROR.UNKNOWN_TOPIC_OR_PARTITION,
    send: async (left, once) => {
      const request = { names: left.map(({ name }) => name), timeoutMs: BROKER_MS }
      return (await cluster.controller(DeleteTopics, request, once)).topics
    },
  })
  await until(cluster, names, options, 'is still there', ({ error }) => {
    return error === ERROR.UNKNOWN_TOPIC_OR_PARTITION
  })
}

/** Raises the number of partitions of a topic to `partitions` and waits until each has a leader. Throws BROKER, ... */
export const createPartitions = async (
  cluster: Cluster,
  topics: readonly { name: string; partitions: number }[],
  options: AskOptions & TopicRefused = {},
): Promise<TopicMetadata[]> => {
  const asked = await perTopic(cluster, topics, options, {
    what: 'growth',
    needs: 'Alter',
    settled: INVALID_PARTITIONS,
    send: async (left, once) => {
      const asked = left.map(({ name, partitions }) => ({ name, count: partitions }))
      const request = { topics: asked, timeoutMs: BROKER_MS }
      return (await cluster.controller(CreatePartitions, request, once)).topics
    },
  })
  const names = asked.map(({ name }) => name)
  const grown = await until(cluster, names, options, 'has too few partitions with a leader', found => {
    const wanted = topics.find(({ name }) => name === found.name)?.partitions ?? 0
    return found.partitions.filter(({ leader }) => leader >= 0).length >= wanted
  })
  await ready(cluster, grown, options)
  return grown
}
const INVALID_PARTITIONS = 37

/** A broker may be named as leader before it knows so itself, and would refuse the first batches. */
const ready = async (
  cluster: Cluster,
  topics: readonly TopicMetadata[],
  { timeoutMs, withinMs, signal }: AskOptions,
) => {
  const asks = topics.flatMap(({ name, partitions }) =>
    partitions.map(({ partition }) => ({ topic: name, partition, timestamp: EARLIEST })),
  )
  await cluster.listOffsets(asks, { timeoutMs, withinMs, signal })
}

const until = async (
  cluster: Cluster,
  names: readonly string[],
  options: AskOptions,
  otherwise: string,
  done: (topic: TopicMetadata) => boolean,
): Promise<TopicMetadata[]> => {
  const end = performance.now() + (options.withinMs ?? BROKER_MS)
  for (let attempt = 0; ; attempt++) {
    const found = names.length === 0 ? [] : await cluster.metadata(names, options)
    const open = found.find(topic => !done(topic))
    if (!open) return found
    if (performance.now() > end) throw new KmigError('TIMEOUT', `topic '${open.name}' ${otherwise}`)
    await sleep(backoffMs(attempt, { firstMs: 20, maxMs: 500 }), options.signal)
  }
}
