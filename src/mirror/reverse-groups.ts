import { type Cluster, EARLIEST, groupOffsets, partitionKey, partitionOf } from '../kafka/index.ts'
import { type During, Offset } from '../kit/index.ts'
import { type GroupReport, type OffsetMap, syncGroups, type Translation } from '../offsets/index.ts'
import type { Lane } from './lane.ts'
import type { CutPoint, Drained, Stranded } from './reverse-shape.ts'
import type { ReverseState } from './reverse-state.ts'
import type { MirrorState } from './state.ts'

export type GroupsBackOptions = During & {
  /** The new cluster. */
  source: Cluster
  /** The old one. */
  target: Cluster
  groups?: readonly string[] | undefined
  state: ReverseState
  /** Of the mirror that was cut over. */
  forward: MirrorState
  lanes: readonly Lane[]
  drained: Drained
}

/**
 * Gives the groups of the old cluster the offsets that they have on the new one. Unlike a mirror this goes backwards too,
 * where a group has committed on the new cluster since the cut; a group that has not stays where it was left on the old one.
 */
export const groupsBack = async (o: GroupsBackOptions): Promise<GroupReport> => {
  const { source, target, groups, state, forward, lanes, drained, signal } = o
  const { cut, groups: atCut, stranded } = state
  const byWhere = new Map(lanes.map(lane => [lane.where, lane] as const))
  const starts = await target.listOffsets(
    [...cut.keys()].map(where => ({ ...partitionOf(where), timestamp: EARLIEST })),
    { signal },
  )
  const report = await syncGroups({
    source,
    target,
    groups,
    boundsOf: (topic, partition) => {
      const where = partitionKey(topic, partition)
      const [lane, point, start] = [byWhere.get(where), cut.get(where), starts.get(where)?.offset]
      const end = drained.points.get(where)?.old
      if (!lane || !point || start === undefined || end === undefined) return undefined
      const { map } = forward.map(topic, partition)
      const carried = stranded.filter(each => each.where === where && each.carried)
      const image = (offset: Offset) => unread(offset, imageBack(offset, { lane, point, map }), carried)
      return { start: Offset(start), end, image }
    },
    mayGoBack: (group, topic, partition, offset) =>
      atCut.get(group)?.[partitionKey(topic, partition)] !== offset,
    signal,
  })
  const rows = report.rows.map(row =>
    row.outcome.kind === 'kept'
      ? { ...row, outcome: { kind: 'unchanged' as const, at: row.outcome.at } }
      : row,
  )
  const unmoved = await unmovedSince(o, new Set(report.refused.map(({ group }) => group)))
  const refused = report.refused.filter(({ group }) => !unmoved.has(group))
  const left = [...unmoved].map(group => ({ group, why: 'it has not moved since the cut' }))
  return { rows, refused, excluded: [...report.excluded, ...left] }
}

/** Of these groups those that need no move: they stand on the new cluster where they stood at the cut, and not further than on the old one. */
const unmovedSince = async (
  { source, target, state: { cut, groups: atCut }, signal }: GroupsBackOptions,
  groups: ReadonlySet<string>,
): Promise<Set<string>> => {
  const ask = { signal, refused: () => {} }
  const [theirs, ours] = [
    await groupOffsets(source, [...groups], ask),
    await groupOffsets(target, [...groups], ask),
  ]
  const still = [...theirs].filter(([group, rows]) => {
    const there = new Map(
      ours.get(group)?.map(row => [partitionKey(row.topic, row.partition), row.offset] as const),
    )
    return rows.every(({ topic, partition, offset }) => {
      const where = partitionKey(topic, partition)
      const point = cut.get(where)
      if (!point) return true
      // where it stood at the cut, the old cluster has its own offset, which is no less if it had read as far there
      const behind = (there.get(where) ?? -1n) < (offset < point.next ? offset : point.old)
      return atCut.get(group)?.[where] === offset && !(behind && point.old === point.next)
    })
  })
  return new Set(still.map(([group]) => group))
}

/**
 * What was carried to the end of the new cluster stands further in front on the old one: who has not read it there yet goes
 * back to before it, and reads what follows it again rather than never see it.
 */
const unread = (offset: Offset, image: Translation, carried: readonly Stranded[]): Translation => {
  const first = carried.find(({ carry }) => carry?.to !== undefined && offset < carry.to)
  return image.kind === 'exact' && first && first.from < image.at ? { kind: 'exact', at: first.from } : image
}

/** Where the record at an offset of the new cluster is on the old one; at the cut itself it is V, whatever stands there. */
export const imageBack = (
  offset: Offset,
  { lane, point, map }: { lane: Pick<Lane, 'map' | 'place'>; point: CutPoint; map: OffsetMap },
): Translation => {
  if (offset > point.next) return lane.map.toTarget(offset, lane.place.source)
  return imageBefore(offset, point, map)
}

/** Where the record at an offset of the copy is on its source, up to where both end: there it is that end. */
export const imageBefore = (offset: Offset, point: CutPoint, map: OffsetMap): Translation => {
  if (offset > point.next) return { kind: 'wait', mirroredTo: point.next }
  if (offset === point.next) return { kind: 'exact', at: point.old }
  const [first] = map.shifts
  const identical = !first || offset < first.target
  const at = identical ? offset : map.runs.sourceOf(map.ordinalAt(offset))
  return { kind: 'exact', at: at < point.old ? at : point.old }
}
