import { backoffMs, isKmigError, KmigError, sleep } from '../kit/index.ts'
import type { Connection } from './connection.ts'
import { brokerError, ERROR, isRetriable, kafkaErrorOf } from './errors.ts'
import { type Leader, partitionKey, partitionOf, type TopicMetadata } from './routes.ts'

/** What the fan-out needs of a cluster. */
export type Leaders = {
  readonly closed: boolean
  leaderOf(topic: string, partition: number): Leader | undefined
  metadata(topics: readonly string[], options: Limits): Promise<TopicMetadata[]>
  connection(nodeId: number, purpose: string, signal?: AbortSignal | undefined): Promise<Connection>
}
export type Limits = {
  timeoutMs?: number | undefined
  withinMs?: number | undefined
  signal?: AbortSignal | undefined
}
export type Ask = { topic: string; partition: number }
export type Answer<R> = { topic: string; partition: number; errorCode: number; value: R }
export type Outcome<R> = { kind: 'ok'; value: R } | { kind: 'error'; errorCode: number; error: Error }

const NETWORK_EXCEPTION = 13
/** A topic that was just made may be unknown to a broker for a moment; after this it is missing. */
const UNKNOWN_TOPIC_MS = 5_000

/** Asks by topic, the way requests list them. */
export const byTopic = <A extends Ask>(asks: readonly A[]): { topic: string; partitions: A[] }[] =>
  [...Map.groupBy(asks, ask => ask.topic)].map(([topic, partitions]) => ({ topic, partitions }))

/** Answers by topic, flattened. */
export const flatten = <P extends object>(
  topics: readonly { topic: string; partitions: readonly P[] }[],
): (P & { topic: string })[] =>
  topics.flatMap(({ topic, partitions }) => partitions.map(each => ({ topic, ...each })))

/**
 * Asks the leaders of many partitions, all brokers at once and one request per broker, and asks again for those whose
 * error can pass, with fresh metadata, until `withinMs` is over. One outcome per partition; throws only on abort.
 */
export const byLeader = async <A extends Ask, R>(
  cluster: Leaders,
  asks: readonly A[],
  { withinMs = 60_000, signal, timeoutMs }: Limits,
  work: {
    /** For errors: what is asked. */
    what: string
    /** The operation on a topic that it takes. */
    needs: string
    send: (to: Connection, asks: A[]) => Promise<Answer<R>[]>
    /** Error codes that are the answer, for this ask, and not tried again. */
    final?: (ask: A, errorCode: number) => boolean
  },
): Promise<Map<string, Outcome<R>>> => {
  const start = performance.now()
  const outcomes = new Map<string, Outcome<R>>()
  const passing = (ask: A, outcome: Outcome<R>): boolean => {
    if (outcome.kind === 'ok' || work.final?.(ask, outcome.errorCode)) return false
    if (isKmigError(outcome.error, 'TOPIC_MISSING')) return performance.now() - start < UNKNOWN_TOPIC_MS
    return isRetriable(outcome.errorCode)
  }
  const troubles = new Map<string, number>()
  let left = [...asks]
  for (let attempt = 0; left.length > 0; attempt++) {
    signal?.throwIfAborted()
    const lookUp = left.filter(ask => attempt > 0 || !cluster.leaderOf(ask.topic, ask.partition))
    const topics = [...new Set(lookUp.map(ask => ask.topic))]
    if (topics.length > 0) {
      const remaining = Math.max(1, withinMs - (performance.now() - start))
      const seen = await cluster
        .metadata(topics, { timeoutMs, signal, withinMs: remaining })
        .catch(noAbort(signal))
      for (const { name, error } of seen) troubles.set(name, error)
    }
    const rounds = [...Map.groupBy(left, ask => cluster.leaderOf(ask.topic, ask.partition)?.nodeId)].map(
      async ([nodeId, share]) =>
        nodeId === undefined
          ? leaderless(share, work, troubles)
          : askOne(cluster, nodeId, share, signal, work),
    )
    for (const each of await Promise.all(rounds)) for (const [key, o] of each) outcomes.set(key, o)
    signal?.throwIfAborted()
    left = left.filter(ask => {
      const outcome = outcomes.get(partitionKey(ask.topic, ask.partition))
      return outcome !== undefined && passing(ask, outcome)
    })
    const pause = backoffMs(attempt)
    if (left.length === 0 || cluster.closed || performance.now() + pause - start > withinMs) break
    await sleep(pause, signal)
  }
  return outcomes
}

const noAbort = (signal: AbortSignal | undefined) => (): TopicMetadata[] => {
  signal?.throwIfAborted()
  return []
}

type Question = { what: string; needs: string }

const failed = (ask: Ask, errorCode: number, question: Question, cause?: Error) => {
  const key = partitionKey(ask.topic, ask.partition)
  return [
    key,
    { kind: 'error' as const, errorCode, error: cause ?? named(errorCode, question, key) },
  ] as const
}

const leaderless = (asks: readonly Ask[], question: Question, troubles: Map<string, number>) =>
  new Map(asks.map(ask => failed(ask, troubles.get(ask.topic) || ERROR.LEADER_NOT_AVAILABLE, question)))

const askOne = async <A extends Ask, R>(
  cluster: Leaders,
  nodeId: number,
  asks: A[],
  signal: AbortSignal | undefined,
  work: Question & { send: (to: Connection, asks: A[]) => Promise<Answer<R>[]> },
): Promise<Map<string, Outcome<R>>> => {
  const { what } = work
  try {
    const answers = await work.send(await cluster.connection(nodeId, 'control', signal), asks)
    const found = new Map<string, Outcome<R>>()
    for (const { topic, partition, errorCode, value } of answers) {
      const key = partitionKey(topic, partition)
      if (errorCode === 0) found.set(key, { kind: 'ok', value })
      else found.set(key, { kind: 'error', errorCode, error: named(errorCode, work, key) })
    }
    for (const ask of asks) {
      const key = partitionKey(ask.topic, ask.partition)
      if (found.has(key)) continue
      found.set(...failed(ask, -1, work, new KmigError('PROTOCOL', `${what} of ${key}: no answer`)))
    }
    return found
  } catch (e) {
    const error = e instanceof Error ? e : new Error(String(e))
    const passes = isKmigError(e, 'UNREACHABLE', 'DISCONNECTED', 'TIMEOUT')
    const code = passes ? NETWORK_EXCEPTION : (kafkaErrorOf(e)?.code ?? -2)
    return new Map(asks.map(ask => failed(ask, code, work, error)))
  }
}

const named = (errorCode: number, { what, needs }: Question, key: string): KmigError =>
  errorCode === ERROR.UNKNOWN_TOPIC_OR_PARTITION
    ? new KmigError('TOPIC_MISSING', `${what} of ${key}: the broker knows no such topic or partition`)
    : brokerError(errorCode, `${what} of ${key}`, null, `${needs} on topic ${partitionOf(key).topic}`)

export type Tolerance = {
  /** Told of each partition that it can't be had of; without it the first such error is thrown. */
  refused?: ((key: string, error: Error) => void) | undefined
}

/** Values of outcomes; what became of the others is told or thrown. */
export const valuesOf = <R>(
  outcomes: Map<string, Outcome<R>>,
  { refused }: Tolerance = {},
): Map<string, R> => {
  const values = new Map<string, R>()
  for (const [key, outcome] of outcomes) {
    if (outcome.kind === 'ok') values.set(key, outcome.value)
    else if (refused) refused(key, outcome.error)
    else throw outcome.error
  }
  return values
}
