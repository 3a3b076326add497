import * as z from 'zod'
import { aclKey, aclText } from '../../inventory/index.ts'
import { type Acl, type Cluster, createAcls, deleteAcls, listAcls } from '../../kafka/index.ts'
import { type During, KmigError, messageOf, plural, sleep } from '../../kit/index.ts'
import type { FencePlan } from '../fence-port.ts'
import { SPREAD_MS } from './options.ts'

const AGAIN_MS = 50
const SHOWN = 5

const acl = z.object({
  ...{ resource: z.string(), pattern: z.string(), name: z.string(), principal: z.string() },
  ...{ host: z.string(), operation: z.string(), permission: z.string() },
})
/** `make`: ACLs that were not there before, and that release takes away again: exactly these. `held`: to be made later. */
const prior = z.object({ make: z.array(acl), held: z.array(acl).default([]) })

type Where = During & { cluster: Cluster; side: 'old' | 'new' }

/** What a journaled plan has made, and holds back. Throws STATE_DAMAGED. */
export const aclsOf = (plan: FencePlan): z.output<typeof prior> => {
  const read = prior.safeParse(plan.prior)
  if (read.success) return read.data
  throw new KmigError('STATE_DAMAGED', 'the journaled plan does not say which ACLs it made', {
    try: ['look at the ACLs of these topics, and delete those of the run by hand'],
  })
}

/** Which of these a cluster lacks. */
export const lackingOf = (acls: readonly Acl[], there: readonly Acl[]): Acl[] => {
  const known = new Set(there.map(aclKey))
  return acls.filter(each => !known.has(aclKey(each)))
}

/** Makes them, and waits until every broker knows. Throws FENCE. */
export const makeAcls = async (where: Where, make: readonly Acl[]): Promise<void> => {
  const { cluster, side, signal } = where
  const refused: string[] = []
  await createAcls(cluster, make, {
    ...{ signal, withinMs: SPREAD_MS },
    refused: (each, error) => refused.push(`${aclText(each)}: ${messageOf(error)}`),
  })
  if (refused.length > 0) {
    throw new KmigError('FENCE', `ACLs can't be made: ${refused.slice(0, SHOWN).join('; ')}`, {
      try: [`allow kmig's user Alter on the cluster of side ${side}`],
    })
  }
  await spread(where, make, 'made')
}

/** Takes exactly these away, and waits until no broker has them. */
export const takeAclsAway = async (where: Where, made: readonly Acl[]): Promise<void> => {
  if (made.length === 0) return
  await deleteAcls(where.cluster, made, { signal: where.signal, withinMs: SPREAD_MS })
  await spread(where, made, 'gone')
}

/** Every broker has its own copy of the ACLs, and answers from it. */
const spread = async (
  { cluster, signal }: Where,
  acls: readonly Acl[],
  want: 'made' | 'gone',
): Promise<void> => {
  const end = performance.now() + SPREAD_MS
  await cluster.metadata([], { signal })
  for (const nodeId of cluster.brokers.keys()) {
    for (;;) {
      const listed = await listAcls(cluster, { nodeId, signal, withinMs: SPREAD_MS })
      const there = new Set((listed ?? []).map(aclKey))
      const wrong = acls.filter(each => there.has(aclKey(each)) !== (want === 'made'))
      if (wrong.length === 0) break
      if (performance.now() > end) {
        const what = `broker ${nodeId} ${want === 'made' ? 'does not know' : 'still has'} ${plural(wrong.length, 'ACL')} after ${SPREAD_MS} ms`
        throw new KmigError('FENCE', `${what}: ${wrong.slice(0, SHOWN).map(aclText).join('; ')}`, {
          try: ['see that broker’s log, then run the same command again'],
        })
      }
      await sleep(AGAIN_MS, signal)
    }
  }
}
