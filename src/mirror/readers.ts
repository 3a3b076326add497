import {
  type Cluster,
  type CommittedOffset,
  describeGroups,
  EARLIEST,
  groupOffsets,
  partitionKey,
} from '../kafka/index.ts'
import { type During, Offset } from '../kit/index.ts'
import { type GroupReport, syncGroups } from '../offsets/index.ts'
import type { Copies } from './copies.ts'
import { boundsOfLanes } from './groups.ts'
import type { Lane } from './lane.ts'
import { imageBefore } from './reverse-groups.ts'
import type { MirrorState, MovedReaders } from './state.ts'

/** Who reads in a group, on either side: `client@host` of each member. */
export type ReadersSight = { group: string; source: string[]; target: string[] }

/** What became of a group; `why`: in words that name partitions and offsets. */
export type ReadersMoved =
  | { kind: 'moved'; readers: MovedReaders }
  /** It is tried again: members are there, or the copy is not as far as their commit. */
  | { kind: 'waiting'; why: string }
  | { kind: 'refused'; why: string }

type Sides = During & { source: Cluster; target: Cluster }

/** Looks only. */
export const readersOn = async (
  { source, target, signal }: Sides,
  groups: readonly string[],
): Promise<ReadersSight[]> => {
  const [theirs, ours] = await Promise.all(
    [source, target].map(cluster => describeGroups(cluster, groups, { signal })),
  )
  const named = (found: typeof theirs, group: string): string[] =>
    found?.find(({ groupId }) => groupId === group)?.members.map(m => `${m.clientId}@${m.clientHost}`) ?? []
  return groups.map(group => ({ group, source: named(theirs, group), target: named(ours, group) }))
}

/** Why a group can't be written to, if it can't. */
const busy = async (sides: Sides, group: string): Promise<string | undefined> => {
  const [theirs, ours] = await Promise.all(
    [sides.source, sides.target].map(cluster => describeGroups(cluster, [group], { signal: sides.signal })),
  )
  const live = ([found]: typeof theirs & object) =>
    found && !['Empty', 'Dead'].includes(found.state) ? found : undefined
  const [there, here] = [live(theirs ?? []), live(ours ?? [])]
  if (there) return `${there.members.length} members on the source (${there.state})`
  if (here) return `${here.members.length} members on the target already (${here.state}): stop them first`
  return undefined
}

export type MoveReadersOptions = Sides & {
  lanes: readonly Lane[]
  state: MirrorState
  run: string
  group: string
}

/**
 * Moves a group whose readers have stopped: its offsets on the source, verbatim or through the map, are set on the target,
 * read again on both sides, and remembered, so that nobody but its readers commits there from then on. Doing it again
 * changes nothing. A commit that the copy has not reached waits; none is ever clamped.
 */
export const moveReaders = async (o: MoveReadersOptions): Promise<ReadersMoved> => {
  const { source, target, lanes, state, run, group, signal } = o
  const known = state.moved.find(each => each.group === group)
  if (known) return { kind: 'moved', readers: known }
  const before = await busy(o, group)
  if (before) return { kind: 'waiting', why: before }
  const bounds = boundsOfLanes(lanes)
  const unsure = new Set(lanes.flatMap(({ where }) => (bounds.has(where) ? [] : [where])))
  const topics = new Set(lanes.map(({ topic }) => topic))
  const report = await syncGroups({
    ...{ source, target, signal, leave: each => (each === group ? undefined : 'not asked for') },
    boundsOf: (topic, partition) => bounds.get(partitionKey(topic, partition)),
    mirrored: topic => topics.has(topic),
  })
  const set = await outcomeOf(report, { o, unsure })
  if ('kind' in set) return set
  const [theirs, ours] = [await offsetsOf(source, o), await offsetsOf(target, o)]
  const differs = set.rows.filter(
    ({ where, from, to }) => theirs.get(where) !== from || ours.get(where) !== to,
  )
  const [first] = differs
  if (first) {
    const { where, from, to } = first
    const why = `${where} was committed at ${from} and set to ${to}, but stands at ${theirs.get(where)} and ${ours.get(where)} now`
    return { kind: 'waiting', why }
  }
  const after = await busy(o, group)
  if (after) return { kind: 'waiting', why: after }
  const partitions = set.rows.map(({ topic, partition, from, to }) => {
    return { topic, partition, from: String(from), to: String(to) }
  })
  const moved = { run, at: new Date().toISOString(), partitions }
  await state.setMoved(group, moved, { signal })
  return { kind: 'moved', readers: { group, ...moved } }
}

type Set = { where: string; topic: string; partition: number; from: bigint; to: bigint }

/** Where each partition was set, or why one was not. */
const outcomeOf = async (
  { rows, refused }: GroupReport,
  { o, unsure }: { o: Sides & { group: string }; unsure: ReadonlySet<string> },
): Promise<Exclude<ReadersMoved, { kind: 'moved' }> | { rows: Set[] }> => {
  const set: Set[] = []
  const late: string[] = []
  const wrong = refused.flatMap(({ group, why }) => (group === o.group ? [why] : []))
  for (const { topic, partition, source: from, outcome } of rows) {
    const where = partitionKey(topic, partition)
    if (outcome.kind === 'waiting')
      late.push(`${where}: at ${outcome.at}, the copy ends at ${outcome.copied}`)
    else if (outcome.kind === 'kept' || outcome.kind === 'refused')
      (unsure.has(where) ? late : wrong).push(`${where}: ${outcome.why}`)
    else set.push({ where, topic, partition, from, to: outcome.at })
  }
  if (wrong.length > 0) {
    const why = await busy(o, o.group) // somebody came meanwhile
    return why ? { kind: 'waiting', why } : { kind: 'refused', why: wrong.join('; ') }
  }
  return late.length > 0 ? { kind: 'waiting', why: late.join('; ') } : { rows: set }
}

const offsetsOf = async (
  cluster: Cluster,
  { group, signal }: During & { group: string },
): Promise<Map<string, bigint>> => {
  const rows: CommittedOffset[] = (await groupOffsets(cluster, [group], { signal })).get(group) ?? []
  return new Map(
    rows.map(({ topic, partition, offset }) => [partitionKey(topic, partition), offset] as const),
  )
}

/**
 * Moves a group back before anybody but the mirror has written to the target: what its readers have committed there is set
 * on the source, and it is a group like any other again. It follows them backwards too, where they were set back; but not
 * where somebody has committed on the source since it left: there the further one counts.
 */
export const readersBack = async (
  { source, target, state, partitions: copies }: Pick<Copies, 'source' | 'target' | 'state' | 'partitions'>,
  { group, signal }: During & { group: string },
): Promise<ReadersMoved> => {
  const known = state.moved.find(each => each.group === group)
  if (!known) return { kind: 'moved', readers: { group, run: '', at: '', partitions: [] } }
  const o = { source, target, group, signal }
  const before = await busy(o, group)
  if (before) return { kind: 'waiting', why: before }
  const left = new Map(known.partitions.map(each => [partitionKey(each.topic, each.partition), each.from]))
  const now = await offsetsOf(source, o)
  const asks = [...copies.values()].map(copy => ({ ...copy, timestamp: EARLIEST }))
  const starts = await source.listOffsets(asks, { signal, refused: () => {} })
  const report = await syncGroups({
    ...{ source: target, target: source, signal },
    leave: each => (each === group ? undefined : 'not asked for'),
    boundsOf: (topic, partition) => {
      const where = partitionKey(topic, partition)
      const [copy, start] = [copies.get(where), starts.get(where)?.offset]
      if (!copy || start === undefined) return undefined
      const point = { old: copy.place.source, next: copy.place.target }
      return { start: Offset(start), end: point.old, image: at => imageBefore(at, point, copy.map) }
    },
    mayGoBack: (_, topic, partition) => {
      const where = partitionKey(topic, partition)
      return left.get(where) === String(now.get(where))
    },
  })
  const kept = ({ outcome }: GroupReport['rows'][number]) => outcome.kind === 'kept'
  const set = await outcomeOf(
    { ...report, rows: report.rows.filter(row => !kept(row)) },
    { o, unsure: new Set() },
  )
  if ('kind' in set) return set
  const ours = await offsetsOf(source, o)
  const differs = set.rows.find(({ where, to }) => ours.get(where) !== to)
  if (differs)
    return { kind: 'waiting', why: `${differs.where} was set to ${differs.to}, but stands elsewhere` }
  const after = await busy(o, group)
  if (after) return { kind: 'waiting', why: after }
  await state.setMoved(group, null, { signal })
  const partitions = set.rows.map(({ topic, partition, from, to }) => {
    return { topic, partition, from: String(from), to: String(to) }
  })
  return { kind: 'moved', readers: { ...known, partitions } }
}
