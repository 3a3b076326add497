import { aclText, allowsWriting, type Found, planAcls } from '../../inventory/index.ts'
import { type Acl, type Cluster, listAcls } from '../../kafka/index.ts'
import { bug, type During, isKmigError, messageOf } from '../../kit/index.ts'
import type { FenceDriver, FencePlan, FenceProblem } from '../fence-port.ts'
import { aclsOf, lackingOf, makeAcls, takeAclsAway } from './made-acls.ts'

export type RightsOptions = During & {
  old: Cluster
  next: Cluster
  topics(): readonly string[]
}

/** What the new cluster gets of the old one's ACLs. Those that let clients write wait until they may come: the write hold. */
export type RightsPort = {
  /** Looks only: what forbids or weakens it. */
  problems(): Promise<FenceProblem[]>
  /** Looks only. `before`: what an earlier process has made, and is still this run's to take back. */
  plan(how: { before: FencePlan | undefined; fence: FencePlan | undefined }): Promise<FencePlan>
  /** Looks only: the plan with what was held back to be made too. */
  lifted(plan: FencePlan): Promise<FencePlan>
  /** What of a plan lets clients write. */
  writing(plan: FencePlan): FencePlan
}

/** Makes what a plan of rights says, and takes exactly that away; a fence's equal in that any later process can. */
export const rightsDriver = ({ cluster, signal }: During & { cluster: Cluster }): FenceDriver => {
  const where = { cluster, signal, side: 'new' as const }
  return {
    name: 'rights',
    releases: true,
    seals: true,
    probe: async () => [],
    plan: () => Promise.reject(bug('rights are planned with both clusters')),
    engage: async plan => {
      await makeAcls(where, aclsOf(plan).make)
      return { evidence: plan.actions.map(({ effect }) => effect) }
    },
    release: async plan => await takeAclsAway(where, aclsOf(plan).make),
  }
}

/** Source: CUTOVER.md 7, write hold. */
export const rightsPort = ({ old, next, topics, signal }: RightsOptions): RightsPort => {
  const look = async (own: readonly Acl[]) => {
    const names = topics()
    const [source, target] = [await found(old, 'old', signal), await found(next, 'new', signal)]
    const mine = new Set(own.map(each => JSON.stringify(each)))
    const plan = planAcls({
      ...{ source, target, wanted: true },
      hold: acl => allowsWriting(acl, names),
      own: acl => mine.has(JSON.stringify(acl)),
    })
    return { plan, source, target }
  }
  return {
    problems: async () => {
      const { plan, source, target } = await look([])
      const refused = plan.entries.filter(({ outcome }) => outcome === 'refused')
      const early = plan.entries.filter(
        ({ outcome, why }) => outcome === 'changed' && why?.includes('already'),
      )
      const without = '--no-sync-acls, and give the clients their rights on the new cluster yourself'
      return [
        ...[source, target].flatMap((each): FenceProblem[] =>
          each.kind === 'unknown' ? [{ severity: 'error', what: each.why, fix: without }] : [],
        ),
        ...(target.kind === 'unknown' ? [] : refused.slice(0, 1)).map(
          ({ name, why }): FenceProblem => ({
            severity: 'error',
            what: `ACLs can't be copied: ${name}: ${why}`,
            fix: without,
          }),
        ),
        ...early.map(
          ({ name }): FenceProblem => ({
            severity: 'warning',
            what: `the new cluster lets clients write already: ${name}`,
            fix: 'take that ACL away there, and the cutover makes it when the clients may come',
          }),
        ),
        ...(plan.warning === undefined
          ? []
          : [{ severity: 'warning' as const, what: plan.warning, fix: 'a super user there' }]),
      ]
    },
    plan: async ({ before, fence }) => {
      const own = fence?.driver === 'acl-deny' ? aclsOf(fence).make : []
      const { plan } = await look(own)
      const known = before ? aclsOf(before).make : []
      return planned(topics(), [...known, ...lackingOf(plan.make, known)], plan.held)
    },
    writing: rights => {
      const make = aclsOf(rights).make.filter(each => allowsWriting(each, rights.topics))
      return planned(rights.topics, make, [])
    },
    lifted: async rights => {
      const { make, held } = aclsOf(rights)
      const lacking = lackingOf(held, (await listAcls(next, { signal })) ?? [])
      return planned(rights.topics, [...make, ...lackingOf(lacking, make)], [])
    },
  }
}

const planned = (topics: readonly string[], make: readonly Acl[], held: readonly Acl[]): FencePlan => ({
  driver: 'rights',
  side: 'new',
  topics,
  actions: make.map(each => ({ effect: aclText(each), inverse: `delete that ACL: ${aclText(each)}` })),
  prior: { make: [...make], held: [...held] },
})

const found = async (cluster: Cluster, side: 'old' | 'new', signal?: AbortSignal): Promise<Found<Acl>> => {
  try {
    const items = await listAcls(cluster, { signal })
    return items ? { kind: 'found', items } : { kind: 'none', why: `the ${side} cluster has no authorizer` }
  } catch (e) {
    if (!isKmigError(e, 'AUTHORIZATION', 'UNSUPPORTED')) throw e
    return {
      kind: 'unknown',
      why: `${messageOf(e)}; allow kmig's user Describe and Alter on the ${side} cluster`,
    }
  }
}
