import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import type { Env } from '../config/index.ts'
import { type During, EXIT, KmigError, sleep } from '../kit/index.ts'
import { type CrashPlan, type Died, deathsIn } from './crash-worker.ts'

/** One kill: behind which line of the journal, in which state, and how long until the run was beyond it. */
export type Crash = Pick<Died, 'step' | 'name' | 'state'> & { backMs: number }

/** `complete`: nobody was spared for want of time. */
export type Crashed = { kills: Crash[]; complete: boolean }

export type CrashOptions = During<Died> & {
  /** The command line of `kmig rehearse worker`; a state directory and the file with its plan are added. */
  worker: readonly string[]
  env: Env
}

/** How the kills of a rehearsal are done. */
export type CrashesWanted = Pick<CrashOptions, 'worker' | 'env'> & {
  /** However long it takes; else kills end in time for the rehearsal to end within four minutes. */
  thorough: boolean
}

const AGAIN_MS = 100
/** The watchdog of a process that died may hold the run for so long: it lets the writers go on. */
const PATIENCE = 600

/**
 * Has a move done by a process that is killed behind each line of its journal in turn, and started again by the same
 * command until it ends well. Throws PARTIAL when it ends otherwise.
 */
export const crashThrough = async (plan: CrashPlan, options: CrashOptions): Promise<Crashed> => {
  const file = `${plan.log}.plan`
  await writeFile(file, JSON.stringify(plan), { mode: 0o600 })
  for (let patience = PATIENCE; ; ) {
    options.signal.throwIfAborted()
    const before = deathsIn(plan.log)
    const { code, killed, stderr } = await ended(['--state-dir', plan.scene.state, file], options)
    const deaths = deathsIn(plan.log)
    const last = deaths.at(-1)
    if (code === EXIT.ok) {
      const complete = plan.untilMs === undefined || Date.now() <= plan.untilMs
      return { kills: crashesOf(deaths, Date.now()), complete }
    }
    if (killed && last && deaths.length > before.length) {
      patience = PATIENCE
      options.on?.(last)
    } else if (code === EXIT.locked && patience-- > 0) await sleep(AGAIN_MS, options.signal)
    else
      throw gone(plan, before.at(-1), killed ? 'was killed by somebody else' : `ended with ${code}`, stderr)
  }
}

const crashesOf = (deaths: readonly Died[], endMs: number): Crash[] =>
  deaths.map(({ step, name, state, atMs }, i) => ({
    ...{ step, name, state },
    backMs: Math.max(0, (deaths[i + 1]?.atMs ?? endMs) - atMs),
  }))

const gone = ({ move }: CrashPlan, after: Died | undefined, how: string, stderr: string): KmigError => {
  const where = after ? `killed behind ${after.step} ${after.name} and started again, the` : 'the'
  return new KmigError('PARTIAL', `${where} ${move} ${how}: ${stderr.trim()}`, {
    try: ['run it with --keep, and read the journal in state/runs'],
  })
}

const KEPT = 4_000

const ended = async (
  more: readonly string[],
  { worker: [program = '', ...args], env, signal }: CrashOptions,
): Promise<{ code: number | null; killed: boolean; stderr: string }> => {
  const child = spawn(program, [...args, ...more], { env, stdio: ['ignore', 'ignore', 'pipe'] })
  const end = () => child.kill('SIGKILL')
  signal.addEventListener('abort', end, { once: true })
  let stderr = ''
  child.stderr.setEncoding('utf8').on('data', text => {
    stderr = `${stderr}${text}`.slice(-KEPT)
  })
  const [code, by] = (await once(child, 'close')) as [number | null, string | null]
  signal.removeEventListener('abort', end)
  return { code, killed: by === 'SIGKILL', stderr }
}
