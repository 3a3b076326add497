import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { deferred, KmigError, onAbort, startOf } from '../kit/index.ts'

/**
 * Runs "$@" with its output appended to $1 and tells its pid, later its exit code (128 + n after signal n).
 * The guard reads stdin, which the parent alone holds: it ends when the parent ends, by whatever signal, and takes the
 * child along. Both live in a session of their own, so that Ctrl-C in a terminal reaches the parent only.
 */
const SCRIPT = `
exec 3<&0
log=$1; shift
"$@" >>"$log" 2>&1 </dev/null 3<&- &
child=$!
{ read -r _ <&3; kill -9 "$child"; } >/dev/null 2>&1 &
guard=$!
echo "$child"
wait "$child"
code=$?
kill "$guard"
echo "$code"
`

export type SupervisedOptions = {
  command: readonly [string, ...string[]]
  cwd: string
  /** File that stdout and stderr are appended to. */
  log: string
}

/** A child process that can't outlive this one. */
export class Supervised implements AsyncDisposable {
  readonly pid: number
  /** Exit code as a shell tells it; 128 + n after signal n. */
  readonly exited: Promise<number>
  #shell: ChildProcess
  #start: string | undefined
  private constructor(shell: ChildProcess, pid: number, exited: Promise<number>) {
    this.#shell = shell
    this.pid = pid
    this.#start = startOf(pid)
    this.exited = exited
  }

  /** Throws SANDBOX if no shell can be started; a command that can't be run exits with 127, its reason in the log. */
  static async spawn({ command, cwd, log }: SupervisedOptions): Promise<Supervised> {
    const shell = spawn('/bin/sh', ['-c', SCRIPT, 'sandbox', log, ...command], {
      cwd,
      detached: true,
      stdio: ['pipe', 'pipe', 'ignore'],
    })
    shell.stdin?.on('error', () => {}) // it ended before we did
    const [pid, exited] = [deferred<number>(), deferred<number>()]
    const lines = createInterface({ input: shell.stdout as NonNullable<typeof shell.stdout> })
    lines.once('line', first => {
      pid.resolve(Number(first))
      lines.once('line', code => exited.resolve(Number(code)))
    })
    lines.once('close', () => exited.resolve(137)) // the shell was killed; its guard, or dispose, kills the child
    const failed = once(shell, 'error').then(([cause]) => {
      throw new KmigError('SANDBOX', `no shell for ${command[0]} in ${cwd}`, { cause })
    })
    const number = await Promise.race([pid.promise, failed])
    failed.catch(() => {})
    return new Supervised(shell, number, exited.promise)
  }

  /** Whether the very process that was started still runs. */
  get alive(): boolean {
    return this.#start !== undefined && startOf(this.pid) === this.#start
  }

  /** Sends a signal, unless the process has ended: its pid may be somebody else's by now. */
  signal(name: NodeJS.Signals): void {
    if (this.alive) process.kill(this.pid, name)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.signal('SIGKILL')
    this.#shell.stdin?.destroy()
    await this.exited
  }
}

/** Runs a command to its end; returns its exit code. Ended with the signal, whose reason is then thrown. */
export const runToEnd = async (options: SupervisedOptions, signal: AbortSignal): Promise<number> => {
  signal.throwIfAborted()
  await using child = await Supervised.spawn(options)
  using _ = onAbort(signal, () => child.signal('SIGKILL'))
  const code = await child.exited
  signal.throwIfAborted()
  return code
}
