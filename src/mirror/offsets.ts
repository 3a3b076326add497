import { type During, KmigError, Offset } from '../kit/index.ts'
import { type GroupReport, syncGroups, type Translation } from '../offsets/index.ts'
import { Copies, type CopiesOptions } from './copies.ts'
import { leaving } from './groups.ts'

export type GroupOffsetsReport = GroupReport & { name: string }

/** Group offsets of both sides, and why one can't be moved; `move` moves those that can. Throws CUT_OVER before that. */
export const groupOffsetsOf = async (
  options: CopiesOptions & { groups?: readonly string[] | undefined; move: boolean },
): Promise<GroupOffsetsReport> => {
  await using copies = await Copies.open(options)
  const { source, target, name, state, partitions } = copies
  const { cutover } = state
  if (options.move && cutover) {
    const what = `mirror ${name} was ended by cutover ${cutover.run} at ${cutover.at}: the groups commit on the target now`
    throw new KmigError('CUT_OVER', what, { try: ['kmig offsets show'] })
  }
  const topics = new Set([...partitions.values()].map(({ topic }) => topic))
  const report = await syncGroups({
    source,
    target,
    groups: options.groups,
    leave: leaving(state.moved),
    boundsOf: (topic, partition) => copies.boundsOf(topic, partition),
    mirrored: topic => topics.has(topic),
    dryRun: !options.move,
    signal: options.signal,
  })
  return { name, ...report }
}

export type TranslateOptions = Omit<CopiesOptions, 'topics' | 'exclude'> & {
  topic: string
  partition: number
  offsets: readonly bigint[]
  /** From the target to the source. */
  reverse: boolean
}
export type TranslateReport = {
  name: string
  topic: string
  partition: number
  mode: 'identical' | 'translated'
  modeWhy: string | undefined
  translatedFrom: bigint | undefined
  /** Source offsets before this are on the target, which ends at `end`. */
  copied: bigint
  end: bigint
  holes: bigint
  runs: number
  translations: (Translation & { offset: bigint })[]
}

/** Where offsets of one side are on the other. */
export const translateOffsets = async (options: TranslateOptions & During): Promise<TranslateReport> => {
  const { topic, partition, offsets, reverse } = options
  await using copies = await Copies.open({ ...options, topics: [topic] })
  const copy = copies.partitions.get(`${topic}-${partition}`)
  if (!copy) {
    throw new KmigError('TOPIC_MISSING', `mirror ${copies.name} has no copy of ${topic}-${partition}`, {
      try: ['see --topic, --partition and --name'],
    })
  }
  const { map, place, why, targetStart: start } = copy
  const translate = (offset: bigint): Translation =>
    reverse
      ? map.toSource(Offset(offset), { start, end: place.target })
      : map.toTarget(Offset(offset < copy.start ? copy.start : offset), place.source)
  return {
    name: copies.name,
    topic,
    partition,
    mode: map.translated ? 'translated' : 'identical',
    modeWhy: why,
    translatedFrom: map.shifts[0]?.source,
    copied: place.source,
    end: place.target,
    holes: map.runs.holes,
    runs: map.runs.runs,
    translations: offsets.map(offset => ({ offset, ...translate(offset) })),
  }
}
