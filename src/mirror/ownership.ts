import { hostname } from 'node:os'
import { type Cluster, describeGroups, groupOffsets, Membership, partitionKey } from '../kafka/index.ts'
import { type During, KmigError, type Offset, sleep } from '../kit/index.ts'
import { instanceOf } from './instance.ts'
import { type Claim, decodeClaim, decodeShare, encodeClaim, encodeShare, shareOut } from './shares.ts'

/** A partition as it is claimed: `at` is how far the copy has been checked. */
export type Claimed = { topic: string; partition: number; at: Offset }
/** What this process may copy until its lease ends. */
export type Share = {
  /** `topic-partition`s. */
  wheres: readonly string[]
  /** Whether this process makes topics, follows the source and copies groups for all. */
  leads: boolean
  /** Whether there is no other process. */
  alone: boolean
  /** Whether nobody else can have had anything since the share before: it was the generation before this one. */
  unbroken: boolean
  /** Who had a partition and did not give it back; a batch of theirs may still be on its way. */
  heldBy(where: string): string | undefined
}

export type OwnershipOptions = {
  target: Cluster
  /** Name of the group, and of the state topic. */
  group: string
  /** State directory: processes that share it are kept apart by its lock. */
  stateDir: string
  /** Whether other processes make it throw. */
  exclusive?: boolean | undefined
  /** Every partition that is to be copied, and what it weighs: asked of who leads, which shares them out. */
  work(): Promise<readonly { where: string; weight: number }[]>
}

/** How long a batch of an owner that fell silent may still come, after its lease has ended. Source: MIRROR.md 5.6. */
const STRAY_MS = 30_000
const LIVES_MS = 50
const COMMIT_ROWS = 2_000

/**
 * Who copies which partition, when several processes share a mirror: membership in a group on the target, and a claim per
 * partition beside it, written as a member and so believable. Source: MIRROR.md 5.6.
 */
export class Ownership implements AsyncDisposable {
  readonly instance: string
  readonly #o: OwnershipOptions
  readonly #membership: Membership
  #claims = new Map<string, Claim>()
  /** The generation in which this process last took up what it was given. */
  #upheld: number | undefined

  constructor(options: OwnershipOptions) {
    this.#o = options
    const { target, group, stateDir } = options
    this.instance = instanceOf(stateDir)
    const me = JSON.stringify({ host: hostname(), pid: process.pid })
    this.#membership = new Membership({
      cluster: target,
      groupId: group,
      instance: this.instance,
      metadata: Buffer.from(me),
      assign: async members => {
        const byInstance = new Map(members.map(({ instance, memberId }) => [instance, memberId] as const))
        const work = (await this.#o.work()).map(each => ({
          ...each,
          owner: byInstance.get(this.#claims.get(each.where)?.instance ?? ''),
        }))
        const shares = shareOut(
          work,
          members.map(({ memberId }) => memberId),
        )
        return new Map([...shares].map(([member, wheres]) => [member, encodeShare(wheres)] as const))
      },
    })
  }

  /** How long nothing is believed of what another owner did not give back: until its lease has ended for certain, and more. */
  get quietMs(): number {
    return this.#membership.sessionMs + STRAY_MS
  }
  /** Whether this process may send, at this very moment. */
  get holds(): boolean {
    return this.#membership.holds
  }
  /** Throws DISCONNECTED where it may not: what others own must not be overwritten by one who wakes late. */
  check(): void {
    if (!this.holds) throw new KmigError('DISCONNECTED', `this process owns no partition: ${this.why}`)
  }
  /** Why it may not. */
  get why(): string {
    return this.#membership.tenure?.lease.why ?? 'it is no member'
  }
  /** Gives the lease up, so that the partitions are shared out anew. */
  shareAnew(why: string): void {
    this.#membership.tenure?.lease.end(why)
  }

  /** Throws LOCKED, naming their hosts, if other processes run this mirror. */
  async #alone(during: During): Promise<void> {
    const { target, group } = this.#o
    const [found] = await describeGroups(target, [group], during)
    const others = (found?.members ?? []).filter(({ instance }) => instance !== this.instance)
    if (others.length === 0) return
    const hosts = others.map(({ clientHost }) => clientHost.replace(/^\//, '')).join(', ')
    throw new KmigError(
      'LOCKED',
      `mirror ${group.replace(/^__kmig\./, '')} is run by other processes (from ${hosts})`,
      {
        try: ['end them first: what this command does needs every partition for itself'],
      },
    )
  }

  /**
   * Joins, or joins anew. Nothing may be under way any more, and what was drained has been released.
   * Throws LOCKED if others run an exclusive mirror too, AUTHORIZATION, the signal's reason.
   */
  async join(during: During): Promise<Share> {
    const { exclusive } = this.#o
    if (exclusive) await this.#alone(during)
    this.#claims = await this.#readClaims(during)
    const { assignment, leader, members, generation } = await this.#membership.join(during)
    const alone = leader && members.length === 1
    if (exclusive && !alone) await this.#alone(during)
    const claims = await this.#readClaims(during) // again: others have released theirs while the group joined
    const heldBy = (where: string) => {
      const claim = claims.get(where)
      return claim?.kind === 'held' && claim.instance !== this.instance ? claim.instance : undefined
    }
    return {
      wheres: decodeShare(assignment),
      leads: leader,
      alone,
      unbroken: this.#upheld !== undefined && generation === this.#upheld + 1,
      heldBy,
    }
  }

  async #readClaims(during: During): Promise<Map<string, Claim>> {
    const { target, group } = this.#o
    const rows = (await groupOffsets(target, [group], during)).get(group) ?? []
    return new Map(
      rows.flatMap(({ topic, partition, metadata }) => {
        const claim = decodeClaim(metadata)
        return claim ? [[partitionKey(topic, partition), claim] as const] : []
      }),
    )
  }

  /** Claims partitions before anything is written to them. Throws if this process is no owner any more. */
  async hold(partitions: readonly Claimed[], during: During): Promise<void> {
    const generation = this.#membership.tenure?.generation
    await this.#claim('held', partitions, during)
    this.#upheld = generation
  }
  /** Says that nothing of this process is on its way to these partitions any more: others may have them at once. */
  release(partitions: readonly Claimed[], during: During): Promise<void> {
    return this.#claim('free', partitions, during)
  }
  async #claim(kind: Claim['kind'], partitions: readonly Claimed[], during: During): Promise<void> {
    const generation = this.#membership.tenure?.generation ?? -1
    const metadata = encodeClaim({ kind, instance: this.instance, generation })
    const rows = partitions.map(({ topic, partition, at }) => ({ topic, partition, offset: at, metadata }))
    for (let from = 0; from < rows.length; from += COMMIT_ROWS)
      await this.#membership.commit(rows.slice(from, from + COMMIT_ROWS), during)
  }

  /** Resolves when this process is no owner any more. */
  async lapsed(signal: AbortSignal): Promise<void> {
    while (this.holds) await sleep(LIVES_MS, signal)
  }

  /** Runs what only an owner needs, and aborts it once this process is none any more. */
  async asOwner<T>(work: (signal: AbortSignal) => Promise<T>, { signal }: During): Promise<T> {
    const over = new AbortController()
    const both = AbortSignal.any([signal, over.signal])
    const lapse = () => over.abort(new KmigError('DISCONNECTED', `it is no owner any more: ${this.why}`))
    const watch = this.lapsed(both).then(lapse, () => {})
    try {
      return await work(both)
    } finally {
      over.abort()
      await watch
    }
  }

  /** Others go on at once with what was released. */
  async leave(during: During): Promise<void> {
    await this.#membership.leave(during)
  }
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#membership[Symbol.asyncDispose]()
  }
}
