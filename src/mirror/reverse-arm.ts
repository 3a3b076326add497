import {
  type Cluster,
  describeTopicConfigs,
  groupOffsets,
  InitProducerId,
  listGroups,
  partitionKey,
  partitionOf,
} from '../kafka/index.ts'
import { chooser, type During, KmigError, Offset } from '../kit/index.ts'
import { StateTopic, unmovable } from '../offsets/index.ts'
import { LIMIT } from './follow-configs.ts'
import { logEndsOf } from './log-ends.ts'
import { newIdentity } from './prepare.ts'
import { headersIn } from './read-back.ts'
import type { Cut, CutPoint, CutPoints, Stranded } from './reverse-shape.ts'
import type { ReverseState } from './reverse-state.ts'
import { type GroundState, MirrorState, type MovedReaders, type TopicState } from './state.ts'

export type ArmOptions = During & {
  /** The new cluster. */
  source: Cluster
  /** The old one. */
  target: Cluster
  /** Of the mirror that was cut over. */
  name: string
  run: string
  groups?: readonly string[] | undefined
  state: ReverseState
}

/** What a topic takes in one batch where its settings can't be read: the least that is common. */
const LEAST_LIMIT = '1000000'
/** From this version on (2.5, KIP-360) a broker takes any first sequence of a producer that it does not know. */
const ANY_SEQUENCE = 3

/**
 * Remembers on the old cluster where the way back begins, after looking that both clusters end there. Gives whether that
 * had been done before. Throws PREFLIGHT, TARGET_TRUNCATED; writes no record to any topic that moves.
 */
export const arm = async (o: ArmOptions, cut: Cut): Promise<boolean> => {
  const { source, target, name, run, state, signal } = o
  const { armed } = state
  if (armed?.run === run) {
    if (sameCut(state.cut, cut)) return true
    await disarm(o)
  }
  const wheres = [...cut.keys()]
  const forward = await StateTopic.read(source, name, { signal })
  const known = forward && new MirrorState(forward)
  const topics = await topicsOf(o, known, wheres)
  const [old, next, limits, committed] = await Promise.all([
    logEndsOf(target, wheres, { signal }),
    logEndsOf(source, wheres, { signal }),
    batchLimits(target, [...topics.keys()], { signal }),
    committedOn(source, cut, { ...o, moved: known?.moved ?? [] }),
  ])
  const anySequence = await takesAnySequence(target, { signal })
  const grounds = new Map<string, GroundState>()
  const stranded: Stranded[] = []
  const points = new Map<string, CutPoint>()
  for (const [where, { old: v, next: given }] of cut) {
    const point = { old: v, next: given ?? imageOf(known, where, v) }
    points.set(where, point)
    const ends = { old: old.get(where)?.leo ?? Offset(0n), next: next.get(where)?.leo ?? Offset(0n) }
    const lost = refusal(where, point, ends)
    if (lost) throw lost
    if (ends.old > point.old) stranded.push({ where, from: point.old, to: ends.old, carried: false })
    const ordinal = anySequence ? BigInt(point.old) : 0n
    grounds.set(where, { source: point.next, ordinal, target: ends.old, begins: true, theirs: [] })
  }
  for (const [topic, made] of topics) {
    made.held[LIMIT] = limits.get(topic) ?? LEAST_LIMIT
    for (let partition = 0; ; partition++) {
      const ground = grounds.get(partitionKey(topic, partition))
      if (!ground) break
      made.starts.push(ground.source)
      if (ground.source !== ground.target) made.translated.push(partition)
    }
  }
  await state.disarm({ signal })
  await state.mirror.setIdentity(await newIdentity({ source, target }, { signal }), { signal })
  await state.mirror.setGrounds(grounds, { signal })
  await state.mirror.setTopics(topics, { signal })
  for (const [where, found] of Map.groupBy(stranded, each => each.where))
    await state.setStranded(where, found, { signal })
  await state.setCut(points, committed, { signal })
  await state.arm(run, { signal })
  return false
}

const sameCut = (known: CutPoints, cut: Cut): boolean =>
  known.size === cut.size &&
  [...cut].every(([where, { old, next }]) => {
    const point = known.get(where)
    return point?.old === old && (next === undefined || point.next === next)
  })

/** Where the mirror put what stands at the end of the old cluster. */
const imageOf = (forward: MirrorState | undefined, where: string, v: Offset): Offset => {
  const { topic, partition } = partitionOf(where)
  const found = forward?.map(topic, partition).map.toTarget(v, v)
  return found?.kind === 'exact' ? found.at : v
}

/** Why a partition can't be armed. */
const refusal = (where: string, point: CutPoint, ends: CutPoint): KmigError | undefined => {
  if (ends.old < point.old) {
    const what = `the old cluster ends at ${ends.old} and was cut at ${point.old}: it lost records that the new one has`
    return new KmigError('TARGET_TRUNCATED', `${where}: ${what}`)
  }
  if (ends.next === point.next) return undefined
  const what = `the new cluster ends at ${ends.next} and was cut at ${point.next}`
  return new KmigError(
    'PREFLIGHT',
    `${where}: ${what}: the way back must be armed before anybody writes there`,
    {
      try: ['stop who writes to the new cluster, and cut over again'],
    },
  )
}

/** Forgets what was armed for this run, as long as nothing was taken back by it. Throws PREFLIGHT else. */
export const disarm = async ({
  target,
  run,
  state,
  signal,
}: Pick<ArmOptions, 'target' | 'run' | 'state' | 'signal'>): Promise<void> => {
  if (state.armed?.run !== run) return
  const ids = state.mirror.producerIds?.data
  const wheres = [...state.cut.keys()]
  const ends = await logEndsOf(target, wheres, { signal })
  for (const where of wheres) {
    const from = state.mirror.ground(where)?.target
    const to = ends.get(where)?.leo
    if (from === undefined || to === undefined || to <= from) continue
    for await (const header of headersIn({ target, ...partitionOf(where), from, to, signal })) {
      if (!ids?.has(header.producerId)) continue
      const what = `${where}: run ${run} was armed, and has taken back offsets ${header.baseOffset} and on since`
      throw new KmigError('PREFLIGHT', what, { try: ['kmig cutover rollback, then cut over in a new run'] })
    }
  }
  await state.disarm({ signal })
}

/** The topics that move, by what both clusters and the mirror's own state say of them. */
const topicsOf = async (
  { source, target, name, signal }: ArmOptions,
  forward: MirrorState | undefined,
  wheres: readonly string[],
): Promise<Map<string, TopicState>> => {
  if (!forward || forward.identity?.sourceClusterId !== target.clusterId)
    throw new KmigError('PREFLIGHT', `no mirror ${name} of the old cluster has left its state on the new one`)
  const names = [...new Set(wheres.map(where => partitionOf(where).topic))]
  const metas = await Promise.all(
    [target, source].map(async cluster => {
      const found = await cluster.metadata(names, { signal })
      return new Map(found.map(meta => [meta.name, meta] as const))
    }),
  )
  const topics = new Map<string, TopicState>()
  for (const topic of names) {
    const [old, next] = metas.map(found => found.get(topic))
    const known = forward.topic(topic)
    const moved = known?.starts.every((_, partition) => wheres.includes(partitionKey(topic, partition)))
    const why = !known
      ? 'the mirror has not copied it'
      : old?.error !== 0 || next?.error !== 0
        ? 'it is not on both clusters'
        : old.topicId !== known.sourceId || next.topicId !== known.targetId
          ? 'it was deleted and made again'
          : moved
            ? undefined
            : 'not all of its partitions were cut'
    if (why !== undefined || !old || !next) throw new KmigError('PREFLIGHT', `topic ${topic}: ${why}`)
    topics.set(topic, {
      sourceId: next.topicId,
      targetId: old.topicId,
      starts: [],
      translated: [],
      compacts: known?.compacts ?? false,
      final: {},
      held: {},
    })
  }
  return topics
}

/** What the groups have committed on the new cluster, on partitions that move; those that read there already go on from there. */
const committedOn = async (
  source: Cluster,
  cut: ReadonlyMap<string, unknown>,
  { groups, moved, signal }: Pick<ArmOptions, 'groups' | 'signal'> & { moved: readonly MovedReaders[] },
): Promise<Map<string, Record<string, bigint>>> => {
  const chosen = chooser(groups)
  const lives = new Set(moved.map(({ group }) => group))
  const found = (await listGroups(source, { signal })).filter(
    group => chosen(group.groupId) && unmovable(group) === undefined && !lives.has(group.groupId),
  )
  const ids = found.map(({ groupId }) => groupId)
  const committed = await groupOffsets(source, ids, { signal, refused: () => {} })
  return new Map(
    [...committed].flatMap(([group, rows]) => {
      const moved = rows.flatMap(({ topic, partition, offset }) => {
        const where = partitionKey(topic, partition)
        return cut.has(where) ? [[where, offset] as const] : []
      })
      return moved.length > 0 ? [[group, Object.fromEntries(moved)] as const] : []
    }),
  )
}

/** What the old cluster takes in one batch. */
const batchLimits = async (
  target: Cluster,
  topics: readonly string[],
  { signal }: During,
): Promise<Map<string, string>> => {
  const found = await describeTopicConfigs(target, topics, { signal, refused: () => {} })
  return new Map(
    [...found].flatMap(([topic, settings]) => {
      const value = settings.find(({ name }) => name === LIMIT)?.value
      return value ? [[topic, value] as const] : []
    }),
  )
}

const takesAnySequence = async (target: Cluster, { signal }: During): Promise<boolean> => {
  for (const nodeId of target.brokers.keys()) {
    const connection = await target.connection(nodeId, 'control', signal)
    if ((connection.supports(InitProducerId) ?? 0) < ANY_SEQUENCE) return false
  }
  return true
}
