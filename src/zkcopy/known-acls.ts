import type { Acl, Stat } from '../zookeeper/index.ts'

/** More that differ from the common one are not worth their memory: they are read again. */
const MOST = 100_000

/**
 * ACLs that were read once and need not be read again: a znode that was there by a zxid and whose ACL was never set has
 * the one that it was created with. Most have the same one, which is kept once.
 */
export class KnownAcls {
  readonly #by: bigint
  #common: Acl | undefined
  #others = new Map<string, Acl>()
  #overflow = false
  /** `by`: what was created by then was noted, if it is there still. */
  constructor(by: bigint) {
    this.#by = by
  }

  note(path: string, acl: Acl, { aversion }: Stat): void {
    if (aversion !== 0 || this.#overflow) return
    this.#common ??= acl
    if (acl === this.#common) return
    this.#others.set(path, acl)
    if (this.#others.size <= MOST) return
    this.#overflow = true
    this.#others.clear()
  }

  of(path: string, { aversion, czxid }: Stat): Acl | undefined {
    if (this.#overflow || aversion !== 0 || czxid > this.#by) return undefined
    return this.#others.get(path) ?? this.#common
  }
}
