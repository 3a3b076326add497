import { existsSync } from 'node:fs'
import { Command, type Interfaces } from '@oclif/core'
import {
  type ClusterConfig,
  type Clusters,
  type Env,
  findClusters,
  stateDirectory,
  zookeeperWarnings,
} from '../config/index.ts'
import { bug, type During, KmigError } from '../kit/index.ts'
import { confirm, type Question } from './confirm.ts'
import { causesText, type Failure, failureOf, failureText, isQuietExit } from './failure.ts'
import { globalFlags } from './flags.ts'
import { type Json, toJson } from './json.ts'
import { type Lines, linesFor, type ProgressStyle } from './progress.ts'
import { Interrupt, SIGNAL_EXIT } from './signals.ts'
import type { View } from './view.ts'

/** What `show` runs: told what happens by `during.on`, or yielding it. */
export type Work<Event, Report> = (
  during: During<Event>,
) => Promise<Report> | AsyncGenerator<Event, Report, void>

type GlobalFlags = Interfaces.InferredFlags<typeof globalFlags>

const interactive = (): boolean => process.stderr.isTTY === true && process.env['TERM'] !== 'dumb'

/**
 * A command is a page: parse, open, show. What goes to stdout and stderr, exit codes, signals and errors are here.
 * stdout carries data only; everything for people goes to stderr. Source: RELIABILITY.md 8.
 */
export abstract class BaseCommand extends Command {
  static override baseFlags = globalFlags

  readonly #interrupt = new Interrupt(text => {
    if (!this.#flags.quiet) process.stderr.write(`${text}\n`)
  })
  #flags: Partial<GlobalFlags> = {}
  /** Whether `--config` names a file that is made. */
  protected readonly makesConfig: boolean = false

  /** Aborted by the first SIGINT, SIGTERM or SIGHUP. */
  get signal(): AbortSignal {
    return this.#interrupt.signal
  }

  /** For rooms whose events nobody shows. */
  get during(): During {
    return { signal: this.signal }
  }

  /** The clusters that kmig.yaml names. */
  protected get clusters(): Clusters {
    return findClusters({ file: this.#flags.config, cwd: process.cwd(), env: process.env })
  }

  /** A cluster by name or by address. Throws UNKNOWN_CLUSTER, BAD_ADDRESS, CONFIG_INVALID. */
  protected cluster(nameOrAddress: string): ClusterConfig {
    const cluster = this.clusters.kafka(nameOrAddress)
    if (!this.#flags.quiet) {
      for (const warning of cluster.warnings ?? []) process.stderr.write(`warning: ${warning}\n`)
    }
    return cluster
  }

  /** A ZooKeeper connect string by cluster name, or as it is. */
  protected zookeeper(nameOrAddress: string): string {
    return this.clusters.zookeeper(nameOrAddress)
  }

  /** File of credentials of a ZooKeeper: the flag's, or that of the cluster's entry. */
  protected zookeeperLogin(nameOrAddress: string, flag: string | undefined): string | undefined {
    const file = flag ?? this.clusters.zookeeperProperties(nameOrAddress)
    if (file !== undefined && !this.#flags.quiet) {
      for (const warning of zookeeperWarnings(file)) process.stderr.write(`warning: ${warning}\n`)
    }
    return file
  }

  /** Where locks, journals and saved files are. */
  protected get stateDirectory(): string {
    return stateDirectory({ flag: this.#flags['state-dir'], env: process.env })
  }

  /** For rooms that may not read the environment themselves. */
  protected get env(): Env {
    return process.env
  }

  /** A command line of kmig itself, for a process that outlives this one: same state, same configuration. */
  protected own(...words: string[]): string[] {
    const { 'state-dir': state, config } = this.#flags
    return [
      ...[process.execPath, process.argv[1] ?? '', ...words],
      ...(state === undefined ? [] : ['--state-dir', state]),
      ...(config === undefined ? [] : ['--config', config]),
    ]
  }

  protected async confirm(question: Omit<Question, 'signal'>): Promise<boolean> {
    return await confirm({ ...question, signal: this.signal })
  }

  protected override async parse<
    F extends Interfaces.OutputFlags<Interfaces.FlagInput>,
    B extends Interfaces.OutputFlags<Interfaces.FlagInput>,
    A extends Interfaces.OutputArgs<Interfaces.ArgInput>,
  >(options?: Interfaces.Input<F, B, A>, argv?: string[]): Promise<Interfaces.ParserOutput<F, B, A>> {
    const parsed = await super.parse<F, B, A>(options, argv)
    this.#flags = parsed.flags as Partial<GlobalFlags>
    const { config } = this.#flags
    if (config !== undefined && !this.makesConfig && !existsSync(config))
      throw new KmigError('USAGE', `--config ${config}: there is no such file`, {
        try: ['name a file that exists, or leave --config out'],
      })
    return parsed
  }

  /** Runs the work, shows what happens, prints the report, sets the exit code. */
  protected async show<Event, Report>(work: Work<Event, Report>, view: View<Event, Report>): Promise<Report> {
    const report = await this.#watch(work, view)
    const { by } = this.#interrupt
    const exit = view.exit?.(report) || (by ? SIGNAL_EXIT[by] : 0)
    process.exitCode = exit
    if (this.#machine) this.#print(this.#checked(report, view, exit))
    else {
      const { human, data } = view
      if (human) process.stderr.write(`${human(report)}\n`)
      if (data) process.stdout.write(`${data(report)}\n`)
    }
    return report
  }

  async #watch<Event, Report>(work: Work<Event, Report>, view: View<Event, Report>): Promise<Report> {
    await using lines: Lines = await linesFor(this.#style, process.stderr)
    const on = (event: Event) => {
      if (this.#flags['json-stream']) this.#print(toJson(event))
      const said = view.say?.(event)
      if (said !== undefined) lines.say(said)
      const moved = view.move?.(event)
      if (moved) lines.move(moved)
    }
    const running = work({ signal: this.signal, on })
    if (running instanceof Promise) return await running
    for (;;) {
      const { done, value } = await running.next()
      if (done) return value
      on(value)
    }
  }

  #checked<Report>(report: Report, view: View<never, Report>, exit: number): Json {
    const { by } = this.#interrupt
    const json = {
      schemaVersion: view.schemaVersion ?? 1,
      command: this.#name,
      ok: exit === 0,
      ...(by ? { stoppedBy: by } : {}),
      ...(toJson(report) as Record<string, Json>),
    }
    const checked = view.schema.safeParse(json)
    if (!checked.success) throw bug(`the report of ${this.#name} breaks its schema: ${checked.error.message}`)
    return json
  }

  /** Every error ends here: oclif's own too. */
  protected override async catch(e: Error): Promise<void> {
    this.parsed = true // or else oclif warns that flags were not read
    if (isQuietExit(e)) throw e
    const { by } = this.#interrupt
    const stopped = by && e.name === 'AbortError'
    const failure: Failure = stopped
      ? { code: 'INTERRUPTED', message: `stopped by ${by}`, try: [], exit: SIGNAL_EXIT[by] }
      : failureOf(e, `${this.config.bin} ${this.#name} --help`)
    process.exitCode = failure.exit
    if (this.#machine) {
      this.#print({
        schemaVersion: 1,
        command: this.#name,
        ok: false,
        error: { ...failure, try: [...failure.try] },
      })
      return
    }
    const causes = causesText(e, { stacks: process.env['KMIG_DEBUG'] === '1' })
    process.stderr.write(`${failureText(failure)}\n${causes && !stopped ? `${causes}\n` : ''}`)
  }

  protected override async finally(e: Error | undefined): Promise<void> {
    this.#interrupt[Symbol.dispose]()
    await super.finally(e)
  }

  get #name(): string {
    return (this.id ?? '').replaceAll(':', ' ')
  }

  /** Whether stdout is for a machine; asked before the flags are parsed too, when parsing fails. */
  get #machine(): boolean {
    const end = this.argv.indexOf('--')
    const given = end < 0 ? this.argv : this.argv.slice(0, end)
    return given.includes('--json') || given.includes('--json-stream')
  }

  get #style(): ProgressStyle {
    const { quiet, progress = 'auto' } = this.#flags
    if (quiet) return 'none'
    if (progress !== 'auto') return progress
    return interactive() ? 'bars' : 'plain'
  }

  #print(json: Json): void {
    process.stdout.write(`${JSON.stringify(json)}\n`)
  }
}
