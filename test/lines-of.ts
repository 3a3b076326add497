import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'

/** A script run by this Node: its process, and its stdout line by line. It ends with the test's process group. */
export const linesOf = (args: readonly string[]) => {
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const next = async (): Promise<string> => {
    const { value, done } = await lines.next()
    if (done) throw new Error(`${args[0]} ended without a line`)
    return value
  }
  return { child, next }
}
