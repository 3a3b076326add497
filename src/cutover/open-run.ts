import type { Env } from '../config/index.ts'
import { type ClusterAddress, partitionOf } from '../kafka/index.ts'
import { type During, isKmigError, LockFile, onAbort, parseBootstrap, sleep } from '../kit/index.ts'
import { Mirror } from '../mirror/index.ts'
import { besidePort } from './beside.ts'
import type { Budget } from './budget.ts'
import { tell } from './control.ts'
import { readDocument } from './document.ts'
import { driftAfter } from './drift.ts'
import type { CutoverEvent } from './events.ts'
import { livePorts } from './live.ts'
import { lockNamed } from './locks.ts'
import type { Ports } from './ports.ts'
import { readersPort, wantedIn } from './readers-port.ts'
import { reversePort } from './reverse-adapter.ts'
import { findRun, Run, type RunHeader } from './run-directory.ts'
import { runHooks } from './run-hooks.ts'
import { budgetOf } from './run-session.ts'
import type { FenceState } from './states.ts'
import { watchOver } from './watch.ts'

export type OpenRunOptions = {
  stateDir: string
  /** Default the newest. */
  run?: string | undefined
  /** How a cluster of this name is spoken to, where it is not PLAINTEXT. */
  access?: ((name: string) => Pick<ClusterAddress, 'security' | 'clientId'>) | undefined
  /** Directory of the operator's programs. */
  hooks?: string | undefined
  hookTimeoutMs?: number | undefined
  env?: Env | undefined
  watchdog?: readonly string[] | undefined
  /** How long log ends must stand still, ms; default as the plan says. */
  stillForMs?: number | undefined
  /** Whether a runner may still be about to end. */
  patient?: boolean | undefined
}

/** A run that another command drives: its lock is held, both clusters are open, its journal can be gone on with. */
export type OpenRun = AsyncDisposable & {
  run: Run
  mirror: Mirror
  ports: Ports
  budget(fence: FenceState): Budget
  stillForMs: number | undefined
}

/** Asks a runner that lives to step aside, and takes the run over. Throws USAGE, LOCKED, UNREACHABLE. */
export const openRun = async (
  what: string,
  options: OpenRunOptions & During<CutoverEvent>,
): Promise<OpenRun> => {
  const { id } = findRun(options.stateDir, options.run)
  return await openHeld({ ...options, run: id, held: await takeOver(what, { ...options, run: id }) })
}

/** Asks a runner that lives to step aside, and takes the lock of its run. Throws USAGE, LOCKED. */
export const takeOver = async (what: string, options: OpenRunOptions & During): Promise<LockFile> => {
  const { stateDir, signal } = options
  const { directory, header } = findRun(stateDir, options.run)
  const lived = (await tell(directory, 'yield')) !== undefined
  const lock = lockNamed(stateDir, header.to.clusterId, header.mirror)
  return await takeLock(lock, `${what} of mirror ${header.mirror}`, {
    patient: lived || options.patient === true,
    signal,
  })
}

/** Opens a run whose lock the caller holds; what it holds is given back with the run. */
export const openHeld = async (
  options: OpenRunOptions & During<CutoverEvent> & { held?: AsyncDisposable | undefined },
): Promise<OpenRun> => {
  const { stateDir, access, hooks, hookTimeoutMs, env = {}, watchdog, signal, on } = options
  await using opened = new AsyncDisposableStack()
  if (options.held) opened.use(options.held)
  const record = findRun(stateDir, options.run) // as the runner left it
  const { id, directory, header, last } = record
  const cut = last && 'cut' in last ? Object.keys(last.cut).map(partitionOf) : []
  const life = new AbortController()
  opened.defer(() => life.abort())
  opened.use(onAbort(signal, reason => life.abort(reason)))
  const during = { signal: life.signal }
  const mirror = opened.use(
    await Mirror.open({
      from: sideOf(header.from, access),
      to: sideOf(header.to, access),
      name: header.mirror,
      topics: cut.length > 0 ? [...new Set(cut.map(({ topic }) => topic))] : header.topics,
      groups: header.groups,
      stateDir,
      exclusive: true,
      ...during,
      on: on && (event => on({ kind: 'mirror', event })),
    }),
  )
  const run = opened.use(await Run.open(record))
  const document = readDocument(directory)
  const armed = last && ('was' in last ? last.was : 'reverse' in last ? last : undefined)
  const reverse =
    armed?.reverse &&
    opened.use(
      reversePort({
        from: sideOf(header.to, access),
        to: sideOf(header.from, access),
        ...{ name: header.mirror, run: id, stateDir, groups: header.groups, ...during },
        on: on && (event => on({ kind: 'mirror', event })),
      }),
    )
  const ports = livePorts({
    ...{ mirror, discovery: header.discovery, groups: header.groups, life: life.signal, ...during },
    run: { id, directory },
    wheres: () => cut,
    readers: readersPort({
      ...{ mirror, wanted: wantedIn(document), run: { id }, life: life.signal },
      sides: { from: sideOf(header.from, access), to: sideOf(header.to, access) },
    }),
    reverse: reverse || undefined,
    beside: besidePort({ ...header, next: mirror.target, directory, ...during }),
    driver: document?.strategy.driver ?? 'manual',
    seal: document?.strategy.seal ?? undefined,
    accepted: document?.accepted ?? [],
    rights: document?.strategy.acls,
    gate: { closed: async () => undefined },
    drift: async () => [],
    driftAfter:
      document && (() => driftAfter(document, { source: mirror.source, directory, hooks, ...during })),
    watch: watchdog && (fence => watchOver(watchdog, { run: id, fence, env })),
    hooks: runHooks(run, {
      directory: hooks ?? document?.hooksDirectory ?? undefined,
      ...{ timeoutMs: hookTimeoutMs, env, on, ...during },
    }),
  })
  const all = opened.move()
  return {
    run,
    mirror,
    ports,
    budget: document ? budgetOf(document) : budgetOf({ strategy: { maxFenceMs: null, windowMs: null } }),
    stillForMs: options.stillForMs ?? document?.strategy.windowMs ?? undefined,
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  }
}

const AGAIN_MS = 100
const PATIENCE = 300

/** A runner that was told to step aside gets the time to do so. */
const takeLock = async (
  path: string,
  what: string,
  { patient, signal }: During & { patient: boolean },
): Promise<LockFile> => {
  for (let attempt = 0; ; attempt++) {
    try {
      return await LockFile.take(path, what)
    } catch (e) {
      if (!patient || attempt >= PATIENCE || !isKmigError(e, 'LOCKED')) throw e
      await sleep(AGAIN_MS, signal)
    }
  }
}

export const sideOf = (
  { name, bootstrap, protocol = 'PLAINTEXT' }: RunHeader['from'],
  access: OpenRunOptions['access'],
): ClusterAddress => ({
  ...(protocol === 'PLAINTEXT' ? {} : access?.(name)),
  name,
  bootstrap: parseBootstrap(bootstrap.join(',')),
})
