import { type Cluster, listGroups } from '../kafka/index.ts'
import { chooser, type During } from '../kit/index.ts'
import type { MirrorPlan } from '../mirror/index.ts'

/** What clients will not find on the new cluster when they are sent there. */
export type LeftBehind = { topics: string[]; groups: { group: string; why: string }[] }

/** Topics that broker and kmig keep for themselves. */
const OWN = /^__(?:consumer_offsets|transaction_state|share_group_state|kmig\..*)$/

/** Topics and groups of the old cluster that this cutover does not take. */
export const whatStays = async (
  source: Cluster,
  { mirror, groups, signal }: During & { mirror: MirrorPlan; groups?: readonly string[] | undefined },
): Promise<LeftBehind> => {
  const moved = new Set(mirror.topics.map(({ topic }) => topic))
  const topics = (await source.metadata('all', { signal })).map(({ name }) => name)
  const chosen = chooser(groups)
  const stay = (await listGroups(source, { signal })).flatMap(({ groupId: group, protocolType }) => {
    if (!chosen(group)) return [{ group, why: 'not chosen by --groups' }]
    const plain = protocolType === 'consumer' || protocolType === ''
    return plain ? [] : [{ group, why: `its protocol is ${protocolType}` }]
  })
  return { topics: topics.filter(name => !moved.has(name) && !OWN.test(name)).sort(), groups: stay }
}
