import { appendFileSync, existsSync, readFileSync } from 'node:fs'
import type { Env } from '../config/index.ts'
import type { CutoverEvent } from '../cutover/index.ts'
import type { During } from '../kit/index.ts'
import { cutOver, goBack, type Scene } from './moves.ts'

/** What a process does that is to be killed, and where it tells behind which lines of its journal that was. */
export type CrashPlan = {
  move: 'cutover' | 'rollback'
  scene: Scene
  hooks: string
  contents: boolean
  log: string
  /** From then on nobody is killed any more, ms since 1970; default never. */
  untilMs?: number | undefined
}

export type WorkerOptions = During & {
  env: Env
  /** As of `kmig cutover`: lets writers go on when this process dies in front of the switch. */
  watchdog: readonly string[]
}

/** A line of the journal behind which the process was killed, and the state that the run was in. */
export type Died = { step: 'state' | 'hook'; name: string; state: string; atMs: number }

/** Deaths so far; a process that died has written its own before. */
export const deathsIn = (log: string): Died[] =>
  existsSync(log)
    ? readFileSync(log, 'utf8')
        .trimEnd()
        .split('\n')
        .map(line => JSON.parse(line) as Died)
    : []

/** Moves as the command does, and kills itself behind the first line of the journal at which none before it has died. */
export const crashWorker = async (
  { move, scene, hooks, contents, log, untilMs }: CrashPlan,
  { signal, env, watchdog }: WorkerOptions,
): Promise<void> => {
  const before = deathsIn(log)
  const deaths = new Set(before.map(({ step, name }) => `${step} ${name}`))
  let state = before.at(-1)?.state ?? '' // a run that goes on does not enter it again
  const die = (step: Died['step'], name: string) => {
    if (deaths.has(`${step} ${name}`) || Date.now() > (untilMs ?? Number.POSITIVE_INFINITY)) return
    appendFileSync(log, `${JSON.stringify({ step, name, state, atMs: Date.now() } satisfies Died)}\n`)
    process.kill(process.pid, 'SIGKILL')
  }
  const on = (event: CutoverEvent) => {
    if (event.kind === 'state') {
      state = event.state.at
      die('state', state)
    } else if (event.kind === 'hook') die('hook', event.hook.name)
  }
  const options = { signal, env, watchdog, on }
  if (move === 'cutover') await cutOver(scene, { ...options, hooks, check: contents })
  else await goBack(scene, options)
}
