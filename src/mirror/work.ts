import { type Cluster, ERROR, partitionKey, partitionOf } from '../kafka/index.ts'
import type { During } from '../kit/index.ts'
import { type TopicPlan, topicChooser } from './plan.ts'
import { raiseControlEpoch } from './prepare.ts'
import type { MirrorState } from './state.ts'

export type Work = { where: string; weight: number }

const isShut = ({ action }: TopicPlan): boolean => action === 'refuse'
const ASK_MS = 5_000

type WorkOptions = During & {
  source: Cluster
  topics?: readonly string[] | undefined
  exclude?: readonly string[] | undefined
}

/**
 * What there is to share out, and what it weighs: the offsets of planned partitions that are still to be copied. What is
 * remembered and not planned was followed while another process led: it weighs nothing, and somebody must copy it.
 */
export const workOf = async (
  topics: readonly TopicPlan[],
  state: Pick<MirrorState, 'topic' | 'topicNames'> | undefined,
  { source, signal, ...how }: WorkOptions,
): Promise<Work[]> => {
  const chosen = topicChooser(how)
  const work = new Map<string, number>()
  const planned = new Set(topics.map(({ topic }) => topic))
  const known = (state?.topicNames ?? []).filter(name => chosen(name) && !planned.has(name))
  const looked = known.length > 0 ? await source.metadata(known, { signal, withinMs: ASK_MS }) : []
  const there = looked.filter(({ error }) => error !== ERROR.UNKNOWN_TOPIC_OR_PARTITION)
  const open = topics.filter(plan => !isShut(plan))
  for (const name of [...open.map(({ topic }) => topic), ...there.map(({ name }) => name)]) {
    for (const partition of state?.topic(name)?.starts.keys() ?? [])
      work.set(partitionKey(name, partition), 0)
  }
  for (const { topic, partitions } of open) {
    for (const { partition, end, copied = 0n } of partitions)
      work.set(partitionKey(topic, partition), Number(end > copied ? end - copied : 0n))
  }
  return [...work].map(([where, weight]) => ({ where, weight }))
}

/** The same, once what other processes have written since is known, and none of them can write control records any more. */
export const workToShare = async (
  topics: readonly TopicPlan[],
  state: MirrorState | undefined,
  how: WorkOptions & { target: Cluster },
): Promise<Work[]> => {
  await state?.refresh(how)
  if (state) await raiseControlEpoch(how.target, state, how)
  await state?.clearRefused(how)
  return await workOf(topics, state, how)
}

/** Those that there is something to go on for: a topic may have been refused while it was made ready. */
export const partsReady = (wheres: readonly string[], state: Pick<MirrorState, 'topic'>): string[] =>
  wheres.filter(where => {
    const { topic, partition } = partitionOf(where)
    return state.topic(topic)?.starts[partition] !== undefined
  })

/** Whether another process has already made what this plan is to make. */
export const isOutdated = (topics: readonly TopicPlan[], state: Pick<MirrorState, 'topic'>): boolean =>
  topics.some(
    ({ topic, action, partitions }) =>
      (action === 'create' || action === 'adopt' || action === 'grow') &&
      (state.topic(topic)?.starts.length ?? 0) >= partitions.length,
  )

/** A new plan without what appeared after the work was shared out: nobody would copy it. It is followed afterwards. */
export const asShared = (topics: readonly TopicPlan[], work: readonly Work[]): TopicPlan[] => {
  const shared = new Set(work.map(({ where }) => where))
  return topics.flatMap(plan => {
    if (isShut(plan)) return plan
    const partitions = plan.partitions.filter(({ partition }) =>
      shared.has(partitionKey(plan.topic, partition)),
    )
    if (partitions.length === 0) return []
    if (partitions.length === plan.partitions.length) return plan
    const grows = plan.action === 'grow' && partitions.some(({ copied }) => copied === undefined)
    return { ...plan, partitions, action: plan.action === 'grow' && !grows ? 'resume' : plan.action }
  })
}

/**
 * What is ready to be copied and nobody was given: partitions of `found`, the source's topics that are to be mirrored, but
 * of those that are refused. Whoever appears while partitions are shared out can fall between two sharings.
 */
export const uncopied = (
  found: readonly string[],
  {
    state,
    refused,
    given,
  }: { state: Pick<MirrorState, 'topic'>; refused: readonly string[]; given: ReadonlySet<string> },
): string[] =>
  found
    .filter(name => !refused.includes(name))
    .flatMap(name =>
      [...(state.topic(name)?.starts.keys() ?? [])].map(partition => partitionKey(name, partition)),
    )
    .filter(where => !given.has(where))

/** Partitions that nobody was given, each only once: one that can't be given must not end all leases again and again. */
export class Missed {
  readonly #told = new Set<string>()

  fresh(
    found: readonly { name: string }[],
    {
      state,
      refused,
      given,
    }: {
      state: Pick<MirrorState, 'topic'>
      refused: readonly { topic: string }[]
      given: readonly { where: string }[]
    },
  ): string[] {
    const names = found.map(({ name }) => name)
    const missed = uncopied(names, {
      state,
      refused: refused.map(({ topic }) => topic),
      given: new Set(given.map(({ where }) => where)),
    })
    const fresh = missed.filter(where => !this.#told.has(where))
    for (const where of fresh) this.#told.add(where)
    return fresh
  }
}
