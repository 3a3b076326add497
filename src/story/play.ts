import { join } from 'node:path'
import type { Certified } from '../cutover/index.ts'
import { type During, formatDuration, formatHostPort, plural, sleep } from '../kit/index.ts'
import { runMirror } from '../mirror/index.ts'
import type { CrashPlan } from './crash-worker.ts'
import { type Crash, type Crashed, type CrashOptions, crashThrough } from './crashes.ts'
import type { Crowd } from './crowd.ts'
import { HookBridge } from './hook-bridge.ts'
import { cutOver, goBack, statesOf } from './moves.ts'
import { bytesIn, differing } from './rehearse-files.ts'
import type { World } from './world.ts'

export type PlayEvent =
  | { kind: 'step'; text: string }
  | { kind: 'progress'; sent: number; read: number; text: string }

/** A cutover of a rehearsal, as it was measured. */
export type Round = {
  run: string
  changed: string[]
  clientsMoved: boolean
  /** Window in which log ends were seen to stand still; part of the pause. */
  windowMs: number
  clientPauseMs: number
  pauseMs: number
  ms: number
  timings: { state: string; at: string; ms: number }[]
  certificate: Certified | undefined
}

export type WayBack = {
  ms: number
  clientPauseMs: number
  clientsBack: boolean
  restored: boolean
  /** Records that clients wrote to the new cluster before. */
  written: number
  timings: { state: string; at: string; ms: number }[]
}

/** A cutover and a rollback whose process was killed behind each line of its journal. */
export type CrashedRound = {
  cutover: Crash[]
  rollback: Crash[]
  /** Nobody was spared for want of time. */
  complete: boolean
  /** The files were those of the cutover that nobody killed, then as they had been. */
  same: boolean
  clientsMoved: boolean
  clientsBack: boolean
  /** The longest time that writers stood still. */
  longestPauseMs: number
  ms: number
}

/** `until`: when kills end, ms since 1970; default never. */
export type CrashHow = Pick<CrashOptions, 'worker' | 'env'> & {
  until: Partial<Record<CrashPlan['move'], number>>
}

export type PlayOptions = During<PlayEvent> & {
  /** As of `kmig cutover`. */
  contents: boolean
  toolVersion: string
}

const HISTORY_MS = 2_000
const LIVE_MS = 2_000
const TICK_MS = 250

const crashText = (move: string, { kills }: Crashed, same: boolean): string =>
  `${move}: killed and started again ${plural(kills.length, 'time')}, and ended ${same ? 'the same' : 'DIFFERENTLY'}`

/** Live clients on a stage, and what is done to them: kmig stops and starts their writers through hooks. */
export class Play implements AsyncDisposable {
  #doing = 'writing history'
  #before = new Map<string, string>()
  #after = new Map<string, string>()
  /** When writers were stopped, when each of them had written again, and what they had written before. */
  #pause = { from: 0, to: 0, longest: 0, acknowledged: 0 }
  #turn: Promise<void> = Promise.resolve()
  readonly #timer: NodeJS.Timeout
  readonly #world: World
  readonly #crowd: Crowd
  readonly #bridge: HookBridge
  readonly #during: PlayOptions
  private constructor(world: World, crowd: Crowd, bridge: HookBridge, during: PlayOptions) {
    this.#world = world
    this.#crowd = crowd
    this.#bridge = bridge
    this.#during = during
    this.#timer = setInterval(() => {
      const { sent, read } = crowd
      during.on?.({ kind: 'progress', sent, read, text: this.#doing })
    }, TICK_MS)
  }

  static async open(world: World, crowd: Crowd, during: PlayOptions): Promise<Play> {
    const bridge = await HookBridge.open(world.state, {
      fence: side => play.#next(() => play.#stop(side)),
      unfence: () => play.#next(() => play.#start()),
      'reload-clients': () => play.#next(() => play.#start()),
      rollback: () => play.#next(() => play.#start()),
    })
    const play = new Play(world, crowd, bridge, during)
    return play
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer)
    await this.#bridge[Symbol.asyncDispose]()
  }

  /** One hook after the other: one that a killed process has left may still run when the next is started. */
  async #next(work: () => Promise<void>): Promise<void> {
    const turn = this.#turn.then(work)
    this.#turn = turn.catch(() => {})
    await turn
  }

  /** On the way back readers stop too: kmig gives their offsets back once their group is empty. */
  async #stop(side: string): Promise<void> {
    this.#pause.from = performance.now()
    const readers = side === 'new' ? this.#crowd.stopReaders() : undefined
    await this.#crowd.stopWriters()
    await readers
    this.#pause.acknowledged = this.#crowd.acknowledged
  }
  async #start(): Promise<void> {
    await this.#crowd.reload()
    this.#pause.to = performance.now()
    this.#pause.longest = Math.max(this.#pause.longest, this.#pauseMs)
  }
  get #pauseMs(): number {
    return Math.round(this.#pause.to - this.#pause.from)
  }

  #tell(text: string): void {
    this.#during.on?.({ kind: 'step', text })
  }
  async #live(ms: number, text: string): Promise<void> {
    this.#doing = text
    await sleep(ms, this.#during.signal)
  }
  get #signal(): { signal: AbortSignal } {
    return { signal: this.#during.signal }
  }

  /** Clients write, and a mirror copies while they do. */
  async history(): Promise<void> {
    const { old, next, state, scope } = this.#world
    await this.#crowd.start()
    this.#tell('writers and readers are running on the old cluster, as the copied files say')
    await this.#live(HISTORY_MS, 'writing history')
    this.#doing = 'cloning'
    const report = await runMirror({
      ...scope,
      from: old,
      to: next,
      stateDir: state,
      untilCaughtUp: true,
      ...this.#signal,
    })
    this.#tell(`mirror: ${plural(report.records, 'record')} cloned while they went on writing`)
  }

  /** kmig fences the writers, cuts over, and has clients start again where their files say. */
  async round(): Promise<Round> {
    const { discovery, next } = this.#world
    this.#before = await bytesIn(discovery)
    const start = performance.now()
    const { directory: hooks } = this.#bridge
    const { contents: check, toolVersion } = this.#during
    const told = this.#told('cutover')
    const report = await cutOver(this.#world, { ...told, on: statesOf(told.on), hooks, check, toolVersion })
    const ms = Math.round(performance.now() - start)
    const clientPauseMs = this.#pauseMs
    const clientsMoved = this.#allAt(next)
    this.#after = await bytesIn(discovery)
    const changed = differing(this.#before, this.#after)
    this.#tell(`cutover: writers are on the new cluster after a pause of ${formatDuration(clientPauseMs)}`)
    await this.#live(LIVE_MS, 'on the new cluster')
    const { run, pauseMs, timings, proof, certificate } = report
    const { windowMs } = proof
    return { run, changed, clientsMoved, windowMs, clientPauseMs, pauseMs, ms, timings, certificate }
  }

  /** The way back, with what clients have written to the new cluster. */
  async back(): Promise<WayBack> {
    const { discovery, old } = this.#world
    const { acknowledged } = this.#pause
    const start = performance.now()
    const states: { state: string; at: number }[] = []
    const told = this.#told('rollback')
    await goBack(this.#world, {
      ...told,
      on: statesOf(state => {
        states.push({ state, at: Date.now() })
        told.on(state)
      }),
    })
    const ms = Math.round(performance.now() - start)
    const clientPauseMs = this.#pauseMs
    const restored = differing(this.#before, await bytesIn(discovery)).length === 0
    const clientsBack = this.#allAt(old)
    this.#tell(
      `rollback: ${restored ? 'every byte of the files is as it was' : 'files are NOT as they were'}; writers are back after a pause of ${formatDuration(clientPauseMs)}`,
    )
    const written = this.#pause.acknowledged - acknowledged
    await this.#live(LIVE_MS, 'back on the old cluster')
    const timings = states.map(({ state, at }, i) => ({
      state,
      at: new Date(at).toISOString(),
      ms: (states[i + 1]?.at ?? at) - at,
    }))
    return { ms, clientPauseMs, clientsBack, restored, written, timings }
  }

  /** A cutover and its way back by processes that are killed all along, each no longer than until `until`. */
  async crashed(how: CrashHow): Promise<CrashedRound> {
    const { discovery, next, old } = this.#world
    const start = performance.now()
    this.#pause.longest = 0
    const cutover = await this.#killed('cutover', how)
    const clientsMoved = this.#allAt(next)
    const moved = differing(this.#after, await bytesIn(discovery)).length === 0
    this.#tell(crashText('cutover', cutover, moved))
    await this.#live(LIVE_MS, 'on the new cluster')
    const rollback = await this.#killed('rollback', how)
    const clientsBack = this.#allAt(old)
    const restored = differing(this.#before, await bytesIn(discovery)).length === 0
    this.#tell(crashText('rollback', rollback, restored))
    await this.#live(LIVE_MS, 'back on the old cluster')
    return {
      cutover: cutover.kills,
      rollback: rollback.kills,
      complete: cutover.complete && rollback.complete,
      ...{ same: moved && restored, clientsMoved, clientsBack },
      longestPauseMs: this.#pause.longest,
      ms: Math.round(performance.now() - start),
    }
  }

  async #killed(move: CrashPlan['move'], { until, ...options }: CrashHow): Promise<Crashed> {
    const { old, next, discovery, state, scope } = this.#world
    this.#doing = `${move}: to be killed at each step`
    const plan: CrashPlan = {
      ...{ move, scene: { old, next, discovery, state, scope } },
      hooks: this.#bridge.directory,
      contents: this.#during.contents,
      log: join(state, `crashes-${move}`),
      untilMs: until[move],
    }
    const on: CrashOptions['on'] = ({ step, name }) => {
      this.#doing = `${move}: killed behind ${step} ${name}`
    }
    return await crashThrough(plan, { ...options, ...this.#signal, on })
  }

  #told(what: string) {
    return {
      ...this.#signal,
      on: (state: string) => {
        this.#doing = `${what}: ${state}`
      },
    }
  }

  /** Writers stop, readers read to the end. */
  async end(): Promise<void> {
    await this.#crowd.stopWriters()
    for (let quiet = 0, read = -1; quiet < 4; quiet = this.#crowd.read === read ? quiet + 1 : 0) {
      read = this.#crowd.read
      await this.#live(TICK_MS, 'readers read to the end')
    }
    await this.#crowd.stopReaders()
  }

  /** Entries may list more brokers than kmig was told of, but none of the other side. */
  #allAt({ bootstrap }: World['old']): boolean {
    const known = new Set(bootstrap.map(formatHostPort))
    const at = [...this.#crowd.at]
    return at.length > 0 && at.every(list => list.split(',').some(broker => known.has(broker)))
  }
}
