import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { KmigError } from '../kit/index.ts'
import { canonical } from './canonical.ts'
import { readDocument, refuseExpired } from './document.ts'
import type { PlanDocument } from './plan-document.ts'
import { journalOf, type RunSubject, runsOf } from './run-directory.ts'

export type PlanWanted = { subject: RunSubject } & Pick<PlanDocument, 'strategy' | 'accepted'>

/** The named plan. Throws USAGE when there is none, or it is of something else; PLAN_CHANGED when it is of no use. */
export const namedPlan = (
  stateDir: string,
  id: string,
  { subject, accepted }: PlanWanted,
  nowMs: number,
): PlanDocument => {
  const directory = join(runsOf(stateDir), id)
  const document = readDocument(directory)
  if (!document)
    throw new KmigError('USAGE', `there is no plan ${id} in ${stateDir}`, {
      try: ['kmig cutover without --execute makes one'],
    })
  if (existsSync(journalOf(directory)))
    throw new KmigError('WRONG_STATE', `plan ${id} was acted on before`, {
      try: [`kmig cutover status --run ${id}`, 'make a new plan'],
    })
  const other = Object.keys(subject).filter(
    key =>
      canonical(subject[key as keyof RunSubject]) !== canonical(document.subject[key as keyof RunSubject]),
  )
  if (accepted.some(id => !document.accepted.includes(id))) other.push('what is accepted')
  if (other.length > 0)
    throw new KmigError('USAGE', `plan ${id} was made with other flags: ${other.join(', ')}`, {
      try: ['give the flags that it was made with', 'or make a new plan'],
    })
  refuseExpired(document, nowMs)
  return document
}

/** The newest plan that was made with the same flags, is still valid, and was not acted on: what the operator looked at. */
export const waitingPlan = (
  stateDir: string,
  { subject, strategy, accepted }: PlanWanted,
  nowMs: number,
): PlanDocument | undefined => {
  if (!existsSync(runsOf(stateDir))) return undefined
  const newest = readdirSync(runsOf(stateDir))
    .sort()
    .filter(id => existsSync(join(runsOf(stateDir), id, 'plan.json')))
    .at(-1)
  if (newest === undefined || existsSync(journalOf(join(runsOf(stateDir), newest)))) return undefined
  const document = readDocument(join(runsOf(stateDir), newest))
  const same =
    document &&
    canonical([document.subject, document.strategy]) === canonical([subject, strategy]) &&
    accepted.every(id => document.accepted.includes(id)) &&
    nowMs < Date.parse(document.expiresAt)
  return same ? document : undefined
}
