import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { anySignal, KmigError, onAbort } from '../kit/index.ts'
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
}

const CLEAN_STOP_MS = 60_000

/** A server that runs as a child process on the JVM. */
export class JvmNode implements Node {
  readonly id: number
  readonly role: Node['role']
  readonly host: string
  readonly log: string
  readonly data: string
  #options: JvmNodeOptions
  #process: Supervised | undefined
  constructor(options: JvmNodeOptions) {
    this.#options = options
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
  }

  async stop(how: 'clean' | 'kill'): Promise<void> {
    const child = this.#process
    if (!child) return
    if (how === 'clean') {
      child.signal('SIGTERM')
      const late = AbortSignal.timeout(CLEAN_STOP_MS)
      using _ = onAbort(late, () => child.signal('SIGKILL'))
      await child.exited
      if (late.aborted)
        throw new KmigError('SANDBOX', `${this.#name} did not end within ${CLEAN_STOP_MS} ms of SIGTERM`)
    }
    await child[Symbol.asyncDispose]()
  }

  pause(): void {
    this.#process?.signal('SIGSTOP')
  }

  resume(): void {
    this.#process?.signal('SIGCONT')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop('kill')
  }
}
