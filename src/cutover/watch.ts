import { spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Env } from '../config/index.ts'

export type WatchOptions = {
  run: string
  fence: { sinceMs: number }
  env: Env
}

/** Starts the watchdog: a process of its own, in a session of its own, that outlives this one however it ends. */
export const watchOver = async (
  [program = '', ...args]: readonly string[],
  { run, fence, env }: WatchOptions,
): Promise<void> => {
  const child = spawn(program, [...args, '--run', run, '--fence', String(fence.sinceMs)], {
    detached: true,
    stdio: 'ignore',
    env,
  })
  await once(child, 'spawn')
  child.unref()
}
