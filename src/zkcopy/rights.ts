import { KmigError } from '../kit/index.ts'
import {
  type Acl,
  type Answer,
  type Auth,
  aclEntries,
  ancestorsOf,
  digestId,
  PERM,
} from '../zookeeper/index.ts'
import type { Change } from './change.ts'
import type { Login } from './ensembles.ts'
import { named } from './forbidden.ts'
import { note, paths } from './tally.ts'
import type { TreeReader } from './tree-reader.ts'

type Right = 'write' | 'create' | 'delete' | 'admin'
const SUPER = /^super:/

const parentOf = (path: string): string => ancestorsOf(path).at(-1) ?? '/'

/** The znode of the target whose ACL must give a right for this change, and which. */
const needOf = ({ kind, path }: Change): { at: string; right: Right } => {
  switch (kind) {
    case 'create':
      return { at: parentOf(path), right: 'create' }
    case 'set':
      return { at: path, right: 'write' }
    case 'delete':
    case 'remake':
      return { at: parentOf(path), right: 'delete' }
    case 'acl':
      return { at: path, right: 'admin' }
    default:
      return kind satisfies never
  }
}

/**
 * Whether an ACL may give a right to who has these credentials. Only a server knows for sure: what is of another scheme
 * than digest, or a digest that is hidden, is taken as given.
 */
export const mayBeGiven = (acl: Acl, right: Right, auth: readonly Auth[] = []): boolean => {
  const digests = auth.filter(({ scheme }) => scheme === 'digest').map(({ secret }) => String(secret))
  if (digests.some(secret => SUPER.test(secret))) return true
  const ids = new Set<string>()
  for (const secret of digests) {
    const colon = secret.indexOf(':')
    const user = secret.slice(0, colon)
    ids.add(digestId(user, secret.slice(colon + 1))).add(`${user}:x`)
  }
  return aclEntries(acl).some(
    ({ perms, scheme, id }) =>
      (perms & PERM[right]) !== 0 && (scheme === 'world' || scheme !== 'digest' || ids.has(id)),
  )
}

/** Throws ZK_NO_AUTH that names each znode of the target whose ACL does not let these changes be made. */
export const refuseWithoutRights = async (
  changes: readonly Change[],
  { target, login }: { target: TreeReader; login: Login },
): Promise<void> => {
  if (login.sasl || login.tls) return // who that is, and whether it is a superuser, only the server knows
  const needs = new Map(changes.map(needOf).map(need => [`${need.right} ${need.at}`, need]))
  const all = [...needs.values()]
  const lacking = paths()
  for (const group of target.parts(all)) {
    const answers: Answer<{ acl: Acl }>[] = await target.acls(group.map(({ at }) => at))
    for (const [j, { at, right }] of group.entries()) {
      const acl = answers[j]?.value?.acl // absent: it will be made; not to be read: nobody knows
      if (acl && !mayBeGiven(acl, right, login.auth)) note(lacking, `${at} (${right.toUpperCase()})`)
    }
  }
  if (lacking.count === 0) return
  throw new KmigError(
    'ZK_NO_AUTH',
    `the target does not give this session the right on ${named(lacking)}; nothing was written`,
    {
      try: ['write as a user with the right: --to-auth FILE (a line: digest:user:password)'],
    },
  )
}
