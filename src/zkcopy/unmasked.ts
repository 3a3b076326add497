import { KmigError } from '../kit/index.ts'
import { type Acl, maskedIds } from '../zookeeper/index.ts'
import type { AclTable } from './acls.ts'

/**
 * Keeps one copy of each ACL, and throws ZK_MASKED_ACL when the server hid digest ids in it: two hidden ids look alike
 * whatever they are, so nothing can be proved by them, and nothing put back. `flag` gives the credentials.
 */
export const unmasked = (table: AclTable, acl: Acl, { path, flag }: { path: string; flag: string }): Acl => {
  const before = table.size
  const known = table.intern(acl)
  if (table.size === before) return known
  const masked = maskedIds(known)
  if (masked.length === 0) return known
  throw new KmigError('ZK_MASKED_ACL', `the ACL of ${path} hides the digest of ${masked.join(', ')}`, {
    try: [`read it as a user with ADMIN on it: ${flag} FILE (a line: digest:user:password)`],
  })
}
