import { KmigError } from '../kit/index.ts'
import { type Acl, maskedIds } from '../zookeeper/index.ts'
import { type AclMap, mapAcl } from './acl-map.ts'

/**
 * full: every znode's own ACL. sample: the root's for all, and a stop if a znode of the sample has another.
 * uniform: the root's for all, unread. open: anybody may do anything.
 */
export const ACL_MODES = ['full', 'sample', 'uniform', 'open'] as const
export type AclMode = (typeof ACL_MODES)[number]

/** Keeps one copy of each distinct ACL, so that two are equal when they are the same object. */
export class AclTable {
  #known = new Map<string, Acl>()
  #wanted = new Map<Acl, Acl>()
  #last: Acl | undefined
  readonly map: AclMap
  constructor(map: AclMap = new Map()) {
    this.map = map
  }

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

  /**
   * What the copy of a source znode gets: its ACL with the ids mapped. Throws ZK_MASKED_ACL if a digest id is left that
   * the server hid: a copy would lock everyone out. What was read on the target proves nothing about the source, so each
   * ACL is looked at when the source first shows it.
   */
  internSource(acl: Acl, path: string): Acl {
    const own = this.intern(acl)
    const known = this.#wanted.get(own)
    if (known) return known
    const wanted = this.intern(mapAcl(own, this.map))
    const masked = maskedIds(wanted)
    if (masked.length > 0) {
      throw new KmigError('ZK_MASKED_ACL', `the ACL of ${path} hides the digest of ${masked.join(', ')}`, {
        try: [
          'read the source as a user with ADMIN on it: --from-auth FILE (a line: digest:user:password)',
          `or say who it shall be: --acl-map digest:${masked[0]}=digest:USER:HASH`,
          'or give all copies one ACL: --acl uniform or --acl open',
        ],
      })
    }
    this.#wanted.set(own, wanted)
    return wanted
  }
}
