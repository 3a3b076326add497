import { formatBytes, formatCount, formatDuration, formatRate, plural } from '../kit/index.ts'
import type { MirrorEvent, MirrorProgress } from './events.ts'
import { holesText } from './filling.ts'
import type { Refused } from './follow.ts'
import { coverageLines, exceptionLines, planLines } from './ledger-text.ts'
import type { MirrorPlan, TopicPlan } from './plan.ts'
import type { MirrorReport } from './report.ts'

/** The line of an event that stays on the screen. */
export const eventText = (event: MirrorEvent): string | undefined => {
  switch (event.kind) {
    case 'topic-created':
      return `made topic ${event.topic}: ${plural(event.partitions, 'partition')}, ${plural(event.replicationFactor, 'replica')}`
    case 'partitions-added':
      return `topic ${event.topic} has ${plural(event.to, 'partition')} now, ${event.from} before: followed`
    case 'configs-followed':
      return `topic ${event.topic}: ${configChanges(event)}`
    case 'topic-refused':
      return refusedLines(event).join('\n')
    case 'inventory':
      return [
        ...(event.acls > 0 ? [`made ${plural(event.acls, 'ACL')}`] : []),
        ...(event.quotas > 0 ? [`set ${plural(event.quotas, 'quota')}`] : []),
      ]
        .join(' and ')
        .concat(' on the target')
    case 'stopped':
      return `STOPPED ${event.where}: ${event.error.code}: ${event.error.message}`
    case 'translated':
      return `${event.where}: offsets are translated from source offset ${event.from} on: ${event.why}`
    case 'warning':
      return `warning: ${event.where}: ${event.text}`
    case 'share':
      return event.alone
        ? undefined
        : `copies ${plural(event.partitions, 'partition')} of the mirror${event.leads ? ', and leads it' : ''}; other processes copy the rest`
    case 'lapsed':
      return `waits to be an owner again: ${event.why}`
    case 'caught-up':
      return `caught up: ${plural(event.records, 'record')} in ${formatDuration(event.ms)}`
    case 'groups':
    case 'progress':
      return undefined
    default:
      throw event satisfies never
  }
}

const refusedLines = ({ topic, code, why, try: remedies }: Refused): string[] => [
  `NOT MIRRORED ${topic}: ${code}: ${why}`,
  ...remedies.map(text => `  try: ${text}`),
]

const configChanges = ({ set, removed, later }: Extract<MirrorEvent, { kind: 'configs-followed' }>): string =>
  [
    ...Object.entries(set).map(([name, value]) => `${name}=${value}`),
    ...removed.map(name => `${name} back to the default`),
  ]
    .map(change => {
      const name = change.split(/[= ]/)[0] ?? ''
      return `${change}${later.includes(name) ? ' (after the cutover)' : ''}`
    })
    .join(', ')
    .concat(', as on the source now')

/** Where it stands, in one line, and as a part of 1. */
export const progressOf = (event: MirrorProgress): { text: string; part?: number } => {
  const { partitions, records, lag, worst, padding, open, throttle } = event
  const text = [
    `${formatCount(partitions.caughtUp)}/${formatCount(partitions.total)} partitions caught up`,
    ...(partitions.stopped ? [`${partitions.stopped} STOPPED`] : []),
    ...(partitions.waiting ? [`${formatCount(partitions.waiting)} not heard of yet`] : []),
    ...(padding > 0n ? [`${formatCount(padding)} offsets of padding left`] : []),
    `${formatCount(Math.round(event.recordRate))} records/s, ${formatRate(event.byteRate, 1000)}`,
    lagText(event),
    ...(open > 0n ? [`${plural(open, 'record')} in open transactions`] : []),
    ...(worst ? [`most on ${worst.where}: ${formatCount(worst.lag)}`] : []),
    ...(throttle ? [`slowed by ${throttle}`] : []),
  ].join(' | ')
  const total = Number(records + lag)
  return total > 0 ? { text, part: Number(records) / total } : { text }
}

const lagText = ({ lag, lagBytes, lagMs, etaMs }: MirrorProgress): string =>
  [
    `lag ${formatCount(lag)}`,
    ...(lagBytes > 0n ? [formatBytes(lagBytes)] : []),
    ...(lagMs > 0 ? [formatDuration(lagMs)] : []),
    ...(etaMs !== undefined ? [`ETA ${formatDuration(etaMs)}`] : []),
  ].join(', ')

const modes = (partitions: MirrorReport['partitions']): string => {
  const translated = partitions.filter(({ mode }) => mode === 'translated').length
  const filled = partitions.reduce((sum, each) => sum + each.filled, 0n)
  const identical = `${plural(partitions.length - translated, 'partition')} with identical offsets`
  return `${identical}${translated > 0 ? `, ${translated} translated` : ''}${filled > 0n ? `, ${plural(filled, 'hole')} filled` : ''}`
}

/** The report for people. */
export const reportText = (report: MirrorReport): string => {
  const {
    name,
    source,
    target,
    ms,
    copyMs,
    records,
    bytes,
    partitions,
    refused,
    groups: moved,
    inventory,
  } = report
  const sum = (of: 'passed' | 'merged' | 'reencoded') =>
    formatCount(partitions.reduce((total, each) => total + each[of], 0))
  const count = (...kinds: string[]) =>
    moved.rows.filter(({ outcome: { kind } }) => kinds.includes(kind)).length
  const stops = partitions.filter(each => each.stopped)
  const behind = partitions.filter(
    each => !each.stopped && each.sourceEnd !== undefined && each.end < each.sourceEnd,
  )
  return [
    `mirror ${name}: ${source.name} (${source.clusterId}) -> ${target.name} (${target.clusterId})`,
    `  ${plural(records, 'record')}, ${formatBytes(bytes)} in ${formatDuration(ms)}${copyMs > 0 ? `, copied at ${formatRate(bytes, copyMs)}` : ''}`,
    `  ${modes(partitions)}; batches: ${sum('passed')} passed, ${sum('merged')} merged, ${sum('reencoded')} re-encoded`,
    `  group offsets: ${count('committed')} copied, ${count('unchanged', 'renewed')} unchanged, ${count('waiting')} waiting for records, ${count('kept', 'refused')} not moved`,
    ...refused.flatMap(refusedLines).map(line => `  ${line}`),
    ...partitions.flatMap(({ topic, partition: p, translatedFrom, modeWhy }) =>
      translatedFrom === undefined
        ? []
        : [`  translated ${topic}-${p} from offset ${translatedFrom} on: ${modeWhy}`],
    ),
    ...(behind.length > 0 ? [`  ${plural(behind.length, 'partition')} not caught up`] : []),
    ...stops.flatMap(({ topic, partition: p, end, stopped: why }) => [
      `  STOPPED ${topic}-${p} at offset ${end}: ${why?.code}: ${why?.message}`,
      ...(why?.try ?? []).map(text => `    try: ${text}`),
    ]),
    ...exceptionLines(inventory.filter(({ kind }) => kind !== 'topic')).map(text => `  ${text}`),
    ...coverageLines(inventory).map(text => `  of ${source.name}: ${text}`),
  ].join('\n')
}

const waiting = (partitions: TopicPlan['partitions']): string[] => {
  const which = partitions.filter(each => each.waiting).map(({ partition }) => partition)
  return which.length > 0
    ? [`       waiting for a leader on the source: partition ${which.join(', ')}; followed once there is one`]
    : []
}

const modesOf = (partitions: TopicPlan['partitions']): string =>
  [...new Set(partitions.map(({ mode }) => mode))].join(' and ') || 'identical'

const topicLines = ({
  topic,
  action,
  why,
  code,
  try: remedies = [],
  partitions,
  replicationFactor,
  sourceReplicationFactor,
  configs,
}: TopicPlan): string[] => {
  const left = partitions.reduce(
    (sum, { start, end, copied }) => sum + end - (copied !== undefined && copied > start ? copied : start),
    0n,
  )
  const padding = partitions.reduce((sum, each) => sum + each.padding, 0n)
  const fewer =
    replicationFactor < sourceReplicationFactor
      ? ` (the source has ${sourceReplicationFactor}; the target has fewer brokers)`
      : ''
  return [
    `${action.padEnd(6)} ${topic}: ${plural(partitions.length, 'partition')}, ${plural(replicationFactor, 'replica')}${fewer}, ${plural(left, 'offset')} to copy, ${modesOf(partitions)} offsets${padding > 0n ? ` (${formatCount(padding)} offsets of padding)` : ''}`,
    ...(why ? [`       ${code ? `${code}: ` : ''}${why}`] : []),
    ...remedies.map(text => `       try: ${text}`),
    ...waiting(partitions),
    ...Object.entries(configs.final).map(
      ([name, value]) =>
        `       ${name}=${value}${name in configs.held ? ` after the cutover; until then ${configs.held[name]}` : ''}`,
    ),
    ...configs.refused.map(
      ({ name, value, why: reason }) =>
        `       ${name in configs.final ? 'changed' : 'not copied'}: ${name}=${value}: ${reason}`,
    ),
  ]
}

/** The plan for people. */
export const planText = ({
  name,
  source,
  target,
  stateTopic,
  holes,
  topics,
  warnings,
  cutover,
  inventory = [],
}: MirrorPlan): string =>
  [
    `plan of mirror ${name}: ${source.name} (${source.clusterId}) -> ${target.name} (${target.clusterId}); nothing was changed`,
    ...topics.flatMap(topicLines),
    ...(topics.length === 0 ? ['no topic is chosen'] : []),
    `until the cutover every copy has: retention and compaction off, compression.type=producer, CreateTime`,
    holesText(holes),
    ...planLines(inventory),
    ...coverageLines(inventory).map(text => `of ${source.name}: ${text}`),
    ...warnings.map(text => `warning: ${text}`),
    `state is kept in topic ${stateTopic} on the target`,
    ...(cutover ? [`ended by cutover ${cutover.run} at ${cutover.at}`] : []),
  ].join('\n')
