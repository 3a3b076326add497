import { KmigError } from '../kit/index.ts'
import { type Acl, aclEntries, aclOf } from '../zookeeper/index.ts'

/** `scheme:id` of the source to `scheme:id` of the target. */
export type AclMap = ReadonlyMap<string, string>

/** Reads `digest:old:hash=digest:new:hash`; ids may end in `=`, as digests do. Throws USAGE. */
export const parseAclMap = (texts: readonly string[] = []): AclMap =>
  new Map(
    texts.map(text => {
      const [, from, to] = /^([\w-]+:.+?)=([\w-]+:.+)$/.exec(text) ?? []
      if (from && to) return [from, to]
      throw new KmigError('USAGE', `--acl-map '${text}' is not scheme:id=scheme:id`, {
        try: [
          'for example --acl-map digest:app:HASH=digest:app:OTHER; HASH is base64 of sha1 of app:password',
        ],
      })
    }),
  )

/** The ACL with its ids rewritten; entries that become equal are one. */
export const mapAcl = (acl: Acl, map: AclMap): Acl => {
  if (map.size === 0) return acl
  const entries = aclEntries(acl).map(({ perms, scheme, id }) => {
    const to = map.get(`${scheme}:${id}`)
    const colon = to?.indexOf(':') ?? -1
    return to === undefined
      ? { perms, scheme, id }
      : { perms, scheme: to.slice(0, colon), id: to.slice(colon + 1) }
  })
  const merged = new Map(entries.map(({ scheme, id }) => [`${scheme}:${id}`, { perms: 0, scheme, id }]))
  for (const { perms, scheme, id } of entries) {
    const one = merged.get(`${scheme}:${id}`)
    if (one) one.perms |= perms
  }
  return aclOf([...merged.values()])
}
