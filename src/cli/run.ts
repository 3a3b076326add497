import { run as runOclif } from '@oclif/core'
import { calmHeap } from './calm-heap.ts'
import { failureOf, failureText, isQuietExit } from './failure.ts'

/** Something still holds the event loop this long after the command ended: end anyway. */
const LINGER_MS = 2_000

const quietPipe = (e: NodeJS.ErrnoException): void => {
  if (e.code !== 'EPIPE') throw e
}

/** The executable's whole life. `from` is bin/kmig.js's own import.meta.url. */
export const run = async (from: string): Promise<void> => {
  process.stdout.on('error', quietPipe)
  process.stderr.on('error', quietPipe)
  calmHeap()
  const argv = process.argv.slice(2)
  try {
    await runOclif(argv, from)
  } catch (e) {
    fail(e, argv)
  }
  setTimeout(() => process.exit(), LINGER_MS).unref()
}

/** An error outside of any command (there is no such command), or one that a command let through. */
const fail = (e: unknown, argv: string[]): void => {
  if (isQuietExit(e)) {
    process.exitCode ??= (e as { oclif?: { exit?: number } }).oclif?.exit ?? 0
    return
  }
  const failure = failureOf(e, 'kmig --help')
  process.exitCode = failure.exit
  if (argv.includes('--json') || argv.includes('--json-stream')) {
    const command = argv.filter(arg => !arg.startsWith('-')).join(' ')
    process.stdout.write(`${JSON.stringify({ schemaVersion: 1, command, ok: false, error: failure })}\n`)
  } else process.stderr.write(`${failureText(failure)}\n`)
}
