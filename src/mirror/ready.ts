import type { KmigError } from '../kit/index.ts'
import { findAgain } from './find-again.ts'
import type { TopicPlan } from './plan.ts'
import { identityOf, type PrepareOptions, prepareTopics, refusal } from './prepare.ts'
import { refusedBy } from './verdict.ts'

type ReadyOptions = Omit<PrepareOptions, 'refused'> & {
  /** Topics that the target refuses don't keep the others back. */
  partial: boolean
  /** Topics that have stopped by name: they are copied anew at a start only. */
  gone(plan: TopicPlan): boolean
}

/** Makes what is planned on the target; gives the topics that can be copied, and those that are refused. */
export const makeReady = async ({
  plan,
  partial,
  gone,
  ...o
}: ReadyOptions): Promise<{ topics: TopicPlan[]; shut: TopicPlan[] }> => {
  await findAgain(plan.topics, o)
  const [open, shut] = [
    plan.topics.filter(topic => topic.action !== 'refuse' && !gone(topic)),
    plan.topics.filter(({ action }) => action === 'refuse'),
  ]
  if (!partial && shut.length > 0) throw refusal(shut)
  const part = { ...plan, topics: open }
  await identityOf({ ...o, plan: part })
  const refused = (topic: string, error: KmigError) => {
    const at = open.findIndex(each => each.topic === topic)
    for (const planned of open.splice(at, at < 0 ? 0 : 1)) shut.push({ ...planned, ...refusedBy(error) })
  }
  await prepareTopics({ ...o, plan: { ...part, topics: [...open] }, refused: partial ? refused : undefined })
  return { topics: open, shut }
}
