import { type Security, saslOf } from '../config/index.ts'
import {
  backoffMs,
  formatHostPort,
  type HostPort,
  isKmigError,
  KmigError,
  messageOf,
  sleep,
} from '../kit/index.ts'
import type { Api, ResponseOf } from './api.ts'
import type { Tolerance } from './by-leader.ts'
import type { Connection, ConnectionOptions } from './connection.ts'
import { type FoundCoordinator, findCoordinators } from './coordinators.ts'
import { brokerError, isRetriable, kafkaErrorOf } from './errors.ts'
import {
  type DeleteRecordsAsk,
  deleteRecords,
  type EpochAsk,
  type EpochEnd,
  epochEnds,
  type ListedOffset,
  listOffsets,
  type OffsetAsk,
} from './fan-out.ts'
import { Links } from './links.ts'
import { Metadata } from './messages/index.ts'
import { type Leader, Routes, type TopicMetadata } from './routes.ts'

export type Broker = { nodeId: number; host: string; port: number; rack: string | null }
/** A cluster as commands hand it to every room that opens one: where it is, and how it is spoken to. */
export type ClusterAddress = {
  /** For people: its name in kmig.yaml, or the address. */
  readonly name: string
  readonly bootstrap: readonly HostPort[]
  /** Kafka: client.id. */
  readonly clientId?: string | undefined
  readonly security?: Security | undefined
}
export type ClusterOptions = ConnectionOptions & { bootstrap: readonly HostPort[] }
export type AskOptions = {
  /** For one request; default 30,000 ms. Kafka: request.timeout.ms. */
  timeoutMs?: number | undefined
  /** For all tries together; default 60,000 ms. Kafka: default.api.timeout.ms. */
  withinMs?: number | undefined
  signal?: AbortSignal | undefined
}
/**
 * `errorOf` finds the error code of an answer (default: its `errorCode`, if it has one): a retriable one is tried again,
 * others are the caller's to read.
 */
export type RequestOptions<S> = AskOptions & { errorOf?: ((answer: S) => number) | undefined }

export const REQUEST_MS = 30_000
const WITHIN_MS = 60_000
/** A listener of SASL hangs up on the first request of somebody who has not logged in. */
const WANTS_SASL = 'check security.protocol: a listener that hangs up may want SASL'

/**
 * A Kafka cluster: its brokers, who leads what, and connections that are opened on demand. The asking methods try again
 * while an error can pass: lost connections, brokers that are gone, roles that moved. Nothing here runs by itself: the
 * metadata is asked when somebody asks or a role has moved.
 */
export class Cluster implements AsyncDisposable {
  readonly bootstrap: readonly HostPort[]
  clusterId = ''
  controllerId = -1
  readonly brokers = new Map<number, Broker>()
  /** How many requests were sent, by the name of their kind. */
  readonly requests = new Map<string, number>()
  #links: Links
  #security: Security | undefined
  #routes = new Routes()
  #coordinators = new Map<string, number>()
  #turn = 0

  private constructor(options: ClusterOptions) {
    const { bootstrap, clientId, security, timeoutMs, pool } = options
    this.bootstrap = bootstrap
    this.#security = security
    this.#links = new Links({ clientId, security, timeoutMs, pool })
    this.#links.onRequest = api => this.requests.set(api, (this.requests.get(api) ?? 0) + 1)
  }

  /** Tries every bootstrap address once. Throws UNREACHABLE with each address and why, or what the first broker refused. */
  static async open(options: ClusterOptions): Promise<Cluster> {
    const cluster = new Cluster(options)
    try {
      await cluster.#meet(options)
      return cluster
    } catch (e) {
      await cluster[Symbol.asyncDispose]()
      throw e
    }
  }

  async #meet({ bootstrap, timeoutMs = 10_000, signal }: ClusterOptions): Promise<void> {
    const failures: KmigError[] = []
    const hints = new Set<string>()
    for (const address of bootstrap) {
      try {
        const connection = await this.#at(address, signal)
        this.#learn(await connection.send(Metadata, { topics: [] }, { timeoutMs, signal }))
        return
      } catch (e) {
        signal?.throwIfAborted()
        if (!isKmigError(e) || isKmigError(e, 'AUTHENTICATION', 'AUTHORIZATION', 'BUG')) throw e
        failures.push(e)
        if (isKmigError(e, 'DISCONNECTED') && !saslOf(this.#security)) hints.add(WANTS_SASL)
      }
    }
    throw new KmigError('UNREACHABLE', `no Kafka broker answers: ${failures.map(messageOf).join('; ')}`, {
      try: [
        'check the addresses, the network and that the brokers run',
        ...new Set([...failures.flatMap(({ suggestions }) => suggestions), ...hints]),
      ],
    })
  }

  #learn(answer: ResponseOf<typeof Metadata>): TopicMetadata[] {
    if (this.clusterId !== '' && answer.clusterId !== null && answer.clusterId !== this.clusterId) {
      throw new KmigError(
        'PREFLIGHT',
        `the brokers of cluster ${this.clusterId} now answer as cluster ${answer.clusterId}`,
        { try: ['check the bootstrap addresses: they belong to more than one cluster'] },
      )
    }
    this.clusterId = answer.clusterId ?? this.clusterId
    this.controllerId = answer.controllerId
    if (answer.brokers.length > 0) this.brokers.clear()
    for (const broker of answer.brokers) this.brokers.set(broker.nodeId, broker)
    const topics: TopicMetadata[] = answer.topics.map(
      ({ name, topicId, isInternal, errorCode, partitions }) => ({
        name: name ?? '',
        topicId,
        internal: isInternal,
        error: errorCode,
        partitions: partitions
          .map(({ errorCode: error, partition, leader, leaderEpoch, replicas, isr }) => {
            return { partition, leader, leaderEpoch, replicas, isr, error }
          })
          .sort((a, b) => a.partition - b.partition),
      }),
    )
    for (const topic of topics) this.#routes.learn(topic)
    return topics
  }

  /** Topics as any broker sees them now, in the order of the answer; what they say of leaders is remembered. */
  async metadata(topics: readonly string[] | 'all', options: AskOptions = {}): Promise<TopicMetadata[]> {
    const names = topics === 'all' ? null : topics.map(name => ({ name }))
    return this.#learn(await this.any(Metadata, { topics: names }, options))
  }

  /** From memory; undefined if not known, or if there was no leader. */
  leaderOf(topic: string, partition: number): Leader | undefined {
    return this.#routes.leaderOf(topic, partition)
  }

  /**
   * The connection to a broker for a purpose (requests of one purpose never wait behind another's), opened on demand.
   * One try: throws UNREACHABLE and the like.
   */
  async connection(nodeId: number, purpose: string, signal?: AbortSignal | undefined): Promise<Connection> {
    const broker = this.brokers.get(nodeId)
    if (!broker) {
      throw new KmigError('UNREACHABLE', `broker ${nodeId} is not among the live brokers of ${this.#name}`)
    }
    const key = `${nodeId}@${formatHostPort(broker)}/${purpose}`
    return this.#links.get(key, `broker ${nodeId}`, broker, signal)
  }
  #at(address: HostPort, signal: AbortSignal | undefined): Promise<Connection> {
    return this.#links.get(`${formatHostPort(address)}/control`, 'bootstrap', address, signal)
  }
  get #name(): string {
    return `cluster ${this.clusterId}`
  }

  /** The quickest answer of any of its brokers, ms: how far away it is. */
  get roundTripMs(): number {
    return this.#links.roundTripMs
  }

  /** Asks any broker; after a failure the next one, the bootstrap addresses included. */
  any<Q, S>(api: Api<Q, S>, request: Q, options: RequestOptions<S> = {}): Promise<S> {
    const turn = this.#turn++
    return this.retrying(options, async attempt => {
      const at = [...this.brokers.keys(), ...this.bootstrap]
      const chosen = at[(turn + attempt) % at.length] ?? this.controllerId
      const to =
        typeof chosen === 'number'
          ? await this.connection(chosen, 'control', options.signal)
          : await this.#at(chosen, options.signal)
      return this.#ask(to, api, request, options)
    })
  }

  /** Asks one broker by its id. */
  broker<Q, S>(nodeId: number, api: Api<Q, S>, request: Q, options: RequestOptions<S> = {}): Promise<S> {
    return this.retrying(options, async (attempt, left) => {
      if (attempt > 0) await this.metadata([], left)
      return this.#ask(await this.connection(nodeId, 'control', options.signal), api, request, options)
    })
  }

  /** Asks the controller (under KRaft any broker takes its requests), looking it up again after a failure. */
  controller<Q, S>(api: Api<Q, S>, request: Q, options: RequestOptions<S> = {}): Promise<S> {
    return this.retrying(options, async (attempt, left) => {
      if (attempt > 0) await this.metadata([], left)
      return this.#ask(
        await this.connection(this.controllerId, 'control', options.signal),
        api,
        request,
        options,
      )
    })
  }

  /** Asks the coordinator of a group. */
  coordinator<Q, S>(group: string, api: Api<Q, S>, request: Q, options: RequestOptions<S> = {}): Promise<S> {
    return this.retrying(options, async (attempt, left) => {
      if (attempt > 0) this.forgetCoordinators([group])
      const nodeId = await this.coordinatorOf(group, left)
      return this.#ask(await this.connection(nodeId, 'control', options.signal), api, request, options)
    })
  }

  /** The node id of a group's coordinator, from memory if it has been looked up. */
  async coordinatorOf(group: string, options: AskOptions = {}): Promise<number> {
    return this.retrying(options, async (_, left) => {
      const found = (await this.coordinatorsOf([group], left)).get(group)
      if (found?.kind === 'node') return found.nodeId
      throw found?.error ?? brokerError(-1, `the coordinator of group '${group}'`)
    })
  }

  /** The coordinators of many groups, from memory where they have been looked up; others in as few requests as can be. */
  async coordinatorsOf(
    groups: readonly string[],
    options: AskOptions = {},
  ): Promise<Map<string, FoundCoordinator>> {
    const known = (group: string) => this.brokers.has(this.#coordinators.get(group) ?? -1)
    const found = await findCoordinators(this, [...new Set(groups.filter(group => !known(group)))], options)
    const strange = [...found.values()].some(each => each.kind === 'node' && !this.brokers.has(each.nodeId))
    if (strange) await this.metadata([], options)
    for (const [group, each] of found) if (each.kind === 'node') this.#coordinators.set(group, each.nodeId)
    return new Map(
      groups.map(group => {
        const nodeId = this.#coordinators.get(group) ?? -1
        return [group, found.get(group) ?? { kind: 'node', nodeId }]
      }),
    )
  }
  /** The next question about these groups looks their coordinators up anew. */
  forgetCoordinators(groups: readonly string[]): void {
    for (const group of groups) this.#coordinators.delete(group)
  }

  /** The next question for a group looks its coordinator up again. */
  forgetCoordinator(group: string): void {
    this.#coordinators.delete(group)
  }

  async #ask<Q, S>(
    to: Connection,
    api: Api<Q, S>,
    request: Q,
    { timeoutMs = REQUEST_MS, signal, errorOf }: RequestOptions<S>,
  ): Promise<S> {
    const answer = await to.send(api, request, { timeoutMs, signal })
    const code = errorOf?.(answer) ?? (answer as { errorCode?: number }).errorCode ?? 0
    if (code !== 0 && isRetriable(code)) {
      throw brokerError(code, `${api.name} at ${formatHostPort(to.address)}`)
    }
    return answer
  }

  /** Runs `work` again while its error can pass and time is left (`left` says how much); then throws the last error. */
  async retrying<T>(
    options: AskOptions,
    work: (attempt: number, left: AskOptions) => Promise<T>,
  ): Promise<T> {
    const end = performance.now() + (options.withinMs ?? WITHIN_MS)
    for (let attempt = 0; ; attempt++) {
      try {
        const { timeoutMs, signal } = options
        return await work(attempt, { timeoutMs, signal, withinMs: end - performance.now() })
      } catch (e) {
        const pause = backoffMs(attempt)
        const over = options.signal?.aborted || this.closed || performance.now() + pause > end
        if (over || !canPass(e)) throw e
        await sleep(pause, options.signal)
      }
    }
  }

  /**
   * Offsets by time, or EARLIEST or LATEST, of many partitions, asked of their leaders; keyed by `partitionKey`.
   * Without `refused` throws the error of the first partition that it can't be had of.
   */
  listOffsets(
    asks: readonly OffsetAsk[],
    options: AskOptions & Tolerance & { isolation?: 'read_committed' | 'read_uncommitted' | undefined } = {},
  ): Promise<Map<string, ListedOffset>> {
    return listOffsets(this, asks, options)
  }
  /** Ends of leader epochs; keyed by `partitionKey`, one outcome per partition asked. */
  epochEnds(asks: readonly EpochAsk[], options: AskOptions = {}): Promise<Map<string, EpochEnd>> {
    return epochEnds(this, asks, options)
  }
  /** Moves log starts up; gives the new ones, keyed by `partitionKey`. */
  deleteRecords(
    asks: readonly DeleteRecordsAsk[],
    options: AskOptions & Tolerance = {},
  ): Promise<Map<string, bigint>> {
    return deleteRecords(this, asks, options)
  }

  /** Whether it was disposed of: nothing is tried again any more. */
  get closed(): boolean {
    return this.#links.closed
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#links[Symbol.asyncDispose]()
  }
}

const canPass = (e: unknown): boolean => {
  const row = kafkaErrorOf(e)
  return row ? isRetriable(row.code) : isKmigError(e, 'UNREACHABLE', 'DISCONNECTED', 'TIMEOUT')
}
