import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { accessSync, constants, existsSync, readFileSync, statSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { type During, KmigError } from '../kit/index.ts'
import { HOOKS, type HookName, type HookPort, type HookRun } from './ports.ts'

/** What is kept of what a hook prints. */
const KEPT = 64 << 10
const SHOWN_LINES = 5
/** How long a hook that has ended may leave its pipes open to others. */
const PIPES_MS = 500

export type HookOptions = During & {
  /** Directory of executables, each named as its hook; undefined: there are none. */
  directory: string | undefined
  /** After so long a hook is killed and has failed. */
  timeoutMs: number
  /** The environment that hooks inherit. */
  env: Readonly<Record<string, string | undefined>>
  /** Added to the environment of each. */
  vars: Readonly<Record<string, string>>
  /** Told of each run, failed or not. */
  ran(run: HookRun): Promise<void>
}

/** Name and hash of each hook that is there. Throws USAGE where one is not executable, or the directory is none. */
export const findHooks = (directory: string | undefined): { name: HookName; sha256: string }[] => {
  if (directory === undefined) return []
  if (!existsSync(directory) || !statSync(directory).isDirectory())
    throw new KmigError('USAGE', `--hooks ${directory} is no directory`)
  return HOOKS.flatMap(name => {
    const path = join(directory, name)
    if (!existsSync(path)) return []
    try {
      accessSync(path, constants.X_OK)
    } catch {
      throw new KmigError('USAGE', `hook ${path} is not executable`, { try: [`chmod +x ${path}`] })
    }
    return [{ name, sha256: createHash('sha256').update(readFileSync(path)).digest('hex') }]
  })
}

/**
 * Runs hooks one at a time, in their own process group, which ends with them: one that nobody waits for any more is killed
 * before the next, so that no `fence` ends after its `unfence`.
 */
export const hookPort = (options: HookOptions): HookPort => {
  const known = new Map(findHooks(options.directory).map(each => [each.name, each.sha256]))
  const attempts = new Map<HookName, number>()
  let running: Ended | undefined
  return {
    has: name => known.has(name),
    run: async (name, { state, side }, only) => {
      const sha256 = known.get(name)
      if (sha256 === undefined || options.directory === undefined) return undefined
      const attempt = (attempts.get(name) ?? 0) + 1
      attempts.set(name, attempt)
      while (running) await running.kill(name)
      const start = performance.now()
      const at = new Date().toISOString()
      const path = resolve(options.directory, name)
      const vars = {
        ...{ KMIG_HOOK: name, KMIG_STATE: state, KMIG_SIDE: side, KMIG_ATTEMPT: String(attempt) },
        ...(only && { KMIG_GROUP: only.group }),
      }
      const own = ended(path, { ...options.vars, ...vars }, options)
      running = own
      const { rc, stdout, stderr, why } = await own.end
      if (running === own) running = undefined
      const ms = Math.round(performance.now() - start)
      const run: HookRun = { name, sha256, rc, ms, at, attempt, writersLeft: writersLeftIn(stdout) }
      await options.ran(run)
      if (rc === 0) return run
      const last = stderr.trimEnd().split('\n').slice(-SHOWN_LINES).join('\n')
      throw new KmigError('HOOK_FAILED', `hook ${name} ${why} after ${ms} ms${last ? `: ${last}` : ''}`, {
        try: [`put ${path} right, then run the same command again`],
      })
    },
  }
}

/** `writers-left=3` on a line of its own; the last one counts. */
export const writersLeftIn = (stdout: string): number | undefined => {
  const found = [...stdout.matchAll(/^writers-left=(\d+)\s*$/gm)].at(-1)?.[1]
  return found === undefined ? undefined : Number(found)
}

type Ended = {
  end: Promise<{ rc: number; stdout: string; stderr: string; why: string }>
  /** Resolves when it has ended, killed for the sake of that hook. */
  kill(for_: HookName): Promise<void>
}

const ended = (
  path: string,
  vars: Readonly<Record<string, string>>,
  { timeoutMs, env }: Pick<HookOptions, 'timeoutMs' | 'env'>,
): Ended => {
  let stop: (why: string) => void = () => {}
  const end = new Promise<Awaited<Ended['end']>>(done => {
    const child = spawn(path, [], {
      env: { ...env, ...vars },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    })
    let [stdout, stderr] = ['', '']
    let killed: string | undefined
    stop = why => {
      killed ??= why
      try {
        if (child.pid) process.kill(-child.pid, 'SIGKILL')
      } catch {} // it has ended
    }
    const timer = setTimeout(() => stop(`did not end within ${timeoutMs} ms`), timeoutMs)
    child.stdout.on('data', chunk => {
      stdout = `${stdout}${chunk}`.slice(-KEPT)
    })
    child.stderr.on('data', chunk => {
      stderr = `${stderr}${chunk}`.slice(-KEPT)
    })
    const end = (rc: number, why: string) => {
      clearTimeout(timer)
      done({ rc, stdout, stderr, why })
    }
    child.on('error', e => end(127, `could not be started (${e.message})`))
    child.on('exit', (code, signal) => {
      const over = () =>
        killed !== undefined
          ? end(124, killed)
          : end(code ?? 128, signal ? `was killed by ${signal}` : `ended with ${code}`)
      // what it printed comes before 'close', but a child of its own that keeps the pipes open must not hold the fence
      child.on('close', over)
      setTimeout(over, PIPES_MS)
    })
  })
  return {
    end,
    kill: async name => {
      stop(`was killed, as ${name} had to begin,`)
      await end
    },
  }
}
