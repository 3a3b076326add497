import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'

/** A script run by this Node: its process, and its stdout line by line. */
export const linesOf = (args: readonly string[], cwd = process.cwd()) => {
  const child = spawn(process.execPath, args, { cwd, stdio: ['ignore', 'pipe', 'inherit'] })
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const next = async (): Promise<string> => {
    const { value, done } = await lines.next()
    if (done) throw new Error(`${args[0]} ended without a line`)
    return value
  }
  return { child, next }
}
