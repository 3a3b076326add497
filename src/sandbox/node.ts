import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { anySignal, KmigError, onAbort } from '../kit/index.ts'
import { endTraining, type Training } from './class-archive.ts'
import { Supervised } from './supervised.ts'
import { tailOf } from './tail.ts'

/** A server of a sandbox cluster. Its address, data and log stay the same over stops and starts. */
export interface Node extends AsyncDisposable {
  readonly id: number
  readonly role: 'broker' | 'zookeeper'
  readonly host: string
  /** File that all its output goes to. */
  readonly log: string
  /** Its data directory. */
  readonly data: string
  /** Pid of the server itself while it runs. */
  readonly pid: number | undefined
  /** Starts it and waits until it answers. Throws SANDBOX, with the last lines of its log, if it ends instead. */
  start(signal?: AbortSignal): Promise<void>
  /** `clean`: SIGTERM, as an operator would; `kill`: SIGKILL. Resolves when the process is gone. */
  stop(how: 'clean' | 'kill'): Promise<void>
  /** SIGSTOP: its sockets stay open and nothing answers. */
  pause(): void
  resume(): void
}

export type JvmNodeOptions = {
  id: number
  role: Node['role']
  host: string
  /** Holds configuration, data, log and pid file; exists. */
  directory: string
  command: readonly [string, ...string[]]
  /** Resolves when the server may be started: what an earlier life left behind is gone. */
  startable?: (signal: AbortSignal) => Promise<void>
  /** Resolves when the server answers. */
  ready: (signal: AbortSignal) => Promise<void>
  /** It makes an archive of classes for those to come, so it is to end in peace. */
  training?: Training | undefined
}

const CLEAN_STOP_MS = 60_000
/** For writing its archive of classes; without it the next one does so. */
const TRAINED_STOP_MS = 15_000

/** A server that runs as a child process on the JVM. */
export class JvmNode implements Node {
  readonly id: number
  readonly role: Node['role']
  readonly host: string
  readonly log: string
  readonly data: string
  #options: JvmNodeOptions
  #process: Supervised | undefined
  #ready = false
  #training: Training | undefined
  constructor(options: JvmNodeOptions) {
    this.#options = options
    this.#training = options.training
    this.id = options.id
    this.role = options.role
    this.host = options.host
    this.log = join(options.directory, 'log')
    this.data = join(options.directory, 'data')
  }

  get pid(): number | undefined {
    return this.#process?.alive ? this.#process.pid : undefined
  }

  get #name(): string {
    return `${this.role} ${this.id} at ${this.host}`
  }

  async start(signal: AbortSignal = new AbortController().signal): Promise<void> {
    if (this.pid !== undefined)
      throw new KmigError('SANDBOX', `${this.#name} runs already, as process ${this.pid}`)
    const { command, directory, ready, startable } = this.#options
    await startable?.(signal)
    await this.#process?.[Symbol.asyncDispose]()
    const child = await Supervised.spawn({ command, cwd: directory, log: this.log })
    this.#process = child
    await writeFile(join(directory, 'pid'), `${child.pid}\n`)
    const ended = new AbortController()
    const exit = child.exited.then(async code => {
      ended.abort()
      throw new KmigError('SANDBOX', `${this.#name} ended with ${code}:\n${await tailOf(this.log, 15)}`, {
        try: [`see ${this.log}`],
      })
    })
    exit.catch(() => {}) // an end later on is told by `pid`
    await Promise.race([ready(anySignal(signal, ended.signal)), exit]).catch(async (e: unknown) => {
      if (ended.signal.aborted && !signal.aborted) await exit
      throw e
    })
    this.#ready = true
  }

  async stop(how: 'clean' | 'kill'): Promise<void> {
    if (await this.#end(how === 'clean' ? CLEAN_STOP_MS : 0)) return
    if (how === 'kill') return
    throw new KmigError('SANDBOX', `${this.#name} did not end within ${CLEAN_STOP_MS} ms of SIGTERM`)
  }

  /** SIGTERM, then SIGKILL when the time is up; says whether it ended by itself. */
  async #end(patienceMs: number): Promise<boolean> {
    const child = this.#process
    if (!child) return true
    const late = new AbortController()
    using _ = onAbort(late.signal, () => child.signal('SIGKILL'))
    const timer = setTimeout(() => late.abort(), patienceMs)
    if (patienceMs > 0) {
      child.signal('SIGTERM')
      child.signal('SIGCONT') // a paused one would never hear of it
      await child.exited
    }
    clearTimeout(timer)
    await child[Symbol.asyncDispose]()
    const clean = patienceMs > 0 && !late.signal.aborted
    if (this.#training) await endTraining(this.#training, clean)
    if (clean) this.#training = undefined
    return clean
  }

  pause(): void {
    this.#process?.signal('SIGSTOP')
  }

  resume(): void {
    this.#process?.signal('SIGCONT')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#end(this.#training && this.#ready && this.pid ? TRAINED_STOP_MS : 0)
  }
}
