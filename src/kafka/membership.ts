import { backoffMs, type During, KmigError, sleep } from '../kit/index.ts'
import type { RequestOf, ResponseOf } from './api.ts'
import { byTopic, flatten } from './by-leader.ts'
import type { Cluster } from './cluster.ts'
import type { Connection } from './connection.ts'
import { brokerError, ERROR, isRetriable, kafkaErrorOf } from './errors.ts'
import { Lease, moment } from './lease.ts'
import { Heartbeat, JoinGroup, LeaveGroup, OffsetCommit, SyncGroup } from './messages/index.ts'

export type Member = { memberId: string; instance: string; metadata: Buffer }

export type MembershipOptions = {
  cluster: Cluster
  groupId: string
  /** Name of this member that outlives its process: a restarted one takes its own place at once. Kafka: group.instance.id. */
  instance: string
  /** What the leader gets to know of this member. */
  metadata: Buffer
  /** Without a heartbeat for so long a member is dead; default 10,000 ms. Kafka: session.timeout.ms. */
  sessionMs?: number | undefined
  /** How long the group waits for its members to give up what they do and join anew; default 60,000 ms. */
  rebalanceMs?: number | undefined
  /** The leader's work: what each member gets, by member id. */
  assign(members: readonly Member[]): Promise<ReadonlyMap<string, Buffer>>
}

/** What a member has from one joining to the next. */
export type Tenure = {
  generation: number
  leader: boolean
  assignment: Buffer
  /** Members of the group; only the leader knows them, others have none. */
  members: readonly Member[]
  lease: Lease
}

type Joined = ResponseOf<typeof JoinGroup>

const PROTOCOL = 'kmig'
/** A lease ends this part of the session before the coordinator would give the member up. */
const MARGIN = 0.2
const BEATS_PER_SESSION = 5
const ASK_MS = 10_000
const AGAIN_MS = 50
const PURPOSE = 'membership'
/** After these the member id means nothing any more. */
const FORGOTTEN: readonly number[] = [ERROR.UNKNOWN_MEMBER_ID, ERROR.ILLEGAL_GENERATION]

/**
 * One member of a consumer group that shares work, not partitions of a subscription: the leader says what each gets.
 * kafkajs is no use here: it stamps its heartbeats after the answer, by the wall clock. Own connection, so that a
 * heartbeat never waits behind a slow request. Source: GroupCoordinator, KIP-345; MIRROR.md 5.6.
 */
export class Membership implements AsyncDisposable {
  readonly #o: MembershipOptions & { sessionMs: number; rebalanceMs: number }
  #memberId = ''
  #tenure: Tenure | undefined
  #heart: { beats: Promise<void>; stop: AbortController } | undefined

  constructor({ sessionMs = 10_000, rebalanceMs = 60_000, ...options }: MembershipOptions) {
    this.#o = { ...options, sessionMs, rebalanceMs }
  }

  get sessionMs(): number {
    return this.#o.sessionMs
  }
  /** What this member has now; undefined before it has joined and after its lease was given back. */
  get tenure(): Tenure | undefined {
    return this.#tenure
  }
  /** Whether this member may act, at this very moment. */
  get holds(): boolean {
    return this.#tenure?.lease.holds ?? false
  }

  /**
   * Joins, or joins anew; ends the tenure that there was. The caller has given up what it did by then.
   * Throws AUTHORIZATION, LOCKED (another process goes by this instance's name), PREFLIGHT, the signal's reason.
   */
  async join({ signal }: During): Promise<Tenure> {
    await this.#rest('the group joins anew')
    for (let attempt = 0; ; attempt++) {
      try {
        const tenure = await this.#joinOnce(signal, attempt > 0)
        if (tenure) {
          const stop = new AbortController()
          this.#tenure = tenure
          this.#heart = { beats: this.#beat(tenure, stop.signal), stop }
          return tenure
        }
        await sleep(AGAIN_MS, signal)
      } catch (e) {
        signal.throwIfAborted()
        const row = kafkaErrorOf(e)
        if (!(row ? isRetriable(row.code) : e instanceof KmigError && PASSING.includes(e.code))) throw e
        await sleep(backoffMs(attempt), signal)
      }
    }
  }

  async #joinOnce(signal: AbortSignal, refresh: boolean): Promise<Tenure | undefined> {
    const connection = await this.#coordinator(signal, refresh)
    const fresh = this.#memberId === ''
    let joined = await this.#askToJoin(connection, signal)
    // A restarted leader takes its place without being told that it leads, or with the shares as they were handed out
    // before: the second time it leads and hands them out anew, as it asks by its id.
    if (fresh && joined && (joined.leader !== joined.memberId || joined.skipAssignment))
      joined = await this.#askToJoin(connection, signal)
    if (!joined) return undefined
    const { groupId, instance, assign } = this.#o
    const leader = joined.leader === joined.memberId
    const members = joined.members.map(({ memberId, groupInstanceId, metadata }) => {
      return { memberId, instance: groupInstanceId ?? '', metadata }
    })
    const shares = leader && !joined.skipAssignment ? await assign(members) : new Map<string, Buffer>()
    const sent = moment()
    const synced = await connection.send(
      SyncGroup,
      {
        groupId,
        generationId: joined.generationId,
        memberId: joined.memberId,
        groupInstanceId: instance,
        protocolType: PROTOCOL,
        protocolName: PROTOCOL,
        assignments: [...shares].map(([memberId, assignment]) => ({ memberId, assignment })),
      },
      { timeoutMs: this.#waitMs, signal },
    )
    if (synced.errorCode === ERROR.REBALANCE_IN_PROGRESS) return undefined
    if (!this.#accepted(synced.errorCode)) return undefined
    const lease = new Lease(this.#o.sessionMs * (1 - MARGIN), sent)
    return { generation: joined.generationId, leader, assignment: synced.assignment, members, lease }
  }

  async #askToJoin(connection: Connection, signal: AbortSignal): Promise<Joined | undefined> {
    const { groupId, instance, metadata, sessionMs, rebalanceMs } = this.#o
    const request: RequestOf<typeof JoinGroup> = {
      groupId,
      sessionTimeoutMs: sessionMs,
      rebalanceTimeoutMs: rebalanceMs,
      memberId: this.#memberId,
      groupInstanceId: instance,
      protocolType: PROTOCOL,
      protocols: [{ name: PROTOCOL, metadata }],
    }
    const joined = await connection.send(JoinGroup, request, { timeoutMs: this.#waitMs, signal })
    if (joined.errorCode === ERROR.MEMBER_ID_REQUIRED) {
      this.#memberId = joined.memberId
      return this.#askToJoin(connection, signal)
    }
    if (!this.#accepted(joined.errorCode)) return undefined
    this.#memberId = joined.memberId
    return joined
  }

  /** How long the coordinator may hold an answer back: until every other member has given up its work. */
  get #waitMs(): number {
    return this.#o.rebalanceMs + ASK_MS
  }

  /** Whether an answer was good; if the member was forgotten it must join anew under another id. Throws what ends it. */
  #accepted(errorCode: number): boolean {
    if (errorCode === ERROR.NONE) return true
    if (FORGOTTEN.includes(errorCode)) {
      this.#memberId = ''
      return false
    }
    const { groupId, instance } = this.#o
    if (errorCode === ERROR.FENCED_INSTANCE_ID) {
      throw new KmigError(
        'LOCKED',
        `another process took the place of this one (${instance}) in group ${groupId}`,
        {
          try: ['see who runs the same mirror from a copy of this state directory'],
        },
      )
    }
    if (errorCode === ERROR.INCONSISTENT_GROUP_PROTOCOL) {
      throw new KmigError('PREFLIGHT', `group ${groupId} on the target is used by other clients`, {
        try: ['give this mirror another --name'],
      })
    }
    throw brokerError(errorCode, `joining group ${groupId}`, null, `Read on group ${groupId}`)
  }

  async #coordinator(signal: AbortSignal, refresh: boolean): Promise<Connection> {
    const { cluster, groupId } = this.#o
    if (refresh) cluster.forgetCoordinator(groupId)
    const nodeId = await cluster.coordinatorOf(groupId, { signal })
    return await cluster.connection(nodeId, PURPOSE, signal)
  }

  /** Keeps the lease alive until it ends; whoever acts asks the lease. */
  async #beat({ generation, lease }: Tenure, signal: AbortSignal): Promise<void> {
    const everyMs = this.#o.sessionMs / BEATS_PER_SESSION
    const { groupId, instance } = this.#o
    for (let refresh = false; ; ) {
      try {
        await sleep(everyMs, signal)
        if (!lease.holds) return
        const connection = await this.#coordinator(signal, refresh)
        const sent = moment()
        const { errorCode } = await connection.send(
          Heartbeat,
          { groupId, generationId: generation, memberId: this.#memberId, groupInstanceId: instance },
          { timeoutMs: this.#o.sessionMs / 2, signal },
        )
        refresh = isRetriable(errorCode) && errorCode !== ERROR.REBALANCE_IN_PROGRESS
        if (errorCode === ERROR.NONE) lease.renew(sent)
        else if (!refresh) lease.end(ENDS.get(errorCode) ?? `the coordinator answered error ${errorCode}`)
        if (FORGOTTEN.includes(errorCode)) this.#memberId = ''
      } catch {
        if (signal.aborted) return
        refresh = true // a coordinator that can't be asked: the lease runs out by itself
      }
    }
  }

  /**
   * Commits offsets as this member, in this generation: refused if it is not an owner any more, which is what makes a
   * release that is found there believable. Throws BROKER.
   */
  async commit(
    rows: readonly { topic: string; partition: number; offset: bigint; metadata: string }[],
    { signal }: During,
  ): Promise<void> {
    const tenure = this.#tenure
    if (!tenure || rows.length === 0) return
    const { groupId, instance } = this.#o
    const connection = await this.#coordinator(signal, false)
    const { topics } = await connection.send(
      OffsetCommit,
      {
        groupId,
        generationId: tenure.generation,
        memberId: this.#memberId,
        groupInstanceId: instance,
        topics: byTopic(rows),
      },
      { timeoutMs: ASK_MS, signal },
    )
    const wrong = flatten(topics).find(({ errorCode }) => errorCode !== ERROR.NONE)
    if (wrong) throw brokerError(wrong.errorCode, `committing to group ${groupId} as a member`)
  }

  /** Leaves the group, so that others take over at once; what was not released they take over with care. */
  async leave({ signal }: During): Promise<void> {
    const { groupId, instance } = this.#o
    if (this.#memberId === '') return
    await this.#rest('it left the group')
    const connection = await this.#coordinator(signal, false)
    const members = [{ memberId: this.#memberId, groupInstanceId: instance }]
    await connection.send(LeaveGroup, { groupId, members }, { timeoutMs: ASK_MS, signal })
    this.#memberId = ''
    this.#tenure = undefined
  }

  /** Stops the heartbeats; the coordinator finds out when the session ends. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#rest('the member was closed')
  }

  async #rest(why: string): Promise<void> {
    this.#tenure?.lease.end(why)
    this.#heart?.stop.abort(new KmigError('DISCONNECTED', why))
    await this.#heart?.beats
  }
}

const PASSING: readonly string[] = ['DISCONNECTED', 'TIMEOUT', 'UNREACHABLE']
const ENDS = new Map<number, string>([
  [ERROR.REBALANCE_IN_PROGRESS, 'the group joins anew'],
  [ERROR.UNKNOWN_MEMBER_ID, 'the coordinator has given this member up'],
  [ERROR.ILLEGAL_GENERATION, 'the group went on without this member'],
  [ERROR.FENCED_INSTANCE_ID, 'another process took the place of this one'],
])
