import type { CutoverReport } from '../cutover/index.ts'
import { type During, formatDuration, isKmigError, plural, sleep } from '../kit/index.ts'
import { newRun } from '../load/index.ts'
import { runMirror } from '../mirror/index.ts'
import type { SandboxOptions } from '../sandbox/index.ts'
import { demoCast } from './cast.ts'
import { Crowd } from './crowd.ts'
import { changedFiles, snapshot } from './discovery-files.ts'
import { cutOver, goBack, statesOf } from './moves.ts'
import { isGood } from './report.ts'
import { judge, type LogVerdict } from './verdict.ts'
import { furnish, openWorld, type ServedWorld, TOPICS } from './world.ts'
import { moveZnodes, seedZnodes, type ZnodeFindings } from './znodes.ts'

export type DemoEvent =
  | { kind: 'step'; text: string }
  | { kind: 'progress'; sent: number; read: number; text: string }

/** What the demo found; each field was measured. */
export type DemoReport = {
  ms: number
  znodes: ZnodeFindings
  /** First round: cut over and rolled back before a writer had moved. */
  rollback: { changed: string[]; restored: boolean; clientsBack: boolean }
  /** Second round. */
  cutover: { changed: string[]; clientsMoved: boolean; pauseMs: number; wayBackRefused: boolean }
  logs: LogVerdict
  /** Follows from all the others. */
  ok: boolean
}

export type DemoOptions = During<DemoEvent> & { sandbox: SandboxOptions; keep: boolean }

const HISTORY_MS = 3_000
const LIVE_MS = 2_000

/** The whole story on real clusters: clone, cut over, go back, cut over, go on; then the verdict. */
export const demo = async (options: DemoOptions): Promise<DemoReport> => {
  const { signal, sandbox } = options
  const start = performance.now()
  const tell = (text: string) => options.on?.({ kind: 'step', text })
  tell('starting Kafka 3.9.2 with ZooKeeper (old), Kafka 4.3.1 (new) and a second ZooKeeper')
  await using world = await openWorld({
    ...sandbox,
    signal,
    prefix: 'kmig-demo-',
    on: event => {
      if (event.kind === 'fetching') tell(`fetching servers through Maven, once: ${event.directory}`)
      if (event.kind === 'kept') tell(`logs and data of the servers are kept in ${event.directory}`)
    },
  })
  await furnish(world, signal)
  await using crowd = await Crowd.open(demoCast(world), { run: newRun(), journals: world.journals })
  if (options.keep) tell(`files are kept in ${world.keep()}`)
  using story = new Story(world, crowd, options)
  const znodes = await story.znodes()
  await story.history()
  const rollback = await story.roundTrip()
  const cutover = await story.move()
  tell('reading both clusters back with an ordinary client')
  const logs = await judge(world, crowd, { topics: TOPICS.map(({ name }) => name), signal })
  const found = { ms: Math.round(performance.now() - start), znodes, rollback, cutover, logs }
  return { ...found, ok: isGood(found) }
}

/** How often the clients' counts are told. */
const TICK_MS = 250

class Story implements Disposable {
  #doing = 'copying znodes'
  readonly #timer = setInterval(() => {
    const { sent, read } = this.#crowd
    this.#options.on?.({ kind: 'progress', sent, read, text: this.#doing })
  }, TICK_MS)
  readonly #world: ServedWorld
  readonly #crowd: Crowd
  readonly #options: DemoOptions
  constructor(world: ServedWorld, crowd: Crowd, options: DemoOptions) {
    this.#world = world
    this.#crowd = crowd
    this.#options = options
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer)
  }

  get #signal(): { signal: AbortSignal } {
    return { signal: this.#options.signal }
  }
  #tell(text: string): void {
    this.#options.on?.({ kind: 'step', text })
  }

  /** Lets the clients run for a while. */
  async #live(ms: number, text: string): Promise<void> {
    this.#doing = text
    await sleep(ms, this.#options.signal)
  }

  async znodes(): Promise<ZnodeFindings> {
    const { old, next } = this.#world
    await using _ = await seedZnodes(old, this.#signal)
    const found = await moveZnodes(old, next, this.#signal)
    this.#tell(
      `zkcopy: ${plural(found.copied, 'znode')} copied, ${found.equal ? 'equal' : 'NOT equal'} when read back`,
    )
    return found
  }

  async history(): Promise<void> {
    await this.#crowd.start()
    this.#tell('writers and readers are running on the old cluster, as their discovery files say')
    await this.#live(HISTORY_MS, 'writing history')
    this.#doing = 'cloning'
    const report = await runMirror({
      from: this.#world.old,
      to: this.#world.next,
      stateDir: this.#world.state,
      untilCaughtUp: true,
      ...this.#signal,
    })
    this.#tell(`mirror: ${plural(report.records, 'record')} cloned while they went on writing`)
  }

  async #cutOver(): Promise<CutoverReport> {
    return await cutOver(this.#world, {
      wayBack: false, // the story shows that kmig refuses to lose what clients wrote
      ...this.#signal,
      on: statesOf(state => {
        this.#doing = `cutover: ${state}`
      }),
    })
  }

  /** Readers stop before the writers do, so that they leave something unread; kmig moves where they stood. */
  async roundTrip(): Promise<DemoReport['rollback']> {
    const { discovery, old } = this.#world
    const before = await snapshot(discovery)
    await this.#crowd.stopReaders()
    await this.#live(LIVE_MS / 4, 'writers only')
    await this.#crowd.stopWriters()
    await this.#cutOver()
    const changed = changedFiles(before, await snapshot(discovery))
    this.#tell(`cutover: ${changed.join(', ')} name the new cluster now`)
    await goBack(this.#world, this.#signal)
    const restored = changed.length > 0 && changedFiles(before, await snapshot(discovery)).length === 0
    this.#tell(`rollback: ${restored ? 'every byte of them is as it was' : 'files are NOT as they were'}`)
    await this.#crowd.start()
    const clientsBack = this.#allAt(old)
    await this.#live(LIVE_MS, 'back on the old cluster')
    return { changed, restored, clientsBack }
  }

  /** Readers stay until everything is read, and start again behind the writers. */
  async move(): Promise<DemoReport['cutover']> {
    const { discovery, next } = this.#world
    const before = await snapshot(discovery)
    await this.#crowd.stopWriters()
    const paused = performance.now()
    await this.#cutOver()
    const changed = changedFiles(before, await snapshot(discovery))
    await this.#crowd.stopReaders()
    await this.#crowd.start()
    const pauseMs = Math.round(performance.now() - paused)
    const clientsMoved = this.#allAt(next)
    this.#tell(
      `cutover: writers and readers are on the new cluster after a pause of ${formatDuration(pauseMs)}`,
    )
    await this.#live(LIVE_MS, 'on the new cluster')
    const wayBackRefused = await this.#refusesToLose()
    await this.#crowd.stopWriters()
    await this.#catchUp()
    await this.#crowd.stopReaders()
    return { changed, clientsMoved, pauseMs, wayBackRefused }
  }

  /** Once clients have written to the new cluster, going back would lose that: kmig must refuse, and touch nothing. */
  async #refusesToLose(): Promise<boolean> {
    const before = await snapshot(this.#world.discovery)
    try {
      await goBack(this.#world, this.#signal)
    } catch (e) {
      if (!isKmigError(e, 'ROLLBACK_REFUSED')) throw e
      this.#tell('rollback: refused now, as clients have written to the new cluster')
      return changedFiles(before, await snapshot(this.#world.discovery)).length === 0
    }
    return false
  }

  #allAt({ bootstrap }: ServedWorld['old']): boolean {
    const expected = bootstrap.map(({ host, port }) => `${host}:${port}`).join(',')
    return this.#crowd.at.size === 1 && this.#crowd.at.has(expected)
  }

  /** Readers read on until nothing has come for a while. */
  async #catchUp(): Promise<void> {
    for (let quiet = 0, read = -1; quiet < 4; quiet = this.#crowd.read === read ? quiet + 1 : 0) {
      read = this.#crowd.read
      await this.#live(250, 'readers read to the end')
    }
  }
}
