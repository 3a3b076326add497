import { createHash } from 'node:crypto'
import type { Branded } from '../kit/index.ts'
import { Reader, Writer } from '../wire/index.ts'

/** Bits of `perms`. Source: org.apache.zookeeper.ZooDefs.Perms. */
export const PERM = { read: 1, write: 2, create: 4, delete: 8, admin: 16, all: 31 } as const
export type AclEntry = { perms: number; scheme: string; id: string }

/** An ACL in the server's own encoding (vector<ACL>), which is what is compared, kept and sent back. */
export type Acl = Branded<Buffer, 'Acl'>

export const aclOf = (entries: readonly AclEntry[]): Acl => {
  const writer = new Writer(64)
  writer.array32(entries, ({ perms, scheme, id }) => writer.int32(perms).string32(scheme).string32(id))
  return writer.toBuffer() as Acl
}

export const aclEntries = (acl: Acl): AclEntry[] => {
  const reader = new Reader(acl)
  return reader.array32(() => ({ perms: reader.int32(), scheme: reader.string32(), id: reader.string32() }))
}

/** Anybody may do anything: what an ordinary client gives a znode. Source: ZooDefs.Ids.OPEN_ACL_UNSAFE. */
export const OPEN_ACL = aclOf([{ perms: PERM.all, scheme: 'world', id: 'anyone' }])

/** Digest ids that the server hid from a session without ADMIN: `user:x`. Source: FinalRequestProcessor, GetACL. */
export const maskedIds = (acl: Acl): string[] =>
  aclEntries(acl)
    .filter(({ scheme, id }) => scheme === 'digest' && id.endsWith(':x'))
    .map(({ id }) => id)

/** The id of a digest user: `user:base64(sha1(user:password))`. Source: DigestAuthenticationProvider. */
export const digestId = (user: string, password: string): string =>
  `${user}:${createHash('sha1').update(`${user}:${password}`).digest('base64')}`
