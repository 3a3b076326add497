import { resolve } from 'node:path'
import { gitProblems, type Plan, planEdits, readDirectory } from '../discovery/index.ts'
import { brokerVersions, type Cluster, isAtLeast } from '../kafka/index.ts'
import { type During, formatHostPort, KmigError, LockFile, onAbort } from '../kit/index.ts'
import { Mirror } from '../mirror/index.ts'
import type { Told } from './doctor/index.ts'
import { makeDocument, refuseExpired, writeDocument } from './document.ts'
import type { FenceProblem } from './fence-port.ts'
import { rightsPort } from './fences/rights.ts'
import { type DriverOptions, driverFor } from './fences.ts'
import { findHooks } from './hooks.ts'
import { whatStays } from './left-behind.ts'
import { lockOf } from './locks.ts'
import { type CutoverOptions, type CutoverSide, strategyOf } from './options.ts'
import { type CutoverPlan, makePlan, refuseBlocked } from './plan.ts'
import type { PlanDocument } from './plan-document.ts'
import { namedPlan, waitingPlan } from './plans.ts'
import { acceptedChecks, acceptedOf, isBefore, lookBefore, unfit } from './preflight.ts'
import { readersFirst } from './readers-plan.ts'
import type { CutoverReport } from './report.ts'
import { reversePort } from './reverse-adapter.ts'
import {
  directoryOf,
  listRuns,
  newId,
  type RunRecord,
  type RunSide,
  type RunSubject,
} from './run-directory.ts'
import { runSession } from './run-session.ts'
import { differenceOf, lookAt } from './seen.ts'
import { isEnd, isSwitched } from './states.ts'

export type { CutoverOptions, CutoverSide } from './options.ts'

export type ExecuteHow = {
  /** The plan to act on; default the newest that waits for it, else one made now. */
  run?: string | undefined
  /** Goes on after the switch: copies back, and watches, until the signal or another command ends it. */
  soak?: boolean | undefined
  /** Copies what is stranded on the old cluster to the new one first. */
  carry?: boolean | undefined
}

/** Both clusters and the files, looked at; `open` changes nothing. Source: CUTOVER.md. */
export class Cutover implements AsyncDisposable {
  #mirror: Mirror
  readonly options: CutoverOptions
  readonly strategy: PlanDocument['strategy']
  readonly #life: AbortController
  private constructor(options: CutoverOptions, mirror: Mirror, life: AbortController) {
    this.options = options
    this.#mirror = mirror
    this.strategy = strategyOf(options)
    this.#life = life
  }

  /** Throws what reading the files, or reaching the clusters, throws; the files come first, as they need no server. */
  static async open(options: CutoverOptions): Promise<Cutover> {
    const { signal } = options
    strategyOf(options)
    await readDirectory(options.discovery, { signal, followSymlinks: options.followSymlinks })
    const life = new AbortController()
    using _ = onAbort(signal, reason => life.abort(reason))
    return new Cutover(options, await openMirror(options, life.signal), life)
  }

  get mirror(): Mirror {
    return this.#mirror
  }
  /** The mirror anew, by what both clusters hold: one that was stopped can't go on. */
  async reopen(): Promise<void> {
    await this.#mirror[Symbol.asyncDispose]()
    this.#mirror = await openMirror(this.options, this.life)
  }

  /** Ends with the mirror, not with the operator's signal: putting back needs it. */
  get life(): AbortSignal {
    return this.#life.signal
  }
  get #during(): During {
    return { signal: this.#life.signal }
  }

  /**
   * What would be done, and writes it down as a plan that `execute` acts on; nothing else is changed. Throws
   * DISCOVERY_EMPTY, DISCOVERY_INVALID, DISCOVERY_NO_MATCH.
   */
  async plan(): Promise<CutoverPlan> {
    const run = this.unfinished()
    const files = await this.files()
    const plan = await this.#planOf(files, run, this.#asked)
    if (run || plan.blockers.length > 0) return plan
    const document = await this.#document(plan, files)
    const directory = await directoryOf(this.options.stateDir, document.run)
    await writeDocument(directory, document)
    return { ...plan, document: { run: document.run, path: directory, hash: document.hash } }
  }

  get #asked(): Looked {
    return { strategy: this.strategy, accepted: acceptedOf(this.options) }
  }

  async #planOf(files: Plan, run: RunRecord | undefined, asked: Looked): Promise<CutoverPlan> {
    const { acceptMentions = [], groups, hooks } = this.options
    const unfinished = run && { run: run.id, at: run.last?.at ?? 'planned' }
    const { plan: mirror, source } = this.mirror
    const leftBehind = await whatStays(source, { mirror, groups, ...this.#during })
    const paths = files.files.map(({ path }) => path)
    const readers = await this.#readersFirst()
    const git = this.options.git ? await gitProblems(files.root, paths) : []
    const fence = await this.#fenceProblems()
    const preflight = !run || isBefore(run.last) ? await this.#look(asked, fence) : undefined
    return makePlan({
      ...{ mirror, files, leftBehind, acceptMentions, git, unfinished, preflight },
      strategy: this.strategy,
      hooks: findHooks(hooks),
      readersFirst: readers.found,
      fence: [
        ...fence,
        ...(await this.#wayBackProblems()),
        ...(await this.#rightsProblems()),
        ...readers.problems,
      ],
    })
  }

  async #readersFirst() {
    const { source, target, plan } = this.mirror
    const { groups } = this.options
    const topics = plan.topics.map(({ topic }) => topic)
    const { readersFirst: first = [] } = this.strategy
    return await readersFirst({ source, target, first, groups, topics, ...this.#during })
  }

  async #look({ strategy, accepted }: Looked, fence: readonly FenceProblem[]): Promise<Told> {
    const { options, mirror } = this
    const accept = [...acceptedChecks(accepted), ...(options.accept ?? [])]
    const { last } = this.unfinished() ?? {}
    const signal = AbortSignal.any([this.life, options.signal]) // nothing was begun that is to be put back
    const told = await lookBefore({ options, mirror, strategy, accept, fence, last, signal })
    this.#fitAtMs = unfit(told).length === 0 ? Date.now() : undefined
    return told
  }

  /** What keeps a run from going on, one line each; not looked at again where that was just done. */
  async unfit(plan: PlanDocument): Promise<string[]> {
    if (this.#fitAtMs !== undefined && Date.now() - this.#fitAtMs < FRESH_MS) return []
    return unfit(await this.#look(plan, []))
  }
  #fitAtMs: number | undefined

  async #fenceProblems() {
    const { source: cluster, plan } = this.mirror
    const { acceptRisks: accepted = [], hooks } = this.options
    const names = findHooks(hooks).map(({ name }) => name)
    const has = { has: (name: string) => names.some(each => each === name), run: async () => undefined }
    const topics = plan.topics.map(({ topic }) => topic)
    const how = { side: 'old' as const, cluster, hooks: has, topics, accepted, ...this.#during }
    const { driver, seal } = this.strategy
    const fence = await driverFor(driver, how).probe()
    return [
      ...fence,
      ...(seal ? await driverFor(seal, { ...how, as: 'seal' }).probe() : []),
      ...(driver === 'min-isr' ? await this.#minIsrProblems(how) : []),
    ]
  }

  /** What it does not do after the switch, and on the way back. */
  async #minIsrProblems(how: DriverOptions): Promise<FenceProblem[]> {
    const next = driverFor('min-isr', { ...how, side: 'new', cluster: this.mirror.target })
    const newer = (await next.probe()).find(({ severity }) => severity === 'error')
    return [
      ...(this.strategy.seal
        ? []
        : [
            {
              severity: 'warning' as const,
              what: 'min-isr is released once reload-clients has ended, as the copy back could not pass: a writer that still runs then writes to the old cluster, and is named (STRANDED)',
              fix: 'a hook reload-clients that ends every writer, or --seal acl-deny',
            },
          ]),
      ...(newer
        ? [
            {
              severity: 'warning' as const,
              what: `way back: ${newer.what}`,
              fix: 'you stop the writers then',
            },
          ]
        : []),
    ]
  }

  async #rightsProblems(): Promise<FenceProblem[]> {
    if (!this.strategy.acls) return []
    const { source: old, target: next, plan } = this.mirror
    const topics = () => plan.topics.map(({ topic }) => topic)
    return await rightsPort({ old, next, topics, signal: this.life }).problems()
  }

  async #wayBackProblems(): Promise<FenceProblem[]> {
    if (!this.strategy.wayBack) return []
    const { from, to, stateDir, groups } = this.options
    const { name, plan } = this.mirror
    await using reverse = reversePort({
      ...{ from: to, to: from, name, run: '', stateDir, groups, signal: this.life },
    })
    const found = await reverse.problems(plan.topics.map(({ topic }) => topic))
    return found.map(({ id, severity, topic, what, try: fix }) => ({
      severity: severity === 'stop' ? 'error' : 'warning',
      what: `way back: ${id}${topic ? ` (${topic})` : ''}: ${what}`,
      fix: severity === 'stop' ? `${fix}; or go without a way back: --no-way-back` : fix,
    }))
  }

  async #document(plan: CutoverPlan, files: Plan): Promise<PlanDocument> {
    const { hooks, toolVersion = '' } = this.options
    const subject = this.subject(files.root)
    return makeDocument({
      ...{ toolVersion, plan, files, subject },
      run: newId(),
      nowMs: Date.now(),
      mirror: this.mirror,
      versions: {
        from: await this.#versionOf(this.mirror.source),
        to: await this.#versionOf(this.mirror.target),
      },
      seen: await lookAt(this.mirror.source, { ...subject, ...this.#during }),
      hooks: findHooks(hooks),
      hooksDirectory: hooks === undefined ? null : resolve(hooks),
      ...this.#asked,
    })
  }

  async #versionOf(cluster: Cluster): Promise<string> {
    const all = [...(await brokerVersions(cluster, this.#during)).values()]
    return all.reduce((oldest, each) => (isAtLeast(oldest, each) ? each : oldest), all[0] ?? '')
  }

  /** The edits that the files need as they are now. */
  async files(): Promise<Plan> {
    const { discovery, from, to, followSymlinks, signal } = this.options
    const advertised = [...this.mirror.source.brokers.values()]
    const old = [...from.bootstrap, ...advertised].map(formatHostPort)
    return await planEdits(await readDirectory(discovery, { signal, followSymlinks }), {
      old: { brokers: [...new Set(old)], zookeeper: from.zookeeper },
      next: { brokers: to.bootstrap.map(formatHostPort), zookeeper: to.zookeeper },
      signal,
    })
  }

  /** What is no longer as a plan found it. */
  async drift({ seen, files, hooks, subject }: PlanDocument, how: { fenced: boolean }): Promise<string[]> {
    const now = await lookAt(this.mirror.source, { ...subject, ...this.#during })
    const fresh = new Map((await this.files()).files.map(file => [file.path, file]))
    const known = new Map(files.map(file => [file.path, file]))
    const paths = [...new Set([...fresh.keys(), ...known.keys()])]
    const changed = paths.filter(
      path =>
        fresh.get(path)?.shaBefore !== known.get(path)?.shaBefore ||
        fresh.get(path)?.shaAfter !== known.get(path)?.shaAfter,
    )
    const hookNow = JSON.stringify(findHooks(this.options.hooks))
    return [
      ...differenceOf(seen, now, how),
      ...changed.map(path => `discovery file ${path} changed since the plan was shown`),
      ...(hookNow === JSON.stringify(hooks) ? [] : ['hooks changed']),
    ]
  }

  runs(): RunRecord[] {
    const { source, target, name } = this.mirror
    return listRuns(this.options.stateDir).filter(
      ({ header: { from, to, mirror } }) =>
        from.clusterId === source.clusterId && to.clusterId === target.clusterId && mirror === name,
    )
  }
  /** A run that has yet to come to its switch, or was on its way back. */
  unfinished(): RunRecord | undefined {
    const last = this.runs().at(-1)
    const over = last?.last && (isEnd(last.last) || (isSwitched(last.last) && last.last.at !== 'opening'))
    return over ? undefined : last
  }

  /**
   * Cuts over, or goes on with a run that was killed. Acts on the plan that the operator saw: what differs from it stops
   * the run while nothing is written. Done already: changes nothing. Errors put everything back (see `execute`).
   */
  async execute(how: ExecuteHow = {}): Promise<CutoverReport> {
    const { stateDir } = this.options
    const lock = lockOf(stateDir, this.mirror)
    await using _ = await LockFile.take(lock, `cutover of mirror ${this.mirror.name}`)
    const found = this.unfinished()
    const during = { cutover: this, lock, how }
    if (found) {
      await this.#refuseOther(found)
      return await runSession({ ...during, found })
    }
    const files = await this.files()
    const done = this.runs().at(-1)
    if (done && (isSwitched(done.last) || done.last?.at === 'complete') && files.files.length === 0)
      return await runSession({ ...during, found: done })
    return await runSession({ ...during, document: await this.#planned(files, how) })
  }

  /** The plan to act on, whether it was looked at or is made now. */
  async #planned(files: Plan, { run }: ExecuteHow): Promise<PlanDocument> {
    const { stateDir } = this.options
    const wanted = { subject: this.subject(files.root), ...this.#asked }
    const waiting =
      run === undefined
        ? waitingPlan(stateDir, wanted, Date.now())
        : namedPlan(stateDir, run, wanted, Date.now())
    const plan = await this.#planOf(files, undefined, waiting ?? this.#asked)
    refuseBlocked(plan)
    if (waiting) {
      refuseExpired(waiting, Date.now())
      return waiting
    }
    const document = await this.#document(plan, files)
    await writeDocument(await directoryOf(stateDir, document.run), document)
    return document
  }

  /** A run that has begun to write can only go on with the same files, and in the same direction. */
  async #refuseOther({ id, header, last }: RunRecord): Promise<void> {
    if (last?.at.startsWith('back-')) {
      throw new KmigError('PREFLIGHT', `run ${id} was going back when it was killed`, {
        try: [`kmig cutover rollback --run ${id}`],
      })
    }
    if (last?.at === 'completing') {
      throw new KmigError('PREFLIGHT', `run ${id} was being completed when it was killed`, {
        try: [`kmig cutover complete --run ${id}`],
      })
    }
    const { discovery, followSymlinks, signal } = this.options
    const { root } = await readDirectory(discovery, { signal, followSymlinks })
    if (root === header.discovery || !(last && WRITING.has(last.at))) return
    throw new KmigError('PREFLIGHT', `run ${id} was killed while it wrote files in ${header.discovery}`, {
      try: [
        `finish it: --discovery ${header.discovery} --execute`,
        `or take it back: kmig cutover rollback --run ${id}`,
      ],
    })
  }

  subject(root: string): RunSubject {
    const { from, to, topics = [], exclude = [], groups = [] } = this.options
    const { source, target, name } = this.mirror
    const side = ({ name, bootstrap, zookeeper, security }: CutoverSide, clusterId: string): RunSide => ({
      ...{ name, clusterId, zookeeper, protocol: security?.protocol },
      bootstrap: bootstrap.map(formatHostPort),
    })
    return {
      from: side(from, source.clusterId),
      to: side(to, target.clusterId),
      mirror: name,
      discovery: root,
      ...{ topics, exclude, groups },
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.mirror[Symbol.asyncDispose]()
    this.#life.abort()
  }
}

const openMirror = async (options: CutoverOptions, signal: AbortSignal): Promise<Mirror> => {
  const { from, to, stateDir, name, topics, exclude, groups, on } = options
  return await Mirror.open({
    ...{ from, to, stateDir, name, topics, exclude, groups, signal },
    exclusive: true,
    on: on && (event => on({ kind: 'mirror', event })),
  })
}

/** What a preflight rests on: how it will be done, and what is accepted. */
type Looked = Pick<PlanDocument, 'strategy' | 'accepted'>

/** So long a preflight that found nothing counts. */
const FRESH_MS = 60_000

const WRITING: ReadonlySet<string> = new Set(['switching', 'files-written', 'opening', 'aborting'])
