import {
  type Applied,
  allowsWriting,
  applyBelongings,
  type BelongingsOptions,
  type Entry,
  entriesOf,
  lookAtBelongings,
  SYNC_DEFAULT,
  type Sync,
} from '../inventory/index.ts'
import type { Acl, Cluster } from '../kafka/index.ts'
import type { During } from '../kit/index.ts'
import type { MirrorEvent } from './events.ts'

export type InventoryOptions = During<MirrorEvent> & {
  source: { name: string; cluster: Cluster }
  target: { name: string; cluster: Cluster }
  sync?: readonly Sync[] | undefined
  /** ACLs of the source that are never copied, as a cutover's fence is. */
  ownAcl?: ((acl: Acl) => boolean) | undefined
  /** The topics that are mirrored now. */
  mirrored(): readonly string[]
}

const KINDS = [
  ...(['acl', 'quota', 'user', 'broker-config'] as const),
  ...(['client-metrics', 'group-config', 'transactional-id'] as const),
]

/** Keeps what belongs to no topic, ACLs and quotas, as it is on the source, and remembers what became of each thing. */
export class Inventory {
  readonly #o: InventoryOptions
  /** While true, ACLs that allow writing to mirrored topics are held back. */
  writeHold: boolean
  #entries: readonly Entry[] = KINDS.map(kind => {
    return { kind, name: '(all)', outcome: 'refused', why: 'the run ended before they were looked at' }
  })
  #names: readonly string[] = []
  #told = new Set<string>()
  #warning: string | undefined
  constructor(options: InventoryOptions & { writeHold?: boolean | undefined }) {
    this.#o = options
    this.writeHold = options.writeHold ?? false
  }

  get sync(): readonly Sync[] {
    return this.#o.sync ?? SYNC_DEFAULT
  }
  /** As of the last look. */
  get entries(): readonly Entry[] {
    return this.#entries
  }
  /** Every topic that the source had at the last look. */
  get topics(): readonly string[] {
    return this.#names
  }

  /** What making the missing ACLs would do to others. */
  get warnings(): readonly string[] {
    return this.#warning === undefined ? [] : [this.#warning]
  }

  get #how(): BelongingsOptions {
    const { source, target, ownAcl: own, mirrored, signal } = this.#o
    const topics = mirrored()
    const hold = this.writeHold ? (acl: Acl) => allowsWriting(acl, topics) : undefined
    return { source, target, sync: this.sync, hold, own, signal }
  }

  /** Looks and changes nothing. */
  async look(): Promise<void> {
    await this.#lookAtTopics()
    const found = await lookAtBelongings(this.#how)
    this.#warning = found.acls.warning
    this.#entries = entriesOf(found)
  }

  /** Gives the target what it lacks; tells what was made, and each reason of refusals once. */
  async apply(): Promise<Applied> {
    const { on } = this.#o
    await this.#lookAtTopics()
    const how = this.#how
    const found = await lookAtBelongings(how)
    if (found.acls.warning) on?.({ kind: 'warning', where: 'acls', text: found.acls.warning })
    const applied = await applyBelongings(how.target, found, how)
    this.#entries = applied.entries
    const { acls, quotas } = applied
    if (acls + quotas > 0) on?.({ kind: 'inventory', acls, quotas })
    const asked = applied.entries.filter(({ kind, outcome }) => {
      return outcome === 'refused' && (kind === 'acl' || kind === 'quota') && this.sync.includes(`${kind}s`)
    })
    for (const [text, share] of Map.groupBy(asked, ({ kind, why }) => `${kind}s not copied: ${why}`)) {
      if (this.#told.has(text)) continue
      this.#told.add(text)
      const [first] = share
      on?.({
        kind: 'warning',
        where: `${first?.name}${share.length > 1 ? ` and ${share.length - 1} more` : ''}`,
        text,
      })
    }
    return applied
  }

  async #lookAtTopics(): Promise<void> {
    const { source, signal } = this.#o
    this.#names = (await source.cluster.metadata('all', { signal })).map(({ name }) => name)
  }
}
