import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as wait } from 'node:timers/promises'

export type Ended = { code: number; stdout: string; stderr: string; ms: number }
export type Options = {
  node?: string
  env?: Record<string, string>
  cwd?: string
  /** Sent to the process, or to its whole group, once stderr holds `at`. */
  signals?: { at: string; send: NodeJS.Signals; group?: boolean; thenAfterMs?: number }
  /** Ends stdout's reader at once. */
  closeStdout?: boolean
}

/** Runs a script to its end under Node, without stdin. */
export const spawned = async (script: string, args: string[], options: Options = {}): Promise<Ended> => {
  const { node = process.execPath, env = {}, cwd = process.cwd(), signals } = options
  const start = performance.now()
  const child = spawn(node, [script, ...args], {
    cwd,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: signals?.group === true,
  })
  if (options.closeStdout) child.stdout.destroy()
  let [stdout, stderr, sent] = ['', '', false]
  child.stdout.on('data', chunk => {
    stdout += chunk
  })
  child.stderr.on('data', async chunk => {
    stderr += chunk
    if (!signals || sent || !stderr.includes(signals.at)) return
    sent = true
    const target = (signals.group ? -1 : 1) * (child.pid ?? 0)
    process.kill(target, signals.send)
    if (signals.thenAfterMs === undefined) return
    await wait(signals.thenAfterMs)
    process.kill(target, signals.send)
  })
  const [code] = (await once(child, 'close')) as [number | null]
  return { code: code ?? -1, stdout, stderr, ms: performance.now() - start }
}
