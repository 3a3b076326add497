import { join } from 'node:path'
import { addressesOf, findingText, type NamedCluster, type Plan, readDirectory } from '../discovery/index.ts'
import { Cluster } from '../kafka/index.ts'
import { type During, formatHostPort, plural } from '../kit/index.ts'
import { newRun } from '../load/index.ts'
import type { SandboxOptions } from '../sandbox/index.ts'
import { type Cloned, cloneOnto, lookAtTopics } from './clone.ts'
import { type Cast, Crowd } from './crowd.ts'
import { Play, type PlayEvent, type Round, type WayBack } from './play.ts'
import { bytesIn, copyFiles, differing, locateOnStage, planReal, sendToStage } from './rehearse-files.ts'
import { isRehearsed } from './rehearse-report.ts'
import { judge, type LogVerdict } from './verdict.ts'
import { openWorld, VERSIONS, type World } from './world.ts'

export type RehearseReport = {
  ms: number
  from: { name: string; clusterId: string; roundTripMs: number }
  stage: { old: string; new: string }
  clone: Omit<Cloned, 'topics' | 'ends'> & { topics: number }
  files: { edits: number; blockers: string[]; warnings: string[]; untouched: boolean; restored: boolean }
  rounds: Round[]
  rollback: Omit<WayBack, 'restored'>
  predicted: { pauseMs: number; windowMs: number; restMs: number }
  logs: LogVerdict
  ok: boolean
}

export type RehearseOptions = During<PlayEvent> & {
  sandbox: SandboxOptions
  from: NamedCluster
  to: NamedCluster
  /** Directory of the real discovery files: read and copied. */
  discovery: string
  followSymlinks?: boolean | undefined
  acceptMentions?: readonly string[] | undefined
  topics?: readonly string[] | undefined
  exclude?: readonly string[] | undefined
  groups?: readonly string[] | undefined
  /** Records of each partition that are cloned, the newest. */
  sample: number
  /** What the real cutover will be given, for the prediction. */
  stillForMs: number
  keep: boolean
}

/**
 * The whole cutover and its way back on throw-away clusters that hold a clone of the real topics, with clients that
 * follow a copy of the real discovery files. Reads the real cluster and the real files, and changes neither.
 */
export const rehearse = async (options: RehearseOptions): Promise<RehearseReport> => {
  const { signal, sandbox, discovery, followSymlinks } = options
  const start = performance.now()
  const tell = (text: string) => options.on?.({ kind: 'step', text })
  await readDirectory(discovery, { followSymlinks, signal }) // what needs no server goes first
  const before = await bytesIn(discovery)
  const old = await addressesOf(options.from, { offline: false, signal })
  const next = { brokers: options.to.bootstrap.map(formatHostPort), zookeeper: options.to.zookeeper }
  const plan = await planReal({ discovery, followSymlinks, old, signal }, next)
  await using real = await Cluster.open({ ...options.from, signal })
  const found = await lookAtTopics(real, options)
  const from = {
    name: options.from.name ?? '',
    clusterId: real.clusterId,
    roundTripMs: await roundTrip(real, signal),
  }
  tell(
    `'${from.name}' holds ${plural(found.topics.length, 'topic')} that are chosen; the files name it ${plural(plan.edits.length, 'time')}`,
  )
  tell(`starting Kafka ${VERSIONS.old} (old) and ${VERSIONS.new} (new), to be thrown away`)
  await using world = await openWorld({
    ...sandbox,
    signal,
    prefix: 'kmig-rehearsal-',
    on: event => {
      if (event.kind === 'fetching') tell(`fetching servers through Maven, once: ${event.directory}`)
      if (event.kind === 'kept') tell(`logs and data of the servers are kept in ${event.directory}`)
    },
  })
  if (options.keep) tell(`files are kept in ${world.keep()}`)
  await copyFiles(discovery, world.discovery)
  const copy = { discovery: world.discovery, followSymlinks, old, signal }
  await sendToStage(copy, world.old, join(world.state, 'to-the-stage'))
  await using stage = await Cluster.open({ bootstrap: world.old.bootstrap, signal })
  const cloned = await cloneOnto(stage, real, found, { signal })
  tell(`cloned ${plural(cloned.partitions, 'partition')} with ${plural(cloned.records, 'real record')}`)
  await using crowd = await Crowd.open(castOf(world, cloned), { run: newRun(), journals: world.journals })
  await using play = await Play.open(world, crowd, options)
  await play.history()
  const first = await play.round()
  const rollback = await play.back()
  const second = await play.round()
  await play.end()
  tell('reading both clusters back with an ordinary client')
  const topics = cloned.topics.map(({ name }) => name)
  const logs = await judge(world, crowd, { topics, from: cloned.ends, signal })
  const { topics: _, ends: __, ...clone } = cloned
  const { restored, ...way } = rollback
  const restMs = Math.max(0, second.clientPauseMs - second.windowMs)
  const report = {
    from,
    stage: VERSIONS,
    clone: { topics: topics.length, ...clone },
    files: {
      edits: plan.edits.length,
      blockers: blockersOf(plan, options.acceptMentions ?? []),
      warnings: plan.findings.map(findingText),
      untouched: differing(before, await bytesIn(discovery)).length === 0,
      restored,
    },
    rounds: [first, second],
    rollback: way,
    predicted: { pauseMs: options.stillForMs + restMs, windowMs: options.stillForMs, restMs },
    logs,
    ms: Math.round(performance.now() - start),
  }
  return { ...report, ok: isRehearsed(report) }
}

const blockersOf = ({ mentions }: Plan, accepted: readonly string[]): string[] =>
  [...Map.groupBy(mentions, ({ path }) => path)]
    .filter(([path]) => !accepted.includes(path))
    .map(
      ([path, [first]]) =>
        `${path}:${first?.line}:${first?.column} names ${first?.host}: --accept-mention ${path}`,
    )

/** The median of a few questions that any broker answers at once, ms. */
const roundTrip = async (real: Cluster, signal: AbortSignal): Promise<number> => {
  const times: number[] = []
  for (let i = 0; i < 5; i++) {
    const start = performance.now()
    await real.metadata([], { signal })
    times.push(performance.now() - start)
  }
  return Math.round((times.sort((a, b) => a - b)[2] ?? 0) * 10) / 10
}

/** How many partitions the writers write to, all together. */
const WRITTEN = 48

const castOf = (world: World, { topics }: Cloned): Cast => {
  const writable = topics.filter(topic => topic.writable)
  const widest = Math.max(0, ...writable.map(({ partitions }) => partitions))
  const places = Array.from({ length: widest }, (_, partition) =>
    writable
      .filter(({ partitions }) => partition < partitions)
      .map(({ name }) => ({ topic: name, partition })),
  )
    .flat()
    .slice(0, WRITTEN)
  const codecs = ['none', 'gzip', 'zstd'] as const
  const followed = [...new Set(places.map(({ topic }) => topic))]
  return {
    // The first partition has all of them: the order of each must hold there too.
    writers: codecs.map((codec, i) => ({
      places: [...places.slice(0, 1), ...places.slice(1).filter((_, n) => n % codecs.length === i)],
      codec,
      locate: locateOnStage(world, i),
    })),
    readers: [{ group: 'kmig-rehearsal', topics: followed, locate: locateOnStage(world, 0) }],
  }
}
