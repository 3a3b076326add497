import { run as runOclif } from '@oclif/core'
import { EXIT, messageOf } from '../kit/index.ts'
import { calmHeap } from './calm-heap.ts'
import { failureOf, failureText, isQuietExit } from './failure.ts'

/** Something still holds the event loop this long after the command ended: end anyway. */
const LINGER_MS = 2_000

/**
 * A stdout that takes no more (a full disk) ends the command cleanly and by name; whoever only stopped reading knows. What
 * stderr does not take is lost, and no reason to end what runs.
 */
const guardOutput = (): void => {
  process.stderr.on('error', () => {})
  process.stdout.removeAllListeners('error') // oclif's throws: a stack trace
  process.stdout.on('error', e => {
    if ((e as NodeJS.ErrnoException).code === 'EPIPE') return
    const message = `what was to be printed on stdout is lost: ${messageOf(e)}`
    process.stderr.write(`${failureText({ code: 'PARTIAL', message, try: [], exit: EXIT.partial })}\n`)
    const { loss } = EXIT
    process.on('exit', code => (process.exitCode = code === loss ? loss : EXIT.partial))
    process.emit('SIGTERM')
  })
}

/** The executable's whole life. `from` is bin/kmig.js's own import.meta.url. */
export const run = async (from: string): Promise<void> => {
  guardOutput()
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
