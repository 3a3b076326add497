import { findingText } from '../discovery/index.ts'
import { formatCount, formatDuration, plural } from '../kit/index.ts'
import { eventText, progressOf } from '../mirror/index.ts'
import { carriedText } from './carry.ts'
import { toldLines } from './doctor/index.ts'
import type { CutoverEvent } from './events.ts'
import type { CutoverPlan } from './plan.ts'
import { sightText } from './readers.ts'
import type { CutoverReport } from './report.ts'
import { type Attempt, type GroupsMoved, laggingText, type ReadersState, type State } from './states.ts'
import type { StatusReport } from './status.ts'
import type { RollbackReport } from './take-back.ts'
import type { VerbReport } from './verbs.ts'

const stateText = (state: State): string => {
  switch (state.at) {
    case 'planned':
      return 'begins'
    case 'mirroring':
      return 'copying what is left'
    case 'caught-up':
      return 'caught up'
    case 'verified':
      return 'contents of both clusters are equal'
    case 'reads-moving':
      return readersText(state.readers)
    case 'reads-moved':
      return `readers of ${plural(state.readers.moved.length, 'group')} have moved; writers still write to the old cluster`
    case 'armed':
      return 'the gate is open, the plan still fits'
    case 'backing-off': {
      const last = state.tried.at(-1)
      return `${last ? attemptText(last) : ''}; once more in ${formatDuration(state.untilMs - (last?.releasedMs ?? 0))}`
    }
    case 'fencing':
      return `keeping writers off: ${state.fence.plan.actions.map(({ effect }) => effect).join('; ')}`
    case 'fenced':
      return state.engaged.evidence.join('; ')
    case 'still': {
      const { windowMs, sweeps, partitions } = state.proof
      return `nobody writes: ${plural(partitions, 'log end')} stood still for ${formatDuration(windowMs)}, in ${sweeps} looks`
    }
    case 'drained':
      return 'the new cluster holds everything, up to the cut and not beyond'
    case 'offsets-set':
      return `offsets of ${plural(state.groups.groups, 'group')} are set on ${plural(state.groups.partitions, 'partition')}`
    case 'checked':
      return 'a last look at both clusters was good'
    case 'sealing':
      return state.seal
        ? `sealing the old cluster: ${state.seal.actions.map(({ effect }) => effect).join('; ')}`
        : 'nothing is left to do before the switch'
    case 'switching':
      return 'writing the files'
    case 'files-written':
      return 'files are written; a last look at both clusters'
    case 'opening':
      return 'clients may come'
    case 'switched':
      return 'SWITCHED'
    case 'aborting':
      return `putting everything back: ${state.why}`
    case 'aborted':
      return 'everything is as it was'
    case 'target-live':
      return 'a client has written to the new cluster'
    case 'soaking':
      return 'the old cluster is quiet; kmig cutover complete ends the run, kmig cutover rollback goes back'
    case 'completing':
      return 'giving the topics their own settings'
    case 'complete':
      return 'COMPLETE'
    case 'back-fencing':
      return `keeping writers off the new cluster: ${state.fence.plan.actions.map(({ effect }) => effect).join('; ')}`
    case 'back-still':
      return 'nobody writes to the new cluster; copying the rest back'
    case 'back-offsets':
      return 'the old cluster holds everything; group offsets are back'
    case 'back-switching':
      return 'putting the files back'
    case 'back-lossy':
      return 'the new cluster is gone: putting the files back without what only it has'
    case 'rolled-back':
      return 'ROLLED BACK'
    default:
      return state satisfies never
  }
}

const attemptText = ({ driver, sinceMs, releasedMs, at, why }: Attempt): string =>
  `writers go on after ${formatDuration(releasedMs - sinceMs)} (${driver}, when ${at}): ${why}`

const driftText = (found: readonly string[]): string => `WARNING changed since the plan: ${found.join('; ')}`

const readersText = ({ moved, moving }: ReadersState): string => {
  const last = moved.at(-1)
  if (moving !== undefined && last?.group !== moving)
    return `stopping readers of ${moving} on the old cluster`
  if (!last) return 'waiting for readers to stop on the old cluster'
  const set = last.partitions.map(
    ({ topic, partition, from, to }) => `${topic}-${partition} ${from} -> ${to}`,
  )
  return `readers of ${last.group} may start on the new cluster: ${shortened(set) || 'they had committed nothing'}`
}

/** The line of an event that stays. */
export const cutoverEventText = (event: CutoverEvent): string | undefined => {
  switch (event.kind) {
    case 'state':
      return `${event.state.at}: ${stateText(event.state)}`
    case 'mirror':
      return eventText(event.event)
    case 'gate':
      return `waits before the fence: ${event.why}`
    case 'hook': {
      const { name, rc, ms, writersLeft } = event.hook
      const left = writersLeft === undefined ? '' : `, writers-left=${writersLeft}`
      return `hook ${name}: ended with ${rc} after ${formatDuration(ms)}${left}`
    }
    case 'carried':
      return `carried to the new cluster: ${event.carried.map(carriedText).join('; ')}`
    case 'drift':
      return driftText(event.found)
    case 'readers':
    case 'readers-first':
    case 'back':
    case 'watch':
      return undefined
    default:
      return event satisfies never
  }
}

/** The line of an event that moves. */
export const cutoverProgressOf = (event: CutoverEvent): { text: string; part?: number } | undefined => {
  if (event.kind === 'readers')
    return { text: `waiting for readers: ${event.lagging.map(laggingText).join(', ')}` }
  if (event.kind === 'readers-first')
    return { text: `waiting for readers to move: ${event.waiting.map(sightText).join('; ')}` }
  if (event.kind === 'back') return { text: `copying back: ${event.records} records left` }
  if (event.kind === 'watch') {
    const { lag, oldQuietMs, stranded } = event.watch
    const back = lag === undefined ? '' : `, ${lag} records to copy back`
    const late = stranded.length > 0 ? `, STRANDED ${stranded.join(', ')}` : ''
    return { text: `the old cluster is quiet for ${formatDuration(oldQuietMs)}${back}${late}` }
  }
  return event.kind === 'mirror' && event.event.kind === 'progress' ? progressOf(event.event) : undefined
}

export const cutoverPlanText = (plan: CutoverPlan): string => {
  const { from, to, topics, discovery, leftBehind, actions, blockers, cutover, unfinished, document, notes } =
    plan
  const left = topics.reduce((sum, topic) => sum + topic.left, 0n)
  return [
    `plan: '${from.name}' (${from.clusterId}) -> '${to.name}' (${to.clusterId}); nothing was changed`,
    `${plural(topics.length, 'topic')}, ${plural(left, 'offset')} still to copy`,
    ...discovery.entries.map(
      ({ path, line, cluster, is }) =>
        `${path}:${line}: ${cluster} ${is === 'change' ? 'moves' : 'names the new cluster already'}`,
    ),
    ...discovery.findings.map(findingText),
    ...(leftBehind.topics.length > 0
      ? [`STAYS on '${from.name}', though its clients leave: ${shortened(leftBehind.topics)}`]
      : []),
    ...leftBehind.groups.map(({ group, why }) => `STAYS on '${from.name}': group ${group}: ${why}`),
    ...actions.map(({ effect, proof }, i) => `${i + 1}. ${effect} [${proof}]`),
    ...(cutover ? [`cutover ${cutover.run} has switched at ${cutover.at}`] : []),
    ...(unfinished
      ? [`run ${unfinished.run} was killed when ${unfinished.at}; --execute goes on with it`]
      : []),
    ...(plan.preflight ? toldLines(plan.preflight) : []),
    ...notes.map(note => `note: ${note}`),
    ...blockers.map(blocker => `BLOCKED: ${blocker}`),
    ...(document
      ? [`plan ${document.run} (${document.hash.slice(0, 12)}) is kept for 24 h: --execute acts on it`]
      : []),
  ].join('\n')
}

const shortened = (names: readonly string[]): string =>
  names.length > 10 ? `${names.slice(0, 10).join(', ')} and ${names.length - 10} more` : names.join(', ')

const groupLines = ({ groups, partitions, left }: GroupsMoved): string[] => [
  `  offsets of ${plural(groups, 'group')} on ${plural(partitions, 'partition')}`,
  ...left.map(({ group, why }) => `  group ${group} was left as it is: ${why}`),
]

export const cutoverReportText = (report: CutoverReport): string => {
  const { run, already, from, to, files, partitions, groups, pauseMs, stranded, timings, commit, state } =
    report
  const records = partitions.reduce((sum, { cut }) => sum + BigInt(cut), 0n)
  return [
    `cutover ${run}: '${from.name}' -> '${to.name}'${already ? ' was done before; nothing was changed' : ''}`,
    ...files.map(
      ({ path, shaBefore, shaAfter }) => `  ${path}: ${shaBefore.slice(0, 12)} -> ${shaAfter.slice(0, 12)}`,
    ),
    `  ${plural(partitions.length, 'partition')} end at the cut, ${formatCount(records)} offsets in all`,
    ...(commit ? [`  committed ${commit.commit.slice(0, 12)} on ${commit.branch}`] : []),
    ...(report.certificate
      ? [`  certificate ${report.certificate.html}: ${report.certificate.verdict}`]
      : []),
    ...groupLines(groups),
    ...(report.readersFirst.length > 0 ? [`  readers of ${shortened(report.readersFirst)} moved first`] : []),
    `  write pause ${formatDuration(pauseMs)} until the files were written`,
    ...report.attempts.map((each, i) => `  attempt ${i + 1}: ${attemptText(each)}`),
    `  ${timings.map(({ state, ms }) => `${state} ${formatDuration(ms)}`).join(', ')}`,
    ...stranded.map(range => `  STRANDED on the old cluster, written after the cut: ${range}`),
    ...(report.drift.length > 0 ? [`  ${driftText(report.drift)}`] : []),
    `${state}: start the clients now: they read the files when they start. kmig cutover status tells what can be done`,
  ].join('\n')
}

const standingLines = (run: string, standing: readonly string[]): string[] =>
  standing.length === 0
    ? []
    : [
        `  KEPT OFF the new cluster still, as nobody said that all clients have left it: ${shortened([...standing])}`,
        `    once they have: kmig cutover rollback --run ${run} --clients-left; a new cutover of these topics ends it by itself, when clients may come`,
      ]

export const rollbackText = (report: RollbackReport): string => {
  const { run, already, files, groups, commit, lost, undone, standing } = report
  return [
    `cutover ${run} is rolled back${already ? ' already; nothing was changed' : ''}`,
    ...files.changed.map(path => `  ${path} is as it was`),
    ...lost.map(range => `  LOST to the clients, on the new cluster only: ${range}`),
    ...undone.map(what => `  NOT DONE: ${what}`),
    ...standingLines(run, standing),
    ...(commit ? [`  committed ${commit.commit.slice(0, 12)} on ${commit.branch}`] : []),
    ...groupLines(groups),
    'restart the clients: they read the files when they start',
  ].join('\n')
}

const fenceText = ({ driver, elapsedMs, maxMs }: NonNullable<StatusReport['fence']>): string =>
  `  writers are kept off (${driver}) for ${formatDuration(elapsedMs)}${maxMs === undefined ? '' : ` of ${formatDuration(maxMs)}`}`
const watchText = ({ agoMs, lag, oldQuietMs }: NonNullable<StatusReport['watch']>): string[] => [
  `  ${formatDuration(agoMs)} ago the old cluster was quiet for ${formatDuration(oldQuietMs)}${lag === undefined ? '' : `, ${lag} records to copy back`}`,
]

const readersLine = ({ group, state, partitions, members, why }: StatusReport['readers'][number]): string =>
  state === 'moved'
    ? `  readers of ${group} have moved: offsets on ${plural(partitions.length, 'partition')}`
    : `  waits for readers to move: ${sightText({ group, source: members.old, target: members.new, why })}`

export const statusText = ({
  run,
  state,
  class: kind,
  means,
  runner,
  held,
  fence,
  proofAgeMs,
  watch,
  readers,
  drift,
  from,
  to,
  files,
  timings,
  directory,
  standing,
  ...more
}: StatusReport): string =>
  [
    `run ${run}: ${state} (${kind}): ${means}`,
    ...(runner === undefined ? [] : [`  process ${runner} runs it`]),
    ...(held === undefined ? [] : [`  waits before the fence: ${held}`]),
    ...readers.map(readersLine),
    ...(fence ? [fenceText(fence)] : []),
    ...(proofAgeMs === undefined ? [] : [`  proved ${formatDuration(proofAgeMs)} ago that nobody writes`]),
    ...(watch ? watchText(watch) : []),
    ...strandedLines(more),
    ...standing.flatMap(each => standingLines(each.run, each.what)),
    ...drift.map(({ at, found }) => `  ${at} ${driftText(found)}`),
    `  '${from.name}' (${from.clusterId}) -> '${to.name}' (${to.clusterId}), in ${directory}`,
    ...files.map(
      ({ path, shaBefore, shaAfter }) => `  ${path}: ${shaBefore.slice(0, 12)} -> ${shaAfter.slice(0, 12)}`,
    ),
    ...timings.map(({ state: at, at: when, ms }) => `  ${when} ${at} (${formatDuration(ms)})`),
  ].join('\n')

const strandedLines = ({ stranded, carried }: Pick<VerbReport, 'stranded' | 'carried'>): string[] => [
  ...stranded.map(range => `  STRANDED on the old cluster, written after the cut: ${range}`),
  ...carried.map(range => `  carried to the new cluster, written to the old one after the cut: ${range}`),
]

export const verbText = ({ run, state, means, class: kind, undone, ...more }: VerbReport): string =>
  [
    `run ${run}: ${state} (${kind}): ${means}`,
    ...strandedLines(more),
    ...undone.map(what => `  NOT DONE: ${what}`),
  ].join('\n')
