import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { type Committed, commitWrite } from '../discovery/index.ts'
import { type Cluster, partitionOf } from '../kafka/index.ts'
import { bug, type During, KmigError, messageOf, writeFileAtomic } from '../kit/index.ts'
import type { Mirror } from '../mirror/index.ts'
import { isGone } from './away.ts'
import { besidePort } from './beside.ts'
import { carryStranded } from './carry.ts'
import { checkPort } from './certificate/index.ts'
import { type Certified, certify } from './certify.ts'
import { serveControl } from './control.ts'
import type { Cutover, ExecuteHow } from './cutover.ts'
import { readDocument } from './document.ts'
import { driftAfter, driftIn, tellDrift } from './drift.ts'
import type { CutoverEvent, ReadersAwaited } from './events.ts'
import { execute, settle } from './execute.ts'
import { type LiveOptions, livePorts } from './live.ts'
import { logEnds, type Where } from './log-ends.ts'
import type { PlanDocument } from './plan-document.ts'
import type { Ends, GatePort, Ports } from './ports.ts'
import { acceptedOf } from './preflight.ts'
import { readersPort, wantedIn } from './readers-port.ts'
import { type CutoverReport, makeReport } from './report.ts'
import { reversePort } from './reverse-adapter.ts'
import { Run, type RunRecord } from './run-directory.ts'
import { runHooks } from './run-hooks.ts'
import { soak } from './soak.ts'
import { letIn } from './standing.ts'
import { classOf, type FenceState, isSwitched, type State } from './states.ts'
import { watchOver } from './watch.ts'

export type SessionOptions = {
  cutover: Cutover
  /** Held by the caller. */
  lock: string
  how: ExecuteHow
  /** A run to go on with, or */
  found?: RunRecord | undefined
  /** a plan to begin with. */
  document?: PlanDocument | undefined
}

const UNKNOWN_WINDOW_MS = 10_000

/** Runs a plan up to the switch, or goes on with a run; with `soak` it stays until it is told to go. */
export const runSession = async (options: SessionOptions): Promise<CutoverReport> => {
  const { cutover, found, how } = options
  const { stateDir, signal, on } = cutover.options
  const document = options.document ?? (found && readDocument(found.directory))
  if (!document) throw noPlan(found)
  const over =
    found && (isSwitched(found.last) || found.last?.at === 'complete') && found.last.at !== 'opening'
  await using run =
    over && found ? await Run.open(found) : await Run.begin(stateDir, document.subject, document.run)
  const stop = new AbortController()
  const yielded = new AbortController()
  const working = AbortSignal.any([signal, stop.signal])
  const gate = gateOf(cutover, run)
  await using stack = new AsyncDisposableStack()
  const portsNow = sessionPorts({ ...options, cutover, document, run, gate, signal: working, stack })
  let ports = portsNow()
  // of a run that was killed too, unless its gate has been opened or closed before
  if (!over && cutover.options.postpone && !run.notes.some(({ kind }) => kind === 'gate'))
    await run.note({ kind: 'gate', closed: true, atMs: Date.now() })
  if (!over) await noteConsents(run, document, acceptedOf(cutover.options))
  let readers: readonly ReadersAwaited[] = []
  const live = async () => ({
    ...{ pid: process.pid, gate: await gate.closed(), lag: lagOf(run) },
    readers: run.last?.at === 'reads-moving' ? readers : [],
  })
  const free = (order: string) => {
    const state = run.last
    if (state && (classOf(state) !== 'FREE' || LATE.has(state.at)))
      throw new KmigError(
        'WRONG_STATE',
        `the run is ${state.at}: too late to ${order}; kmig cutover rollback goes back`,
      )
  }
  await using control = await serveControl(run.directory, {
    status: live,
    go: async () => {
      await gate.open()
      return await live()
    },
    pause: async () => {
      free('pause')
      refuseBehindFence(run.last)
      await gate.close()
      return await live()
    },
    abort: async () => {
      free('abort')
      stop.abort(new KmigError('ABORTED', 'kmig cutover abort ended it'))
      return await live()
    },
    yield: async () => {
      if (!isSwitched(run.last)) {
        free('go back')
        stop.abort(new KmigError('ABORTED', 'kmig cutover rollback ended it'))
      }
      yielded.abort(new KmigError('ABORTED', 'another command took the run over'))
      return await live()
    },
  })
  void control
  if (!over) {
    if (found) await settle(found.last, ports)
    const files = await cutover.files()
    const { readersWithinMs, windowMs, fenceAttempts, backoffMs } = document.strategy
    const append = run.append.bind(run)
    const plan = { root: files.root, files: files.files }
    const budget = budgetOf(document)
    const stillForMs = windowMs ?? undefined
    const told = (event: CutoverEvent) => {
      if (event.kind === 'readers-first') readers = event.waiting
      on?.(event)
    }
    const how = { plan, stillForMs, readersWithinMs, budget, fenceAttempts, backoffMs }
    for (let last = found?.last; ; last = run.last) {
      const log = { id: run.header.id, last, append }
      const ended = await execute({ ...how, run: log, ports, signal: working, on: told })
      if (ended.at !== 'backing-off') break
      await cutover.reopen()
      ports = portsNow()
    }
  }
  if (how.carry) await carryStranded({ run, ports, on })
  if (run.last?.at !== 'complete') await tellDrift({ run, ports, on })
  const report = await reportOf(cutover, run, { already: over === true })
  if (!how.soak || run.last?.at === 'complete') return report
  const quietForMs = document.strategy.windowMs ?? UNKNOWN_WINDOW_MS
  await soak({ run, ports, quietForMs, signal: AbortSignal.any([signal, yielded.signal]), on })
  await ports.reverse?.stop()
  return await reportOf(cutover, run, { already: true })
}

/** What is accepted beyond the plan, when a run is gone on with. */
const noteConsents = async (
  run: Run,
  { accepted }: PlanDocument,
  given: readonly string[],
): Promise<void> => {
  const known = [...accepted, ...run.notes.flatMap(note => (note.kind === 'consent' ? [note.what] : []))]
  for (const what of given.filter(id => !known.includes(id)))
    await run.note({ kind: 'consent', what, atMs: Date.now() })
}

/** Too late to be ended as if nothing had been. */
const LATE: ReadonlySet<string> = new Set(['switching', 'files-written', 'opening', 'switched'])

const lagOf = (run: Run): string | undefined => run.notes.findLast(note => note.kind === 'watch')?.watch.lag

const noPlan = (found: RunRecord | undefined): KmigError =>
  new KmigError('STATE_DAMAGED', `run ${found?.id} has no plan.json any more`, {
    try: ['restore the run directory from a backup', `or end the run: kmig cutover abort --run ${found?.id}`],
  })

const refuseBehindFence = (state: State | undefined): void => {
  if (state && 'fence' in state && state.fence)
    throw new KmigError(
      'WRONG_STATE',
      `the run is ${state.at}: nobody may wait behind a fence; kmig cutover abort ends it`,
    )
}

type Gate = GatePort & { open(): Promise<void>; close(): Promise<void> }

const gateOf = ({ options }: Cutover, run: Run): Gate => {
  let closing = false
  const note = (closed: boolean) => run.note({ kind: 'gate', closed, atMs: Date.now() })
  const open = async () => {
    closing = false
    await note(false)
  }
  return {
    closed: async () => {
      const { postponeFile } = options
      if (postponeFile !== undefined && existsSync(postponeFile)) return `${postponeFile} exists`
      const last = run.notes.findLast(each => each.kind === 'gate')
      return closing || last?.closed ? 'kmig cutover go opens it' : undefined
    },
    open,
    close: async () => {
      closing = true // holds at once, before it is on disk
      await note(true)
      try {
        refuseBehindFence(run.last) // a fence that was under way is journaled before this note
      } catch (e) {
        await open()
        throw e
      }
    },
  }
}

/** Unlimited where kmig can't release: the operator has stopped the writers, and starts them again. */
export const budgetOf =
  ({
    strategy: { maxFenceMs, windowMs },
  }: {
    strategy: Pick<PlanDocument['strategy'], 'maxFenceMs' | 'windowMs'>
  }) =>
  ({ sinceMs }: FenceState) => ({
    sinceMs,
    maxMs: maxFenceMs ?? Number.MAX_SAFE_INTEGER,
    windowMs: windowMs ?? UNKNOWN_WINDOW_MS,
  })

const sessionPorts = ({
  cutover,
  document,
  run,
  gate,
  signal,
  stack,
}: SessionOptions & {
  document: PlanDocument
  run: Run
  gate: GatePort
  signal: AbortSignal
  stack: AsyncDisposableStack
}): (() => Ports) => {
  const { options, life } = cutover
  const { groups, discovery, on, hooks, hookTimeoutMs, env = {}, watchdog } = options
  const { driver, seal, wayBack, check, acls: rights } = document.strategy
  const { from, to, stateDir } = options
  const wheres = (): Where[] =>
    cutover.mirror.plan.topics.flatMap(({ topic, partitions }) =>
      partitions.map(({ partition }) => ({ topic, partition })),
    )
  const { header, directory } = run
  const { id } = header
  const { name } = cutover.mirror
  const ports: Omit<LiveOptions, 'mirror' | 'readers' | 'beside' | 'letIn'> = {
    ...{ groups, discovery, signal, wheres, driver, life, gate, rights },
    run: { id, directory },
    seal: seal ?? undefined,
    reverse: wayBack
      ? stack.use(
          reversePort({
            ...{ from: to, to: from, name, run: id, stateDir, groups, signal: life },
            on: on && (event => on({ kind: 'mirror', event })),
          }),
        )
      : undefined,
    check: check
      ? checkPort({
          ...{ from, to, name, directory, signal: life },
          topics: document.topics.map(({ topic }) => topic),
        })
      : undefined,
    accepted: document.accepted,
    drift: fenced => cutover.drift(document, fenced),
    driftAfter: () => driftAfter(document, { source: cutover.mirror.source, directory, hooks, signal: life }),
    unfit: () => cutover.unfit(document),
    watch: watchdog && (fence => watchOver(watchdog, { run: id, fence, env })),
    hooks: runHooks(run, { directory: hooks, timeoutMs: hookTimeoutMs, env, signal, on }),
  }
  const first = { sides: { from, to }, wanted: wantedIn(document), run: { id }, life }
  return () => {
    const { mirror } = cutover
    const beside = besidePort({ ...header, next: mirror.target, directory, signal: life })
    const topics = () => [...new Set(wheres().map(({ topic }) => topic))]
    const standing = { stateDir, mirror: name, next: mirror.target, signal: life }
    return livePorts({
      ...{ ...ports, mirror, beside },
      letIn: () => letIn(topics(), standing),
      readers: readersPort({ ...first, mirror }),
    })
  }
}

const reportOf = async (
  { mirror, options, life }: Cutover,
  run: Run,
  { already }: { already: boolean },
): Promise<CutoverReport> => {
  const { last, header, directory, states } = run
  if (!isSwitched(last) && last?.at !== 'complete') throw bug(`run ${header.id} ended as ${last?.at}`)
  const wheres = Object.keys(last.cut).map(partitionOf)
  // After the switch, and again at each later start, so that a kill in between is made good.
  const commit = options.git
    ? await commitWrite(run.directory, { run: header.id, what: `kmig: cutover to ${header.to.name}` })
    : undefined
  const [old, next] = [await endsIn(mirror.source, wheres, life), await endsIn(mirror.target, wheres, life)]
  const live = old && next ? mirror : undefined
  const certificate = await certifyAfter(run, live, commit, options)
  const ends = { old: old ?? new Map(), next: next ?? new Map() }
  const drift = driftIn(run.notes).flatMap(({ found }) => found)
  const report = makeReport({ header, directory, states, already, ...ends, commit, certificate, drift })
  if (!already)
    await writeFileAtomic(join(directory, 'report.json'), `${JSON.stringify(report, undefined, 2)}\n`)
  return report
}

const ENDS_MS = 10_000

/** Undefined where a cluster does not answer: another command may wait to take the run over. */
const endsIn = async (
  cluster: Cluster,
  wheres: readonly Where[],
  life: AbortSignal,
): Promise<Ends | undefined> => {
  const signal = AbortSignal.any([life, AbortSignal.timeout(ENDS_MS)])
  try {
    return await logEnds(cluster, wheres, { signal })
  } catch (e) {
    life.throwIfAborted()
    if (signal.aborted || isGone(e)) return undefined
    throw e
  }
}

/** The files are written: that the certificate can't be is no reason to fail, but it is told. */
export const certifyAfter = async (
  run: Run,
  mirror: Mirror | undefined,
  commit: Committed,
  { on, signal }: During<CutoverEvent>,
): Promise<Certified | undefined> => {
  try {
    return await certify(run.record, { mirror, commit, signal })
  } catch (e) {
    const text = `the certificate could not be made: ${messageOf(e)}; kmig cutover --execute tries again`
    on?.({ kind: 'mirror', event: { kind: 'warning', where: run.header.id, text } })
    return undefined
  }
}
