import type { Sync } from '../inventory/index.ts'
import type { TopicMetadata } from '../kafka/index.ts'
import { KmigError, type Offset } from '../kit/index.ts'
import type { TopicPlan } from './plan.ts'
import type { CutoverState, TopicState } from './state.ts'

/** A topic that the mirror has not copied yet, or whose copy the operator has deleted. */
export const isAnew = (action: TopicPlan['action']): boolean => action === 'create' || action === 'adopt'

type Verdict = Pick<TopicPlan, 'action' | 'why' | 'code' | 'try'>
/** A topic that can't be mirrored, for this reason. */
export const refusedBy = ({ code, message, suggestions }: KmigError): Verdict => {
  return { action: 'refuse', why: message, code, try: suggestions }
}
/** What the target has under this name is not this mirror's, or no copy of this topic any more. */
const strange = (topic: string, why: string): Verdict => {
  const next = [
    `leave it out: --exclude ${topic}`,
    `or delete topic ${topic} on the target, if nobody needs what it holds: it is copied anew then`,
  ]
  return refusedBy(new KmigError('TARGET_NOT_EMPTY', why, { try: next }))
}

const notMade = (): Verdict =>
  refusedBy(
    new KmigError('PREFLIGHT', 'it is not on the target, and --sync does not name topics', {
      try: ['add topics to --sync', 'or make it on the target'],
    }),
  )

/** What becomes of a topic that kmig's user may see on both sides. `copied`: where the target's partitions end. */
export const judge = (
  source: TopicMetadata,
  target: TopicMetadata | undefined,
  known: TopicState | undefined,
  copied: (partition: number) => Offset | undefined,
  { sync, cutover }: { sync?: readonly Sync[] | undefined; cutover: CutoverState | undefined },
): Verdict => {
  const refuse = (why: string) => strange(source.name, why)
  if (!target) {
    if (known && cutover) return refuse('this mirror made it on the target, and it is gone there')
    return sync && !sync.includes('topics') ? notMade() : { action: 'create', why: undefined }
  }
  const made = known?.targetId === target.topicId
  if (known && !made && (cutover || target.partitions.some(({ partition }) => copied(partition) !== 0n)))
    return refuse('it was deleted and made again on the target by somebody else')
  if (known && made) {
    if (known.sourceId !== source.topicId)
      return refuse('it was deleted and made again on the source: the copy is of the topic before')
    return judgeGrowth(source, target, known, copied)
  }
  if (target.partitions.length !== source.partitions.length) {
    return refuse(
      `the target has a topic of this name with ${target.partitions.length} partitions, the source's has ${source.partitions.length}`,
    )
  }
  const written = strangersIn(source.name, target.partitions, copied)
  return written ?? { action: 'adopt', why: undefined }
}

/** A topic that this mirror made and the source has given more partitions: the target's is made to have them first. */
const judgeGrowth = (
  source: TopicMetadata,
  target: TopicMetadata,
  { starts }: TopicState,
  copied: (partition: number) => Offset | undefined,
): Verdict => {
  const refuse = (why: string) => strange(source.name, why)
  const [theirs, ours, mirrored] = [source.partitions.length, target.partitions.length, starts.length]
  if (ours > theirs)
    return refuse(
      `the target has ${ours} partitions, the source ${theirs}: keyed records would go elsewhere after a cutover`,
    )
  if (theirs < mirrored) return refuse(`it has ${theirs} partitions on the source, ${mirrored} were mirrored`)
  if (theirs === mirrored) return { action: 'resume', why: undefined }
  const written = strangersIn(source.name, target.partitions.slice(mirrored), copied)
  return written ?? { action: 'grow', why: undefined }
}

const strangersIn = (
  topic: string,
  partitions: TopicMetadata['partitions'],
  copied: (partition: number) => Offset | undefined,
): Verdict | undefined => {
  const written = partitions.find(({ partition }) => copied(partition) !== 0n)?.partition
  if (written === undefined) return undefined
  const end = copied(written)
  if (end !== undefined)
    return strange(
      topic,
      `the target has a topic of this name with records that this mirror did not write (partition ${written} ends at ${end})`,
    )
  const why = `partition ${written} of the target's topic has no leader, so whether it is empty can't be told`
  return refusedBy(new KmigError('UNREACHABLE', why, { try: ['bring the brokers of that partition back'] }))
}
