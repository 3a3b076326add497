import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** What the report of a rehearsal tells whoever asks for one before a cutover. */
export type Rehearsal = {
  id: string
  /** When it ended. */
  at: string
  /** On throw-away clusters, or on shadow topics of the real ones. */
  how: 'clone' | 'shadow'
  /** The real old cluster. */
  from: { name: string; clusterId: string }
  /** The real topics that it was of. */
  topics: readonly string[]
  /** Whether it went as it must. */
  ok: boolean
}

/** Where rehearsals keep their reports: one directory each, by id. */
export const rehearsalsOf = (stateDir: string): string => join(stateDir, 'rehearsals')
export const rehearsalReport = (stateDir: string, id: string): string =>
  join(rehearsalsOf(stateDir), id, 'report.json')

/** All rehearsals that came to a verdict, oldest first, with the path of each report. What can't be read is none. */
export const rehearsalsIn = (stateDir: string): (Rehearsal & { path: string })[] => {
  if (!existsSync(rehearsalsOf(stateDir))) return []
  return readdirSync(rehearsalsOf(stateDir))
    .map(id => rehearsalReport(stateDir, id))
    .flatMap(path => {
      const found = readReport(path)
      return found ? [{ ...found, path }] : []
    })
    .sort((a, b) => Date.parse(a.at) - Date.parse(b.at))
}

const readReport = (path: string): Rehearsal | undefined => {
  try {
    const { id, at, how, from, topics, ok } = JSON.parse(readFileSync(path, 'utf8')) as Rehearsal
    const { name, clusterId } = from
    const whole = [id, how, name, clusterId].every(text => typeof text === 'string')
    const known = whole && !Number.isNaN(Date.parse(at)) && Array.isArray(topics) && typeof ok === 'boolean'
    return known ? { id, at, how, from: { name, clusterId }, topics, ok } : undefined
  } catch {
    return undefined
  }
}
