import type { Acl } from '../kafka/index.ts'
import type { Entry, Found } from './entry.ts'

/** The same for the same ACL. */
export const aclKey = ({ resource, pattern, name, principal, host, operation, permission }: Acl): string =>
  JSON.stringify([resource, pattern, name, principal, host, operation, permission])

/** 'allow User:app read on topics that begin with orders.' */
export const aclText = ({ resource, pattern, name, principal, host, operation, permission }: Acl): string => {
  const from = host === '*' ? '' : ` from ${host}`
  const where = pattern === 'prefixed' ? `${resource} ${name}*` : `${resource} '${name}'`
  const odd = pattern === 'prefixed' || pattern === 'literal' ? '' : ` (pattern ${pattern})`
  return `${permission} ${principal}${from} ${operation} on ${where}${odd}`
}

/**
 * Whether an ACL lets somebody write to one of these topics: what a cutover holds back on the new cluster until the
 * clients are there. It is held back as a whole: one that allows everything gives no reading either until then.
 * Source: CUTOVER.md 7, write hold.
 */
export const allowsWriting = (
  { resource, pattern, name, operation, permission }: Acl,
  topics: readonly string[],
): boolean => {
  if (permission !== 'allow' || resource !== 'topic') return false
  if (operation !== 'write' && operation !== 'all') return false
  if (pattern === 'prefixed') return topics.some(topic => topic.startsWith(name))
  return name === '*' ? topics.length > 0 : topics.includes(name)
}

export type AclPlan = {
  /** To be made on the target. */
  make: Acl[]
  /** Held back; to be made when the hold ends. */
  held: Acl[]
  entries: Entry[]
  /** What making them does to others, if it does. */
  warning?: string | undefined
}
export type AclPlanOptions = {
  source: Found<Acl>
  target: Found<Acl>
  /** Whether ACLs are copied at all; if not they are listed. */
  wanted: boolean
  /** ACLs to hold back, see `allowsWriting`; default none. */
  hold?: ((acl: Acl) => boolean) | undefined
  /** ACLs of the source that are a tool's own, as a cutover's fence is, and never copied; default none. */
  own?: ((acl: Acl) => boolean) | undefined
}

const UNKNOWN = /^#\d+$/
const all = (outcome: Entry['outcome'], why: string): Entry => ({ kind: 'acl', name: '(all)', outcome, why })

/** Which ACLs the target gets. What it has beyond the source's stays. */
export const planAcls = ({ source, target, wanted, hold, own }: AclPlanOptions): AclPlan => {
  if (source.kind === 'unknown') return { make: [], held: [], entries: [all('refused', source.why)] }
  const there = new Set(target.kind === 'found' ? target.items.map(aclKey) : [])
  const plan: AclPlan = { make: [], held: [], entries: [] }
  const say = (acl: Acl, outcome: Entry['outcome'], why?: string) =>
    plan.entries.push({ kind: 'acl', name: aclText(acl), outcome, ...(why && { why }) })
  const theirs = source.kind === 'found' ? source.items : []
  for (const acl of theirs) {
    const present = there.delete(aclKey(acl))
    const strange = [acl.resource, acl.pattern, acl.operation, acl.permission].find(word =>
      UNKNOWN.test(word),
    )
    if (!wanted) say(acl, 'excluded', 'by --sync, which does not name acls')
    else if (target.kind !== 'found') say(acl, 'refused', target.why)
    else if (own?.(acl)) say(acl, 'excluded', 'it fences the source and is not for the target')
    else if (strange) say(acl, 'refused', `kmig does not know what ${strange} means`)
    else if (hold?.(acl)) {
      say(acl, 'changed', present ? HELD_TOO_LATE : 'held back until the clients have moved')
      if (!present) plan.held.push(acl)
    } else {
      say(acl, 'copied')
      if (!present) plan.make.push(acl)
    }
  }
  for (const acl of target.kind === 'found' ? target.items : [])
    if (there.has(aclKey(acl))) say(acl, 'extra', 'the source has no such ACL; it stays')
  const first = plan.make.length > 0 && target.kind === 'found' && target.items.length === 0
  return first ? { ...plan, warning: FIRST } : plan
}
const FIRST =
  'these are the target’s first ACLs: what they name is then closed to all whom they do not, to kmig too unless its user is a super user there or the source’s ACLs let it write'
const HELD_TOO_LATE = 'it was to be held back, but the target has it already; it is not taken away'

/** The entries once these could not be made. */
export const withRefusals = (entries: readonly Entry[], refusals: ReadonlyMap<string, string>): Entry[] =>
  entries.map(entry => {
    const why = refusals.get(entry.name)
    return why !== undefined && entry.outcome === 'copied' ? { ...entry, outcome: 'refused', why } : entry
  })
