import { newId, type Rehearsal } from '../cutover/index.ts'
import { addressesOf, findingText, type NamedCluster, type Plan, readDirectory } from '../discovery/index.ts'
import { Cluster } from '../kafka/index.ts'
import { type During, formatHostPort, plural } from '../kit/index.ts'
import { newRun } from '../load/index.ts'
import type { SandboxOptions } from '../sandbox/index.ts'
import { type Cloned, lookAtTopics } from './clone.ts'
import type { CrashesWanted } from './crashes.ts'
import { Crowd } from './crowd.ts'
import {
  type CrashedRound,
  type CrashHow,
  Play,
  type PlayEvent,
  type PlayOptions,
  type Round,
  type WayBack,
} from './play.ts'
import { bytesIn, differing, planReal } from './rehearse-files.ts'
import { type KeptCertificate, keepCertificate, keepReport, makeRoom, type Room } from './rehearse-keep.ts'
import { isRehearsed } from './rehearse-report.ts'
import { onShadow, type Shadowed, type ShadowOptions } from './shadow.ts'
import { castOf, cloneStage, type Stage } from './stage.ts'
import { judge, type LogVerdict } from './verdict.ts'

export type RehearseReport = Omit<Rehearsal, 'from' | 'topics'> & {
  ms: number
  from: Rehearsal['from'] & { roundTripMs: number }
  /** The real ones that it was of. */
  topics: string[]
  stage: { old: string; new: string }
  clone: Omit<Cloned, 'topics' | 'ends'> & { topics: number }
  files: { edits: number; blockers: string[]; warnings: string[]; untouched: boolean; restored: boolean }
  rounds: Omit<Round, 'certificate'>[]
  rollback: Omit<WayBack, 'restored'>
  /** Undefined where nobody was killed. */
  crashes?: CrashedRound | undefined
  predicted: { pauseMs: number; windowMs: number; restMs: number }
  logs: LogVerdict
  /** Of the second cutover, as it was when clients were let in; undefined when it could not be made. */
  certificate: KeptCertificate | undefined
  /** What was made on the real clusters, and is gone again. */
  shadow?: Shadowed<unknown>['shadow'] | undefined
  /** Where this report is kept. */
  report: string
}

export type RehearseOptions = Omit<PlayOptions, keyof During> &
  During<PlayEvent> & {
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
    /** Where the report is kept. */
    stateDir: string
    /** Plays on shadow topics of the real clusters; default on throw-away clusters. */
    shadow?: Pick<ShadowOptions, 'agree'> | undefined
    /** How processes are started that are to be killed; undefined: none are. */
    crashes: CrashesWanted | undefined
  }

/**
 * The whole cutover and its way back on throw-away clusters that hold a clone of the real topics, or on shadow topics of
 * the real clusters, with clients that follow a copy of the real discovery files. Reads the real topics and files, and
 * changes neither.
 */
export const rehearse = async (options: RehearseOptions): Promise<RehearseReport> => {
  const { signal, discovery, followSymlinks, stateDir, shadow } = options
  const [start, startedMs, id] = [performance.now(), Date.now(), newId()]
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
  const room = makeRoom(stateDir, id)
  const play = (stage: Stage) => playOn(stage, room, startedMs, options)
  const done = shadow
    ? await (async () => {
        await using target = await Cluster.open({ ...options.to, signal })
        return await onShadow(found, { ...options, ...shadow, id, old, real, target }, play)
      })()
    : await (async () => {
        await using stage = await cloneStage(real, found, { ...options, old })
        return { played: await play(stage), shadow: undefined }
      })()
  const { restored, ...played } = done.played
  const report = {
    ...{ id, from, report: room.report },
    how: shadow ? ('shadow' as const) : ('clone' as const),
    at: new Date().toISOString(),
    topics: found.topics.map(({ name }) => name).sort(),
    ...played,
    files: {
      edits: plan.edits.length,
      blockers: blockersOf(plan, options.acceptMentions ?? []),
      warnings: plan.findings.map(findingText),
      untouched: differing(before, await bytesIn(discovery)).length === 0,
      restored,
    },
    predicted: predictedOf(played.rounds, options),
    ...(done.shadow && { shadow: done.shadow }),
    ms: Math.round(performance.now() - start),
  }
  return await keepReport(room, { ...report, ok: isRehearsed(report) })
}

type Played = Pick<
  RehearseReport,
  'stage' | 'clone' | 'rounds' | 'rollback' | 'crashes' | 'logs' | 'certificate'
> & { restored: boolean }

/** Two cutovers and a way back, with the kills between them. */
const playOn = async (
  stage: Stage,
  room: Room,
  startedMs: number,
  options: RehearseOptions,
): Promise<Played> => {
  const { world, cloned, versions, readBack } = stage
  await using crowd = await Crowd.open(castOf(stage), { run: newRun(), journals: world.journals })
  await using play = await Play.open(world, crowd, options)
  await play.history()
  const first = await play.round()
  const rollback = await play.back()
  const crashes = options.crashes && (await play.crashed(howOf(options.crashes, startedMs)))
  const second = await play.round()
  const certificate = await keepCertificate(room, second.certificate)
  await play.end()
  options.on?.({ kind: 'step', text: 'reading both clusters back with an ordinary client' })
  const topics = cloned.topics.map(({ name }) => name)
  const { signal } = options
  const logs = await judge(world, crowd, { topics, from: cloned.ends, group: readBack, signal })
  const { topics: _, ends: __, ...clone } = cloned
  const { restored, ...way } = rollback
  return {
    stage: versions,
    clone: { topics: topics.length, ...clone },
    rounds: [first, second].map(({ certificate: _, ...round }) => round),
    ...{ rollback: way, restored, logs, certificate },
    ...(crashes && { crashes }),
  }
}

const predictedOf = (
  rounds: RehearseReport['rounds'],
  { stillForMs }: RehearseOptions,
): RehearseReport['predicted'] => {
  const last = rounds.at(-1)
  const restMs = Math.max(0, (last?.clientPauseMs ?? 0) - (last?.windowMs ?? 0))
  return { pauseMs: stillForMs + restMs, windowMs: stillForMs, restMs }
}

/** What comes after the kills has its own time: all of it within four minutes. */
const KILLS_MS = { cutover: 110_000, rollback: 160_000 }

const howOf = ({ thorough, ...how }: CrashesWanted, startedMs: number): CrashHow => ({
  ...how,
  until: thorough ? {} : { cutover: startedMs + KILLS_MS.cutover, rollback: startedMs + KILLS_MS.rollback },
})

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
