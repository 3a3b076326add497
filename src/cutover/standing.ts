import { aclText } from '../inventory/index.ts'
import type { Cluster } from '../kafka/index.ts'
import { type During, KmigError, LockFile } from '../kit/index.ts'
import type { CutoverEvent } from './events.ts'
import type { FencePlan } from './fence-port.ts'
import { aclDeny } from './fences/acl-deny.ts'
import { aclsOf } from './fences/made-acls.ts'
import { lockNamed } from './locks.ts'
import type { HookPort } from './ports.ts'
import { listRuns, Run, type RunRecord } from './run-directory.ts'
import { type In, isBack, type State } from './states.ts'

/**
 * What of a fence of the new cluster stays after a way back: a client that still runs there would write what the old
 * cluster never sees, and nobody has said that all have left. `left`: the operator says so.
 */
export const standsAfter = (
  fence: FencePlan,
  { hooks, left = false }: { hooks: Pick<HookPort, 'has'>; left?: boolean | undefined },
): FencePlan | undefined =>
  fence.driver === 'acl-deny' && fence.actions.length > 0 && !left && !hooks.has('rollback')
    ? fence
    : undefined

type RolledBack = In<'rolled-back'>
export const standingIn = (state: State | undefined): FencePlan | undefined =>
  state?.at === 'rolled-back' ? state.standing : undefined

/** In words. */
export const standingTexts = (state: State | undefined): string[] =>
  standingIn(state)?.actions.map(({ effect }) => effect) ?? []

export type Standing = { run: string; what: string[] }
/** All that ways back from this cluster have left standing there. */
export const standingOn = (stateDir: string, clusterId: string): Standing[] =>
  listRuns(stateDir).flatMap(record =>
    isOf(record, clusterId) && standingIn(record.last)
      ? [{ run: record.id, what: standingTexts(record.last) }]
      : [],
  )

/** What is left of it without these topics, and what goes. */
const split = (
  plan: FencePlan,
  topics: ReadonlySet<string>,
): { goes: FencePlan; rest: FencePlan | undefined } => {
  const { make } = aclsOf(plan)
  const of = (acls: typeof make): FencePlan => ({
    ...plan,
    actions: acls.map(each => ({ effect: aclText(each), inverse: `delete that ACL: ${aclText(each)}` })),
    prior: { make: acls },
  })
  const rest = make.filter(({ name }) => !topics.has(name))
  return {
    goes: of(make.filter(({ name }) => topics.has(name))),
    rest: rest.length > 0 ? of(rest) : undefined,
  }
}

type Where = Pick<During, 'signal'> & { next: Cluster }

const end = async (
  run: Run,
  last: RolledBack,
  topics: readonly string[],
  { next, signal }: Where,
): Promise<void> => {
  const plan = last.standing
  if (!plan) return
  const { goes, rest } = split(plan, new Set(topics))
  const how = { side: 'new' as const, cluster: next, topics, accepted: [], signal }
  await aclDeny(how).release(goes)
  await run.append({ ...last, standing: rest }, Date.now())
}

/** Ends all that a run left standing: the clients have left. Throws WRONG_STATE while another run relies on it. */
export const endStanding = async (
  run: Run,
  stateDir: string,
  { on, ...where }: Where & Pick<During<CutoverEvent>, 'on'>,
): Promise<void> => {
  const { last, header } = run
  if (last?.at !== 'rolled-back' || !last.standing) return
  const other = listRuns(stateDir).find(each => isOf(each, header.to.clusterId) && isBack(each.last))
  if (other)
    throw new KmigError(
      'WRONG_STATE',
      `run ${other.id} is on its way back, and relies on what this one left`,
      {
        try: [`kmig cutover rollback --run ${other.id}`],
      },
    )
  await end(run, last, last.standing.topics, where)
  const text = `writers are not kept off the new cluster any more: ${standingTexts(last).join('; ')}`
  on?.({ kind: 'mirror', event: { kind: 'warning', where: run.id, text } })
}

const isOf = ({ header }: RunRecord, clusterId: string): boolean => header.to.clusterId === clusterId

/** Clients may come to these topics: what rollbacks before have left standing on them ends, and their runs remember. */
export const letIn = async (
  topics: readonly string[],
  { stateDir, mirror, ...where }: Where & { stateDir: string; mirror: string },
): Promise<void> => {
  for (const record of listRuns(stateDir)) {
    const { last, header } = record
    if (!isOf(record, where.next.clusterId) || last?.at !== 'rolled-back' || !last.standing) continue
    if (!aclsOf(last.standing).make.some(({ name }) => topics.includes(name))) continue
    const path = lockNamed(stateDir, header.to.clusterId, header.mirror)
    // this run holds the lock of its own mirror
    await using _ =
      header.mirror === mirror ? undefined : await LockFile.take(path, `cutover of mirror ${mirror}`)
    await using run = await Run.open(record)
    await end(run, last, topics, where)
  }
}
