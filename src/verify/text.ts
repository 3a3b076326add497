import { formatBytes, formatCount, formatDuration, formatRate, plural } from '../kit/index.ts'
import type { Difference, Look } from './difference.ts'
import type { VerifyEvent } from './events.ts'
import type { GroupsReport } from './groups.ts'
import type { TopicReport } from './metadata.ts'
import type { PartitionReport } from './partition-report.ts'
import { differencesIn, type VerifyReport } from './report.ts'

const at = (from: bigint, length: bigint): string =>
  length === 1n ? `offset ${from}` : `offsets ${from} to ${from + length - 1n}`
const looks = (look: Look): string =>
  `timestamp ${look.timestamp}, key ${look.key ?? 'null'}, value ${look.value ?? 'null'}, headers ${look.headers}`

/** A difference, in a line for what and where, and one for each side. */
export const differenceText = (each: Difference): string => {
  const { topic, partition, kind, source, target, length, fields, was, is, note } = each
  const where = `${topic}-${partition}`
  const there = target !== undefined && source !== target ? ` (target ${target})` : ''
  const what = {
    changed: `${fields.join(', ')} of the record at ${at(source ?? 0n, 1n)}${there}`,
    missing: `the target has nothing for ${at(source ?? 0n, length)} of the source`,
    extra: `the target has more at ${at(target ?? 0n, length)}`,
    swapped: `the records at ${at(source ?? 0n, 2n)}${there} have changed places`,
    moved: `from ${at(source ?? 0n, 1n)}${there}`,
    corrupt: `damaged at or behind offset ${source ?? target}`,
  }[kind]
  return [
    `${kind.padEnd(7)} ${where}: ${what}${note ? `: ${note}` : ''}`,
    ...(was && kind !== 'moved' ? [`          source: ${looks(was)}`] : []),
    ...(is && kind !== 'moved' ? [`          target: ${looks(is)}`] : []),
  ].join('\n')
}

export const verifyEventText = (event: VerifyEvent): string | undefined => {
  switch (event.kind) {
    case 'failed':
      return `FAILED ${event.where}: ${event.code}: ${event.message}`
    case 'note':
      return event.text
    case 'difference':
    case 'progress':
      return undefined
    default:
      return event satisfies never
  }
}

export const verifyProgress = (event: VerifyEvent): { text: string; part?: number } | undefined => {
  if (event.kind !== 'progress') return undefined
  const { partitions, offsets, bytes, byteRate, etaMs, differences } = event
  const text = [
    `${partitions.done}/${partitions.total} partitions`,
    `${formatCount(offsets.done)} of ${formatCount(offsets.total)} offsets`,
    `${formatBytes(bytes)} read, ${formatRate(byteRate, 1_000)}`,
    ...(differences > 0n ? [`${formatCount(differences)} DIFFERENCES`] : []),
    ...(etaMs === undefined ? [] : [`ETA ${formatDuration(etaMs)}`]),
  ].join(' | ')
  return offsets.total > 0n ? { text, part: Number(offsets.done) / Number(offsets.total) } : { text }
}

const topicLines = ({ topic, there, partitions, settings }: TopicReport): string[] => [
  ...(there ? [] : [`differs ${topic}: the target has no such topic`]),
  ...(there && partitions.source !== partitions.target
    ? [`differs ${topic}: ${partitions.source} partitions on the source, ${partitions.target} on the target`]
    : []),
  ...settings
    .filter(({ outcome }) => outcome !== 'held')
    .map(({ name, source, target, outcome }) =>
      outcome === 'differs'
        ? `differs ${topic}: ${name} is ${source} on the source, ${target} on the target`
        : `note    ${topic}: ${name}=${source}: the target does not know this setting`,
    ),
]

const partitionLines = (each: PartitionReport): string[] => {
  const where = `${each.topic}-${each.partition}`
  const windows = each.differingWindows
  return [
    ...(differencesIn(each) > 0n
      ? [`differs ${where}: ${windows} of ${plural(each.windows, 'window')} of 65,536 offsets`]
      : []),
    ...each.foreign
      .slice(0, 5)
      .map(
        ({ from, to, producerId, why }) =>
          `foreign ${where}: offsets ${from} to ${to} of the target: ${why} (id ${producerId})`,
      ),
    ...each.notCompared.map(
      ({ side, from, to, why }) =>
        `partial ${where}: ${at(from, to - from)} of the ${side} not compared: ${why}`,
    ),
    ...(each.behind > 0n ? [`behind  ${where}: ${plural(each.behind, 'offset')} not copied yet`] : []),
    ...(each.since > 0n
      ? [`since   ${where}: ${plural(each.since, 'offset')} written to the target since the cutover`]
      : []),
    ...(each.open > 0n
      ? [`open    ${where}: ${plural(each.open, 'offset')} of the source behind an open transaction`]
      : []),
    ...(each.failed
      ? [
          `FAILED  ${where}: ${each.failed.code}: ${each.failed.message}`,
          ...each.failed.try.map(text => `    try: ${text}`),
        ]
      : []),
  ]
}

const digestLines = (partitions: readonly PartitionReport[]): string[] => {
  const made = partitions.flatMap(({ digestOld, digestNew }) =>
    digestOld && digestNew ? [digestOld.sha256 === digestNew.sha256] : [],
  )
  if (made.length === 0) return []
  const same = made.filter(equal => equal).length
  return [`digests of ${plural(made.length, 'partition')}: ${same} equal on both sides; --json has them`]
}

const groupLines = ({ findings, refused, compared, same, notCompared }: GroupsReport): string[] => {
  const other = findings.filter(({ equal }) => equal)
  return [
    `group offsets: ${formatCount(same)} of ${formatCount(compared)} the same${other.length > 0 ? `, ${formatCount(other.length)} on the way` : ''}${notCompared > 0 ? `, ${formatCount(notCompared)} on partitions without equal offsets not compared` : ''}`,
    ...findings
      .filter(({ equal }) => !equal)
      .slice(0, 20)
      .map(
        ({ group, topic, partition, source, target, outcome }) =>
          `differs group ${group}: ${topic}-${partition}: ${source} on the source, ${target ?? 'none'} on the target (${outcome})`,
      ),
    ...refused.map(({ group, why }) => `FAILED  group ${group}: ${why}`),
  ]
}

const VERDICTS = {
  equal: 'EQUAL',
  differs: 'NOT EQUAL',
  partial: 'PARTIAL: what was compared is equal, the rest is named above',
  failed: 'FAILED: part of it could not be read; nothing that was read differs',
}

/** The report for people. */
export const verifyText = (report: VerifyReport): string => {
  const { source, target, mirror, partitions, topics, groups, differences, quick, interrupted, bytes, ms } =
    report
  const sum = (of: (each: PartitionReport) => number) =>
    partitions.reduce((total, each) => total + of(each), 0)
  const held = topics.reduce(
    (n, { settings }) => n + settings.filter(({ outcome }) => outcome === 'held').length,
    0,
  )
  const all = partitions.reduce((total, each) => total + differencesIn(each), 0n)
  const made = mirror ? `mirror ${mirror.name}${mirror.cutOver ? ', cut over' : ''}` : 'no mirror known'
  return [
    `verify ${source.name} (${source.clusterId}) and ${target.name} (${target.clusterId}), ${made}`,
    `${plural(topics.length, 'topic')}, ${plural(partitions.length, 'partition')}${held > 0 ? `; ${plural(held, 'setting')} held until the cutover` : ''}`,
    quick
      ? 'records were not read'
      : `${plural(
          sum(each => each.records),
          'record',
        )} compared, ${formatBytes(bytes)} read in ${formatDuration(ms)} (${formatRate(bytes, ms)}); ${plural(
          sum(each => each.untouched),
          'batch',
        ).replace(
          'batchs',
          'batches',
        )} equal as they are, ${formatCount(sum(each => each.unpacked))} unpacked`,
    ...(mirror && !quick
      ? [
          `${formatCount(sum(each => each.headers))} batch headers of the target held against the mirror's ids`,
        ]
      : []),
    ...digestLines(partitions),
    ...topics.flatMap(topicLines),
    ...partitions.flatMap(partitionLines),
    ...differences.map(differenceText),
    ...(all > BigInt(differences.length) ? [`${formatCount(all)} differing offsets in all`] : []),
    ...(partitions.some(({ counts }) => counts.moved > 0n)
      ? ['if offsets need not be equal: --offsets any compares the order of the records alone']
      : []),
    ...(groups ? groupLines(groups) : []),
    ...(interrupted ? ['interrupted: the rest was not compared'] : []),
    VERDICTS[report.verdict],
  ].join('\n')
}
