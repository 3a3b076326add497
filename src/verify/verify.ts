import { Cluster, FramePool } from '../kafka/index.ts'
import { type During, KmigError } from '../kit/index.ts'
import type { Difference } from './difference.ts'
import { compareGroups } from './groups.ts'
import { type KnownMirror, knownMirror } from './known-mirror.ts'
import { type TopicReport, topicReport } from './metadata.ts'
import { meter } from './meter.ts'
import type { VerifyOptions } from './options.ts'
import { paced } from './pace.ts'
import { makerOf, type Run, verifyPartition } from './partition.ts'
import type { PartitionReport } from './partition-report.ts'
import { SAME_PLACES } from './places.ts'
import { notRead, unreadable, type VerifyReport, verdictOf } from './report.ts'
import { type PartitionScope, scopeOf, type TopicScope } from './scope.ts'
import { StateFile } from './state-file.ts'
import { narrowed } from './within.ts'

/** Partitions at work at a time, each on a connection of its own to its leaders. */
const AT_ONCE = 8
/** Asked for at a time, by all partitions at work on one side together; each holds two such answers. */
const BYTES = { all: 16 << 20, most: 8 << 20 }
const FIRST = 20

/**
 * Reads both clusters back and says whether they hold the same: topics, settings, records, group offsets, and on a
 * mirror's target who wrote them. Writes nothing to either. Throws UNREACHABLE, PREFLIGHT, TOPIC_MISSING, STATE_DAMAGED.
 */
export const verify = async (options: VerifyOptions): Promise<VerifyReport> => {
  const { from, to, signal, first = FIRST, offsets = 'auto', digests = false, on } = options
  const started = performance.now()
  const pools = { source: new FramePool(), target: new FramePool() }
  await using source = await Cluster.open({ ...from, signal, pool: pools.source })
  await using target = await Cluster.open({ ...to, signal, pool: pools.target })
  if (source.clusterId === target.clusterId) {
    const what = `'${from.name}' and '${to.name}' are the same cluster, ${source.clusterId}`
    throw new KmigError('PREFLIGHT', what, { try: ['name two different clusters with --from and --to'] })
  }
  // What the mirror had seen acknowledged is asked before the ends of the target, what it knows of holes after them:
  // it keeps that before it writes what rests on it.
  const name = options.name ?? source.clusterId
  const before = await knownMirror(source, target, name, options)
  const all = await scopeOf({
    ...options,
    source,
    target,
    topics: options.topics,
    exclude: options.exclude,
    within: options.within,
  })
  const mirror = await knownMirror(source, target, name, options)
  if (options.name !== undefined && !mirror) {
    const what = `'${to.name}' holds no state of a mirror ${name} of '${from.name}'`
    throw new KmigError('PREFLIGHT', what, { try: ['leave --name out: the copy is compared without it'] })
  }
  const scopes = narrowed(
    all,
    options.within,
    (topic, partition) => mirror?.places(topic, partition) ?? SAME_PLACES,
  )
  if (scopes.length === 0) {
    const what = `no topic of '${from.name}' is chosen`
    throw new KmigError('TOPIC_MISSING', what, { try: ['see --topics and --exclude'] })
  }
  const ends = { source: source.clusterId, target: target.clusterId }
  const state =
    options.state === undefined ? undefined : StateFile.open(options.state, { ...ends, offsets, digests })
  await state?.save() // or it is found out at the end that it can't be written
  const pace = paced(options.maxRate)
  const count = scopes.reduce((sum, { partitions }) => sum + partitions.length, 0)
  const run: Run = {
    ...{ source, target, mirror, offsets, first, digests, pools, pace, signal },
    bounded: options.within !== undefined,
    anchorOf: ({ topic, partition }) => before?.state.anchor(`${topic}-${partition}`)?.offset,
    showKeys: options.showKeys ?? false,
    keysAtOnce: options.keysAtOnce,
    bytes: Math.min(
      BYTES.most,
      BYTES.all / Math.max(1, Math.min(AT_ONCE, count)),
      (options.maxRate ?? 1e9) / 4,
    ),
  }
  const done = options.quick
    ? { reports: scopes.flatMap(({ partitions }) => partitions.map(notRead)), first: [] }
    : await compareAll(scopes, { run, state, on })
  const interrupted = signal.aborted
  const again = interrupted ? new Set<string>() : await madeAgain(scopes, { source, target, signal })
  const partitions = [...done.reports, ...scopes.flatMap(unreadable)].map(each => withTopic(each, again))
  const known = new Map(partitions.map(report => [`${report.topic}-${report.partition}`, report]))
  const groups =
    interrupted || options.recordsOnly
      ? undefined
      : await compareGroups({
          ...{ source, target, groups: options.groups, signal },
          known: (topic, partition) => {
            const report = known.get(`${topic}-${partition}`)
            const places = mirror?.places(topic, partition) ?? SAME_PLACES
            return report && { report, places, maker: makerOf(mirror, topic) }
          },
        })
  const found = {
    source: { name: from.name, clusterId: source.clusterId },
    target: { name: to.name, clusterId: target.clusterId },
    mirror: mirror && { name: mirror.name, cutOver: mirror.cutOver },
    quick: options.quick ?? false,
    strict: options.strict ?? false,
    interrupted,
    ms: Math.round(performance.now() - started),
    bytes: pace.bytes,
    topics: options.recordsOnly
      ? incomplete(scopes, mirror)
      : scopes.map(scope => topicReport(scope, mirror)),
    partitions: partitions.sort((a, b) =>
      a.topic === b.topic ? a.partition - b.partition : a.topic < b.topic ? -1 : 1,
    ),
    groups,
    differences: done.first.slice(0, first),
  }
  return { verdict: verdictOf(found), ...found }
}

type All = { run: Run; state: StateFile | undefined; on: VerifyOptions['on'] }
type Job = { scope: PartitionScope; topic: TopicScope }

/** Partitions by a few workers, the longest first. */
const compareAll = async (
  scopes: readonly TopicScope[],
  { run, state, on }: All,
): Promise<{ reports: PartitionReport[]; first: Difference[] }> => {
  const jobs: Job[] = scopes
    .flatMap(topic => topic.partitions.map(scope => ({ scope, topic })))
    .sort((a, b) => Number(lengthOf(b.scope) - lengthOf(a.scope)))
  const reports: PartitionReport[] = []
  const firsts: Difference[][] = []
  using progress = meter(
    jobs.map(({ scope }) => lengthOf(scope)),
    { pace: run.pace, on },
  )
  const work = async (slot: number): Promise<void> => {
    for (let job = jobs.shift(); job && !run.signal.aborted; job = jobs.shift()) {
      const { scope, topic } = job
      const where = `${scope.topic}-${scope.partition}`
      const ids = { sourceId: topic.source.topicId, targetId: topic.target?.topicId ?? '' }
      const moved = progress.begin()
      try {
        const { report, first } = await verifyPartition({
          ...{ run, scope, slot, compacted: topic.compacted, earlier: state?.earlier(where, ids) },
          on: standing => {
            state?.note(where, ids, standing)
            moved.to(BigInt(standing.reached.source) - scope.source.start)
          },
          difference: difference => {
            progress.differs()
            on?.({ kind: 'difference', difference })
          },
        })
        if (report.failed)
          on?.({ kind: 'failed', where, code: report.failed.code, message: report.failed.message })
        reports.push(report)
        firsts.push(first)
        moved.end(lengthOf(scope))
      } catch (e) {
        if (!run.signal.aborted) throw e
        reports.push(notRead(scope))
      }
    }
  }
  try {
    await Promise.all(Array.from({ length: AT_ONCE }, (_, slot) => work(slot)))
  } finally {
    await state?.save()
  }
  reports.push(...jobs.map(({ scope }) => notRead(scope)))
  return { reports, first: firsts.flat() }
}

const lengthOf = ({ source }: PartitionScope): bigint => source.end - source.start

/** Topics and partitions that the target has not got, settings apart. */
const incomplete = (scopes: readonly TopicScope[], mirror: KnownMirror | undefined): TopicReport[] =>
  scopes
    .filter(({ source, target }) => (target?.partitions.length ?? 0) < source.partitions.length)
    .map(scope => ({ ...topicReport(scope, mirror), settings: [] }))

/** Topics that are not the ones any more whose records were read. */
const madeAgain = async (
  scopes: readonly TopicScope[],
  { source, target, signal }: { source: Cluster; target: Cluster } & During,
): Promise<Set<string>> => {
  const ids = async (cluster: Cluster) =>
    new Map(
      (
        await cluster.metadata(
          scopes.map(({ topic }) => topic),
          { signal },
        )
      ).map(({ name, topicId }) => [name, topicId]),
    )
  const [ours, theirs] = [await ids(source), await ids(target)]
  return new Set(
    scopes
      .filter(
        scope =>
          ours.get(scope.topic) !== scope.source.topicId ||
          (scope.target && theirs.get(scope.topic) !== scope.target.topicId),
      )
      .map(({ topic }) => topic),
  )
}

const withTopic = (report: PartitionReport, again: ReadonlySet<string>): PartitionReport => {
  if (!again.has(report.topic) || report.failed) return report
  const message = `${report.topic} was deleted, or deleted and made again, while it was compared`
  return { ...report, failed: { code: 'TOPIC_RECREATED', message, try: ['run it again'], exit: 7 } }
}
