import { KmigError } from '../kit/index.ts'
import { type Acl, maskedIds } from '../zookeeper/index.ts'

/**
 * full: every znode's own ACL. sample: the root's for all, and a stop if a znode of the sample has another.
 * uniform: the root's for all, unread. open: anybody may do anything.
 */
export const ACL_MODES = ['full', 'sample', 'uniform', 'open'] as const
export type AclMode = (typeof ACL_MODES)[number]

/** Keeps one copy of each distinct ACL, so that two are equal when they are the same object. */
export class AclTable {
  #known = new Map<string, Acl>()
  #last: Acl | undefined

  get size(): number {
    return this.#known.size
  }

  intern(acl: Acl): Acl {
    if (this.#last?.equals(acl)) return this.#last
    const key = acl.toString('latin1')
    let known = this.#known.get(key)
    if (!known) {
      known = Buffer.from(acl) as Acl // the bytes handed in belong to a whole reply
      this.#known.set(key, known)
    }
    this.#last = known
    return known
  }

  /** The ACL of a source znode. Throws ZK_MASKED_ACL if the server hid digest ids: a copy would lock everyone out. */
  internSource(acl: Acl, path: string): Acl {
    const before = this.#known.size
    const known = this.intern(acl)
    if (this.#known.size === before) return known
    const masked = maskedIds(known)
    if (masked.length > 0) {
      throw new KmigError('ZK_MASKED_ACL', `the ACL of ${path} hides the digest of ${masked.join(', ')}`, {
        try: [
          'read the source as a user with ADMIN on it: --from-auth FILE (a line: digest:user:password)',
          'or give all copies one ACL: --acl uniform or --acl open',
        ],
      })
    }
    return known
  }
}
