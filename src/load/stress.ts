import type { ChildProcess } from 'node:child_process'
import { existsSync } from 'node:fs'
import { Cluster, type ClusterAddress, createTopics, ERROR } from '../kafka/index.ts'
import { type During, deferred, KmigError, plural, sleep } from '../kit/index.ts'
import { PartitionCheck, type PartitionFindings, totals } from './check.ts'
import { type Account, Ledger, type Place, placeKey } from './ledger.ts'
import { readThrough } from './read-back.ts'
import { checkReads, readsIn } from './reader.ts'
import {
  type FromWorker,
  journalOf,
  type ReaderEnd,
  type ToWorker,
  type WorkerPlan,
} from './stress-messages.ts'
import type { StressReport, WorkerReport } from './stress-report.ts'
import { newRun } from './writer.ts'

export type StressOptions = During<StressEvent> & {
  /** The topic is made here if it is not there. */
  from: ClusterAddress
  /** What is checked in the end: this cluster must hold all that was acknowledged, wherever that was. */
  check: ClusterAddress
  topic: string
  /** Of a topic that is made. */
  partitions: number
  writers: number
  readers: number
  /** Records a second, of all writers together; 0: as fast as they are acknowledged. */
  rate: number
  perBatch: number
  bytes: number
  codec: WorkerPlan['codec']
  durationMs: number
  restartEveryMs: number
  pauseFile: string | undefined
  /** How long what was acknowledged may take to be on `check`, and readers to read it. */
  settleMs: number
  /** Directory of the journals; must exist. */
  directory: string
  /** Starts a worker: a process of kmig that runs `stressWorker`, with an IPC channel. */
  spawn(role: WorkerPlan['role'], index: number): ChildProcess
}

export type StressEvent =
  | { kind: 'started'; run: string; topic: string; partitions: number; pids: number[] }
  | {
      kind: 'progress'
      part: number
      written: number
      unknown: number
      read: number
      alive: number
      at: string[]
    }
  | { kind: 'trouble'; worker: string; text: string }
  | { kind: 'died'; worker: string; how: string }
  | { kind: 'checking'; lost: number }

const PROGRESS_MS = 250
const AGAIN_MS = 1_000
const END_MS = 15_000

/** A worker as its parent sees it. */
type Hand = {
  plan: WorkerPlan
  child: ChildProcess
  standing: { count: number; unknown: number; restarts: number; at: string }
  behind: ReaderEnd[]
  ended: boolean
  /** How the process ended. */
  gone: Promise<void>
  how: string | undefined
}

const nameOf = ({ role, index }: WorkerPlan): string => `${role} ${index}`

/**
 * Ordinary writers and readers in processes of their own, for a while; then all that is in the journals is held against
 * what the cluster holds. Throws TOPIC_MISSING, UNREACHABLE.
 */
export const stress = async (options: StressOptions): Promise<StressReport> => {
  const { topic, directory, signal, on, durationMs, settleMs } = options
  const started = performance.now()
  const partitions = await topicOn(options)
  const run = newRun()
  const hands = workersOf(options, run, partitions)
  try {
    on?.({ kind: 'started', run, topic, partitions, pids: hands.map(({ child }) => child.pid ?? 0) })
    await watch(hands, { until: started + durationMs, started, signal, on })
    await finish(
      hands.filter(({ plan }) => plan.role === 'writer'),
      END_MS,
    )
    const writers = hands.filter(({ plan }) => plan.role === 'writer').map(({ plan }) => plan)
    const found = await checked(options, { run, partitions, writers })
    await finish(
      hands.filter(({ plan }) => plan.role === 'reader'),
      settleMs,
    )
    const workers = hands.map(workerReport)
    const reads = hands.filter(({ plan, ended }) => plan.role === 'reader' && ended).flatMap(readsOf)
    return {
      ...{ run, topic, partitions, directory, checked: options.check.name },
      ms: Math.round(performance.now() - started),
      workers,
      totals: totals(found),
      unsure: found.reduce((sum, { writers }) => sum + writers.reduce((n, { unsure }) => n + unsure, 0), 0),
      findings: found,
      reads,
    }
  } finally {
    for (const { child, how } of hands) if (how === undefined) child.kill('SIGKILL')
  }
}

/** What a reader read, and what it did not: of a partition that it never got a record of there is no line in its journal. */
const readsOf = ({ plan, behind }: Hand): StressReport['reads'] => {
  const left = new Map(behind.map(each => [placeKey(each), BigInt(each.end) - BigInt(each.next)]))
  const found = checkReads(plan.group, readsIn(journalOf(plan)))
  const seen = new Set(found.map(placeKey))
  return [
    ...found.map(each => ({ ...each, behind: left.get(placeKey(each)) ?? 0n })),
    ...behind
      .filter(each => !seen.has(placeKey(each)))
      .map(({ topic, partition, next, end }) => ({
        ...{ group: plan.group, topic, partition, records: 0, first: BigInt(next), next: BigInt(next) },
        ...{ skipped: [], reread: [], behind: BigInt(end) - BigInt(next) },
      })),
  ]
}

/** Makes the topic if need be; gives its number of partitions. */
const topicOn = async ({ from, topic, partitions, signal }: StressOptions): Promise<number> => {
  await using cluster = await Cluster.open({ ...from, signal })
  const [found] = await cluster.metadata([topic], { signal })
  if (found && found.error !== ERROR.UNKNOWN_TOPIC_OR_PARTITION) return found.partitions.length
  const replicationFactor = Math.min(3, cluster.brokers.size)
  await createTopics(cluster, [{ name: topic, partitions, replicationFactor }], { signal })
  return partitions
}

const workersOf = (options: StressOptions, run: string, partitions: number): Hand[] => {
  const { writers, readers, topic, directory, rate, perBatch, bytes, codec, restartEveryMs, pauseFile } =
    options
  const more = { run, topic, partitions, directory, perBatch, bytes, codec, restartEveryMs, pauseFile }
  const plans = (['writer', 'reader'] as const).flatMap(role =>
    Array.from({ length: role === 'writer' ? writers : readers }, (_, i): WorkerPlan => {
      const index = i + 1
      return { ...more, role, index, group: `kmig-stress-${run}-${index}`, rate: rate / Math.max(1, writers) }
    }),
  )
  const taken = plans.map(journalOf).find(path => existsSync(path))
  if (taken) {
    throw new KmigError('PREFLIGHT', `${taken} is there already`, {
      try: ['name another --journals directory'],
    })
  }
  return plans.map(plan => handOf(plan, options))
}

const handOf = (plan: WorkerPlan, { spawn, on }: StressOptions): Hand => {
  const child = spawn(plan.role, plan.index)
  const gone = deferred<void>()
  const standing = { count: 0, unknown: 0, restarts: 0, at: 'starting' }
  const hand: Hand = { plan, child, standing, behind: [], ended: false, gone: gone.promise, how: undefined }
  child.on('message', (message: FromWorker) => {
    if (message.kind === 'standing') hand.standing = message
    else if (message.kind === 'ended') {
      hand.ended = true
      hand.behind = message.behind
    } else on?.({ kind: 'trouble', worker: nameOf(plan), text: message.text })
  })
  const over = (how: string) => {
    if (hand.how !== undefined) return
    hand.how = how
    if (!hand.ended) on?.({ kind: 'died', worker: nameOf(plan), how })
    gone.resolve()
  }
  child.on('error', e => over(e.message))
  child.on('exit', (code, killedBy) => over(killedBy ? `killed by ${killedBy}` : `exit ${code}`))
  send(hand, { kind: 'plan', plan })
  return hand
}

/** A child that is gone is told by its exit. */
const send = ({ child }: Hand, order: ToWorker): void => {
  if (child.connected) child.send(order, () => {})
}

type Watching = { until: number; started: number } & Pick<StressOptions, 'signal' | 'on'>

/** Until the time is over, a signal came or nobody is left. */
const watch = async (hands: readonly Hand[], { until, started, signal, on }: Watching): Promise<void> => {
  for (let now = performance.now(); now < until && !signal.aborted; now = performance.now()) {
    const sum = (role: WorkerPlan['role'], of: 'count' | 'unknown') =>
      hands.reduce((n, { plan, standing }) => n + (plan.role === role ? standing[of] : 0), 0)
    const alive = hands.filter(({ how }) => how === undefined)
    on?.({
      kind: 'progress',
      part: (now - started) / (until - started),
      written: sum('writer', 'count'),
      unknown: sum('writer', 'unknown'),
      read: sum('reader', 'count'),
      alive: alive.length,
      at: [...new Set(alive.map(({ standing }) => standing.at))].sort(),
    })
    if (!alive.some(({ plan }) => plan.role === 'writer')) return
    await sleep(Math.min(PROGRESS_MS, until - now), signal).catch(() => {}) // ended early
  }
}

/** Lets workers end; who does not within the time is killed, and is told as dead. */
const finish = async (hands: readonly Hand[], withinMs: number): Promise<void> => {
  for (const hand of hands) send(hand, { kind: 'finish', withinMs })
  const late = setTimeout(() => {
    for (const { child, how } of hands) if (how === undefined) child.kill('SIGKILL')
  }, withinMs + END_MS)
  await Promise.all(hands.map(({ gone }) => gone))
  clearTimeout(late)
}

type Checking = { run: string; partitions: number; writers: readonly WorkerPlan[] }

/** A topic that is not there holds nothing. */
const isThere = async (address: ClusterAddress, topic: string): Promise<boolean> => {
  await using cluster = await Cluster.open(address)
  const [found] = await cluster.metadata([topic])
  return found?.error === 0
}

/** The log against the journals; again while something is missing that may still be on its way. */
const checked = async (
  { check, topic, settleMs, on }: StressOptions,
  { run, partitions, writers }: Checking,
): Promise<PartitionFindings[]> => {
  const until = performance.now() + settleMs
  const ledgers = writers.map(plan => [plan.index, Ledger.read(journalOf(plan))] as const)
  const accountsOf = (place: Place): Map<number, Account> =>
    new Map(
      ledgers.flatMap(([index, all]) => {
        const account = all.get(placeKey(place))
        return account ? [[index, account] as const] : []
      }),
    )
  for (;;) {
    const checks = new Map(
      Array.from({ length: partitions }, (_, partition) => {
        const place = { topic, partition }
        return [placeKey(place), new PartitionCheck({ ...place, run, accounts: accountsOf(place) })] as const
      }),
    )
    if (await isThere(check, topic))
      await readThrough({ ...check, topics: [topic], signal: new AbortController().signal }, (log, record) =>
        checks.get(placeKey(log))?.see(record),
      )
    const found = [...checks.values()].map(each => each.findings())
    const { lost } = totals(found)
    on?.({ kind: 'checking', lost })
    if (lost === 0 || performance.now() > until) return found
    await sleep(AGAIN_MS)
  }
}

const workerReport = ({ plan, standing, ended, how }: Hand): WorkerReport => {
  const ledger = plan.role === 'writer' ? [...Ledger.read(journalOf(plan)).values()] : []
  const sum = (of: 'ok' | 'unknown') => ledger.reduce((n, account) => n + account[of].count, 0)
  const read = plan.role === 'reader' ? readsIn(journalOf(plan)).reduce((n, { count }) => n + count, 0) : 0
  return {
    worker: nameOf(plan),
    outcome: ended ? 'ended' : how?.startsWith('killed') ? 'killed' : 'failed',
    how: ended
      ? undefined
      : `${how}; its journal counts: ${plural(plan.role === 'writer' ? sum('ok') : read, 'record')}`,
    acknowledged: sum('ok'),
    unknown: sum('unknown'),
    read,
    restarts: standing.restarts,
  }
}
