import { aclText } from '../../inventory/index.ts'
import { type Acl, deleteAcls, listAcls, rightsOf } from '../../kafka/index.ts'
import { isKmigError, KmigError, messageOf, plural } from '../../kit/index.ts'
import type { FenceDriver, FenceProblem } from '../fence-port.ts'
import { aclsOf, lackingOf, makeAcls, takeAclsAway } from './made-acls.ts'
import { type FenceOptions, SPREAD_MS } from './options.ts'

/** Consent to what writers see: an error that ordinary producers hand to the application and do not try again. */
export const PRODUCER_ERRORS = 'producer-errors'
const EVERYBODY = 'User:*'
const SHOWN = 5

/** What keeps these principals from writing to these topics. DENY beats ALLOW and knows no exception but super users. */
export const denialsOf = (topics: readonly string[], principals: readonly string[]): Acl[] =>
  topics.flatMap(name =>
    principals.map(principal => ({
      ...{ resource: 'topic', pattern: 'literal', name, principal, host: '*' },
      ...{ operation: 'write', permission: 'deny' },
    })),
  )

/**
 * Denies Write. Writers get TOPIC_AUTHORIZATION_FAILED, which ordinary producers do not try again: right for a seal, and
 * for a fence only by consent. Markers are authorized on the cluster, so open transactions can end. Source: CUTOVER.md 4.
 */
export const aclDeny = (options: FenceOptions): FenceDriver => {
  const { side, topics, cluster, principals = [EVERYBODY], signal } = options
  const ask = { signal, withinMs: SPREAD_MS }
  return {
    name: 'acl-deny',
    releases: true,
    seals: true,
    probe: () => probe(options),
    plan: async () => {
      const make = lackingOf(denialsOf(topics, principals), (await listAcls(cluster, ask)) ?? [])
      return {
        driver: 'acl-deny',
        side,
        topics,
        actions: make.map(each => ({ effect: aclText(each), inverse: `delete that ACL: ${aclText(each)}` })),
        prior: { make },
      }
    },
    engage: async plan => {
      const { make } = aclsOf(plan)
      await makeAcls(options, make)
      await letsMirrorPass(options, make)
      const who = principals.join(', ')
      return {
        evidence: [`every broker lists DENY Write for ${who} on ${plural(topics.length, 'topic')}`],
      }
    },
    release: async plan => await takeAclsAway(options, aclsOf(plan).make),
  }
}

/** Whether an ACL is of this topic. */
const isOf = ({ resource, pattern, name }: Acl, topic: string): boolean =>
  resource === 'topic' && (pattern === 'prefixed' ? topic.startsWith(name) : name === '*' || name === topic)

/** What denies everybody must let the copy back pass, and only a super user passes. Else it is taken away at once. */
const letsMirrorPass = async (options: FenceOptions, made: readonly Acl[]): Promise<void> => {
  const { cluster, topics, signal } = options
  for (const nodeId of cluster.brokers.keys()) {
    const { topics: rights } = await rightsOf(cluster, topics, { nodeId, signal })
    const denied = topics.filter(topic => rights.get(topic)?.has('write') === false)
    if (denied.length === 0) continue
    await deleteAcls(cluster, made, { signal })
    const what = `kmig's own user may not write to ${denied.slice(0, SHOWN).join(', ')} with these ACLs: the copy back could not pass; they were taken away again`
    throw new KmigError('FENCE', what, {
      try: [
        "make kmig's user a super user of that cluster (super.users)",
        'or name the writers to deny, each principal: DENY knows no exception',
      ],
    })
  }
}

const probe = async (options: FenceOptions): Promise<FenceProblem[]> => {
  const { accepted, as = 'fence', cluster, side, principals = [], mirrorPrincipal, topics, signal } = options
  const found: FenceProblem[] = []
  const error = (what: string, fix: string) => found.push({ severity: 'error', what, fix })
  if (as === 'fence' && !accepted.includes(PRODUCER_ERRORS)) {
    error(
      'acl-deny answers writers with TOPIC_AUTHORIZATION_FAILED, which producers do not try again: what they hold is lost to them unless the application can bear that',
      '--accept-producer-errors, or --fence hook',
    )
  }
  if (mirrorPrincipal !== undefined && principals.includes(mirrorPrincipal))
    error(`${mirrorPrincipal} is kmig's own user: the copy back could not pass`, 'name the writers alone')
  let listed: Acl[] | undefined
  try {
    listed = await listAcls(cluster, { signal })
  } catch (e) {
    if (!isKmigError(e, 'AUTHORIZATION')) throw e
    error(messageOf(e), `allow kmig's user Describe and Alter on the ${side} cluster`)
    return found
  }
  if (!listed) {
    const what = `the ${side} cluster has no authorizer: an ACL keeps nobody off there`
    error(what, '--fence hook; it stays engaged as the seal')
    return found
  }
  const bare = topics.filter(topic => !listed.some(each => isOf(each, topic)))
  if (bare.length > 0) {
    const what = `no ACL is of ${bare.slice(0, SHOWN).join(', ')}: a first one takes reading away too where allow.everyone.if.no.acl.found lets everybody in, and where it does not only super users write, whom no ACL stops`
    const severity = as === 'fence' ? 'error' : 'warning'
    found.push({ severity, what, fix: 'give readers an ACL of their own first, or --fence hook' })
  }
  const rights = await rightsOf(cluster, topics, { signal })
  if (rights.cluster?.has('alter') === false)
    error(`kmig's user may not make ACLs on the ${side} cluster`, 'allow it Alter on the cluster')
  const denied = topics.filter(topic => rights.topics.get(topic)?.has('write') === false)
  if (denied.length > 0) {
    const what = `kmig's user may not write to ${denied.slice(0, SHOWN).join(', ')} on the ${side} cluster`
    error(what, 'make it a super user there (super.users): the seal must let the copy back pass')
  }
  return found
}
