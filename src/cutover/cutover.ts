import { join } from 'node:path'
import {
  commitWrite,
  gitProblems,
  type Plan,
  planEdits,
  readDirectory,
  yamlDirectory,
} from '../discovery/index.ts'
import { type ClusterAddress, partitionOf } from '../kafka/index.ts'
import {
  bug,
  type During,
  formatHostPort,
  KmigError,
  LockFile,
  onAbort,
  writeFileAtomic,
} from '../kit/index.ts'
import { Mirror } from '../mirror/index.ts'
import type { CutoverEvent } from './events.ts'
import { execute, settle } from './execute.ts'
import { whatStays } from './left-behind.ts'
import { livePorts } from './live.ts'
import { logEnds, type Where } from './log-ends.ts'
import { type CutoverPlan, makePlan, refuseBlocked } from './plan.ts'
import type { Ports } from './ports.ts'
import { type CutoverReport, makeReport } from './report.ts'
import { listRuns, Run, type RunRecord, type RunSide, type RunSubject } from './run-directory.ts'
import { isEnd, type StateName } from './states.ts'
import { LEAST_WINDOW_MS } from './still.ts'

export type CutoverSide = ClusterAddress & { zookeeper?: string | undefined }

export type CutoverOptions = During<CutoverEvent> & {
  from: CutoverSide
  /** Its bootstrap is what `broker_list` gets; its zookeeper, if given, what `zookeeper` gets. */
  to: CutoverSide
  /** Directory of discovery files. */
  discovery: string
  stateDir: string
  /** As of the mirror. */
  name?: string | undefined
  topics?: readonly string[] | undefined
  exclude?: readonly string[] | undefined
  groups?: readonly string[] | undefined
  /** How long log ends of the old cluster must stand still, ms; at least 1000, default 10000. */
  stillForMs?: number | undefined
  /** How long live readers of the old cluster get to read to the end, ms; default 30000. */
  readersWithinMs?: number | undefined
  /** Files that may name hosts of the old cluster outside of the entries that move. */
  acceptMentions?: readonly string[] | undefined
  /** Commits the files that were written, and no others. */
  git?: boolean | undefined
  /** As of `readDirectory`. */
  followSymlinks?: boolean | undefined
}

/** Both clusters and the files, looked at; `open` and `plan` change nothing. Source: CUTOVER.md, first cut. */
export class Cutover implements AsyncDisposable {
  readonly mirror: Mirror
  readonly #options: CutoverOptions
  readonly #life: AbortController
  private constructor(options: CutoverOptions, mirror: Mirror, life: AbortController) {
    this.#options = options
    this.mirror = mirror
    this.#life = life
  }

  /** Throws what reading the files, or reaching the clusters, throws; the files come first, as they need no server. */
  static async open(options: CutoverOptions): Promise<Cutover> {
    const { stillForMs = LEAST_WINDOW_MS, signal, on } = options
    if (stillForMs < LEAST_WINDOW_MS) {
      throw new KmigError(
        'USAGE',
        `log ends that stand still for ${stillForMs} ms prove nothing: ${LEAST_WINDOW_MS} ms is the least`,
      )
    }
    await readDirectory(options.discovery, { signal, followSymlinks: options.followSymlinks })
    const life = new AbortController()
    using _ = onAbort(signal, reason => life.abort(reason))
    const { from, to, stateDir, name, topics, exclude, groups } = options
    const mirror = await Mirror.open({
      ...{ from, to, stateDir, name, topics, exclude, groups },
      exclusive: true,
      signal: life.signal,
      on: on && (event => on({ kind: 'mirror', event })),
    })
    return new Cutover(options, mirror, life)
  }

  /** What would be done. Throws DISCOVERY_EMPTY, DISCOVERY_INVALID, DISCOVERY_NO_MATCH. */
  async plan(): Promise<CutoverPlan> {
    return await this.#planOf(await this.#files(), this.#unfinished())
  }

  async #planOf(files: Plan, run: RunRecord | undefined): Promise<CutoverPlan> {
    const { stillForMs = 10_000, acceptMentions = [] } = this.#options
    const unfinished = run && { run: run.id, at: run.last?.at ?? 'planned' }
    const { plan: mirror, source } = this.mirror
    const leftBehind = await whatStays(source, {
      mirror,
      groups: this.#options.groups,
      signal: this.#life.signal,
    })
    const git = this.#options.git
      ? await gitProblems(
          files.root,
          files.files.map(({ path }) => path),
        )
      : []
    return makePlan({ mirror, files, leftBehind, stillForMs, acceptMentions, git, unfinished })
  }

  async #files(): Promise<Plan> {
    const { discovery, from, to, followSymlinks, signal } = this.#options
    const advertised = [...this.mirror.source.brokers.values()]
    const old = [...from.bootstrap, ...advertised].map(formatHostPort)
    return await planEdits(await readDirectory(discovery, { signal, followSymlinks }), {
      old: { brokers: [...new Set(old)], zookeeper: from.zookeeper },
      next: { brokers: to.bootstrap.map(formatHostPort), zookeeper: to.zookeeper },
      signal,
    })
  }

  #runs(): RunRecord[] {
    const { source, target, name } = this.mirror
    return listRuns(this.#options.stateDir).filter(
      ({ header: { from, to, mirror } }) =>
        from.clusterId === source.clusterId && to.clusterId === target.clusterId && mirror === name,
    )
  }
  #unfinished(): RunRecord | undefined {
    const last = this.#runs().at(-1)
    return last && !(last.last && isEnd(last.last)) ? last : undefined
  }

  /**
   * Cuts over, or goes on with a run that was killed. `agreed`: the plan that the operator saw; files that differ from it
   * stop the run before it begins. Done already: changes nothing. Errors put everything back (see `execute`).
   */
  async execute({ agreed }: { agreed?: CutoverPlan | undefined } = {}): Promise<CutoverReport> {
    const { stateDir, stillForMs = 10_000, readersWithinMs = 30_000, signal, on } = this.#options
    await using _ = await LockFile.take(
      lockOf(stateDir, this.mirror),
      `cutover of mirror ${this.mirror.name}`,
    )
    const found = this.#unfinished()
    if (found) await this.#refuseOther(found)
    if (found)
      await settle(found.last, yamlDirectory(this.#options.discovery, { journalDir: found.directory }))
    const files = await this.#files()
    const plan = await this.#planOf(files, found)
    refuseBlocked(plan)
    if (!found) {
      refuseChanged(plan, agreed)
      const done = this.#runs().at(-1)
      if (done?.last?.at === 'switched' && files.files.length === 0)
        return await this.#report(done, { already: true })
    }
    await using run = await Run.begin(stateDir, this.#subject(files.root), found)
    const ports = this.#ports(run)
    const log = { id: run.header.id, last: run.last, append: run.append.bind(run) }
    const made = { root: files.root, files: files.files }
    await execute({ run: log, ports, plan: made, stillForMs, readersWithinMs, signal, on })
    const { header, directory, states } = run
    return await this.#report(
      { id: header.id, header, directory, states, last: run.last },
      { already: false },
    )
  }

  /** A run that has begun to write can only go on with the same files, and in the same direction. */
  async #refuseOther({ id, header, last }: RunRecord): Promise<void> {
    if (last?.at === 'rolling-back') {
      throw new KmigError('PREFLIGHT', `run ${id} was going back when it was killed`, {
        try: [`kmig cutover rollback --run ${id}`],
      })
    }
    const { discovery, followSymlinks, signal } = this.#options
    const { root } = await readDirectory(discovery, { signal, followSymlinks })
    if (root === header.discovery || !(last && WRITING.has(last.at))) return
    throw new KmigError('PREFLIGHT', `run ${id} was killed while it wrote files in ${header.discovery}`, {
      try: [
        `finish it: --discovery ${header.discovery} --execute`,
        `or take it back: kmig cutover rollback --run ${id}`,
      ],
    })
  }

  #subject(root: string): RunSubject {
    const { from, to, topics = [], exclude = [], groups = [] } = this.#options
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

  #ports(run: Run): Ports {
    const { signal, groups, discovery } = this.#options
    const { mirror } = this
    const wheres = (): Where[] =>
      mirror.plan.topics.flatMap(({ topic, partitions }) =>
        partitions.map(({ partition }) => ({ topic, partition })),
      )
    return livePorts({
      ...{ mirror, groups, discovery, signal, wheres },
      life: this.#life.signal,
      run: { id: run.header.id, directory: run.directory },
    })
  }

  async #report(run: RunRecord, { already }: { already: boolean }): Promise<CutoverReport> {
    if (run.last?.at !== 'switched') throw bug(`run ${run.id} ended as ${run.last?.at}`)
    const wheres = Object.keys(run.last.cut).map(partitionOf)
    const { mirror } = this
    // After the switch, and again at each later start, so that a kill in between is made good.
    const commit = this.#options.git
      ? await commitWrite(run.directory, { run: run.id, what: `kmig: cutover to ${run.header.to.name}` })
      : undefined
    const during = { signal: this.#life.signal }
    const [old, next] = [
      await logEnds(mirror.source, wheres, during),
      await logEnds(mirror.target, wheres, during),
    ]
    const { header, directory, states } = run
    const report = makeReport({ header, directory, states, already, old, next, commit })
    if (!already)
      await writeFileAtomic(join(directory, 'report.json'), `${JSON.stringify(report, undefined, 2)}\n`)
    return report
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.mirror[Symbol.asyncDispose]()
    this.#life.abort()
  }
}

export const lockOf = (stateDir: string, { target, name }: Pick<Mirror, 'target' | 'name'>): string =>
  join(stateDir, 'locks', `${target.clusterId}.${name}.cutover.lock`)

const WRITING: ReadonlySet<StateName> = new Set(['switching', 'files-written', 'aborting'])

const refuseChanged = (plan: CutoverPlan, agreed: CutoverPlan | undefined): void => {
  if (!agreed || plan.discovery.diff === agreed.discovery.diff) return
  throw new KmigError('DISCOVERY_CONFLICT', 'the discovery files changed since the plan was shown', {
    try: ['look at the new plan: run the same command again'],
  })
}
