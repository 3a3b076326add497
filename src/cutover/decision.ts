import { existsSync, linkSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

export type Decision = 'switch' | 'release'

const pathOf = (directory: string, { sinceMs }: { sinceMs: number }): string =>
  join(directory, `fence-${sinceMs}.decision`)

/** What was decided about a fence; undefined: nothing yet. */
export const decidedOn = (directory: string, fence: { sinceMs: number }): Decision | undefined => {
  const path = pathOf(directory, fence)
  return existsSync(path) ? (readFileSync(path, 'utf8') as Decision) : undefined
}

/**
 * Decides what becomes of a fence, once: the file appears whole, and only one process can make it. A runner that slept
 * through its budget finds that the watchdog has let the writers go, and does not switch.
 */
export const decideOn = (directory: string, fence: { sinceMs: number }, what: Decision): boolean => {
  const path = pathOf(directory, fence)
  const stage = `${path}.${process.pid}`
  writeFileSync(stage, what, { mode: 0o600, flush: true })
  try {
    linkSync(stage, path)
  } catch (e) {
    if ((e as NodeJS.ErrnoException).code !== 'EEXIST') throw e
  } finally {
    rmSync(stage, { force: true })
  }
  return decidedOn(directory, fence) === what
}
