import { formatCount, KmigError } from '../kit/index.ts'
import { joinPath, maskedIds } from '../zookeeper/index.ts'
import { mapAcl } from './acl-map.ts'
import { KnownAcls } from './known-acls.ts'
import { scan } from './scan.ts'
import { note, type Paths, paths } from './tally.ts'
import type { WalkOptions } from './walk.ts'

/**
 * Reads all that the copy will read of the source, and gives its ACLs (in mode `full`), so that they are not read again.
 * Throws ZK_NO_AUTH or ZK_MASKED_ACL that names what may not be read, or whose digests are hidden: not the first such
 * znode only, and before anything is written.
 */
export const refuseForbidden = async (plan: WalkOptions, by: bigint): Promise<KnownAcls | undefined> => {
  const { from, acls, filter, signal } = plan
  const full = acls.mode === 'full'
  const known = new KnownAcls(by)
  const unread = paths()
  const masked = paths()
  const options = {
    ...{ reader: from.reader, root: from.root, withAcls: full, signal },
    skips: filter.excludes,
    onForbidden: (path: string) => note(unread, joinPath(from.root, path)),
  }
  for await (const nodes of scan(options)) {
    for (const { path, acl, stat } of nodes) {
      if (!acl || stat.ephemeral) continue
      const own = acls.table.intern(acl)
      known.note(path, own, stat)
      if (filter.includes(path) && hides(plan, own)) note(masked, joinPath(from.root, path))
    }
  }
  if (unread.count + masked.count === 0) return full ? known : undefined
  throw new KmigError(
    unread.count > 0 ? 'ZK_NO_AUTH' : 'ZK_MASKED_ACL',
    [
      ...(unread.count > 0 ? [`the source does not let this session read ${named(unread)}`] : []),
      ...(masked.count > 0 ? [`digests are hidden in the ACLs of ${named(masked)}`] : []),
      'nothing was written',
    ].join('; '),
    {
      try: [
        'read the source as a user with the right (ADMIN for hidden digests): --from-auth FILE (a line: digest:user:password)',
        ...(masked.count > 0
          ? [
              'or say who a hidden id shall be: --acl-map digest:USER:x=digest:USER:HASH, or give all copies one ACL: --acl uniform',
            ]
          : []),
        'or leave these paths out: --exclude',
      ],
    },
  )
}

const hides = ({ acls: { table } }: WalkOptions, own: Parameters<typeof mapAcl>[0]): boolean =>
  maskedIds(mapAcl(own, table.map)).length > 0

/** `3 znodes: /a, /b, /c`, the first twenty. */
export const named = ({ count, first }: Paths): string => {
  const more = count > first.length ? ` and ${formatCount(count - first.length)} more` : ''
  return `${formatCount(count)} ${count === 1 ? 'znode' : 'znodes'}: ${first.join(', ')}${more}`
}
