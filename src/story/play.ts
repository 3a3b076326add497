import { type During, formatDuration, plural, sleep } from '../kit/index.ts'
import { runMirror } from '../mirror/index.ts'
import type { Crowd } from './crowd.ts'
import { cutOver, goBack } from './moves.ts'
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
  clientPauseMs: number
  pauseMs: number
  ms: number
  timings: { state: string; at: string; ms: number }[]
}

export type WayBack = {
  ms: number
  clientPauseMs: number
  clientsBack: boolean
  restored: boolean
  written: number
}

const HISTORY_MS = 3_000
const LIVE_MS = 3_000
const TICK_MS = 250

/** Live clients on a stage, and what is done to them. */
export class Play implements Disposable {
  #doing = 'writing history'
  #before = new Map<string, string>()
  #mark = 0
  readonly #timer: NodeJS.Timeout
  readonly #world: World
  readonly #crowd: Crowd
  readonly #during: During<PlayEvent>
  constructor(world: World, crowd: Crowd, during: During<PlayEvent>) {
    this.#world = world
    this.#crowd = crowd
    this.#during = during
    this.#timer = setInterval(() => {
      const { sent, read } = crowd
      during.on?.({ kind: 'progress', sent, read, text: this.#doing })
    }, TICK_MS)
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer)
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
    const { old, next, state } = this.#world
    await this.#crowd.start()
    this.#tell('writers and readers are running on the old cluster, as the copied files say')
    await this.#live(HISTORY_MS, 'writing history')
    this.#doing = 'cloning'
    const report = await runMirror({
      from: old,
      to: next,
      stateDir: state,
      untilCaughtUp: true,
      ...this.#signal,
    })
    this.#tell(`mirror: ${plural(report.records, 'record')} cloned while they went on writing`)
  }

  /** Writers stop, kmig cuts over, readers, and writers if they shall, start again where their files say. */
  async round({ write }: { write: boolean }): Promise<Round> {
    const { discovery, next } = this.#world
    this.#before = await bytesIn(discovery)
    const paused = performance.now()
    await this.#crowd.stopWriters()
    const report = await cutOver(this.#world, {
      ...this.#signal,
      on: state => {
        this.#doing = `cutover: ${state}`
      },
    })
    const ms = Math.round(performance.now() - paused)
    this.#mark = this.#crowd.acknowledged
    await this.#crowd.stopReaders()
    await (write ? this.#crowd.start() : this.#crowd.startReaders())
    const clientPauseMs = Math.round(performance.now() - paused)
    const clientsMoved = this.#allAt(next)
    const changed = differing(this.#before, await bytesIn(discovery))
    this.#tell(`cutover: clients are on the new cluster after a pause of ${formatDuration(clientPauseMs)}`)
    await this.#live(LIVE_MS, 'on the new cluster')
    const { run, pauseMs, timings } = report
    return { run, changed, clientsMoved, clientPauseMs, pauseMs, ms, timings }
  }

  /** The way back, with what clients have written to the new cluster. */
  async back(): Promise<WayBack> {
    const { discovery, old } = this.#world
    const paused = performance.now()
    await this.#crowd.stopWriters()
    const written = this.#crowd.acknowledged - this.#mark
    this.#doing = 'rollback'
    await goBack(this.#world, this.#signal)
    const ms = Math.round(performance.now() - paused)
    const restored = differing(this.#before, await bytesIn(discovery)).length === 0
    await this.#crowd.stopReaders()
    await this.#crowd.start()
    const clientPauseMs = Math.round(performance.now() - paused)
    const clientsBack = this.#allAt(old)
    this.#tell(
      `rollback: ${restored ? 'every byte of the files is as it was' : 'files are NOT as they were'}, clients are back after ${formatDuration(clientPauseMs)}`,
    )
    await this.#live(LIVE_MS, 'back on the old cluster')
    return { ms, clientPauseMs, clientsBack, restored, written }
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

  #allAt({ bootstrap }: World['old']): boolean {
    const expected = bootstrap.map(({ host, port }) => `${host}:${port}`).join(',')
    return this.#crowd.at.size === 1 && this.#crowd.at.has(expected)
  }
}
