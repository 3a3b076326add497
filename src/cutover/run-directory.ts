import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Security } from '../kafka/index.ts'
import { bug, Journal, KmigError, readJournal } from '../kit/index.ts'
import type { State } from './states.ts'

/**
 * What a run is of; each execution begins with one. Addresses are kept, so that going back needs no configuration; only
 * credentials are not.
 */
export type RunHeader = {
  kind: 'run'
  schemaVersion: 1
  id: string
  from: RunSide
  to: RunSide
  /** Name of the mirror. */
  mirror: string
  discovery: string
  topics: readonly string[]
  exclude: readonly string[]
  groups: readonly string[]
}
export type RunSubject = Omit<RunHeader, 'kind' | 'schemaVersion' | 'id'>
export type RunSide = {
  name: string
  clusterId: string
  bootstrap: string[]
  zookeeper?: string | undefined
  /** Absent: PLAINTEXT. Others need the credentials of the cluster of this name. */
  protocol?: Security['protocol'] | undefined
}

export type StateLine = { kind: 'state'; atMs: number; state: State }
type Line = RunHeader | StateLine

/** A run as its journal tells it. */
export type RunRecord = {
  id: string
  directory: string
  header: RunHeader
  states: StateLine[]
  last: State | undefined
}

const runsOf = (stateDir: string): string => join(stateDir, 'runs')
const journalOf = (directory: string): string => join(directory, 'cutover.journal')

const readRun = (stateDir: string, id: string): RunRecord | undefined => {
  const directory = join(runsOf(stateDir), id)
  const { entries } = readJournal<Line>(journalOf(directory))
  const header = entries.findLast(line => line.kind === 'run')
  if (!header) return undefined // it died before its first line
  if (header.schemaVersion !== 1) {
    throw new KmigError('STATE_DAMAGED', `${directory} was written by another version of kmig`, {
      try: ['use the version of kmig that wrote it'],
    })
  }
  const states = entries.filter(line => line.kind === 'state')
  return { id, directory, header, states, last: states.at(-1)?.state }
}

/** All runs, oldest first. */
export const listRuns = (stateDir: string): RunRecord[] => {
  if (!existsSync(runsOf(stateDir))) return []
  return readdirSync(runsOf(stateDir))
    .sort()
    .filter(id => existsSync(journalOf(join(runsOf(stateDir), id))))
    .map(id => readRun(stateDir, id))
    .filter(run => run !== undefined)
}

/** The named run, or the newest. Throws USAGE when there is none. */
export const findRun = (stateDir: string, id?: string | undefined): RunRecord => {
  const runs = listRuns(stateDir)
  const found = id === undefined ? runs.at(-1) : runs.find(run => run.id === id)
  if (found) return found
  const known = runs.map(run => run.id).slice(-5)
  throw new KmigError(
    'USAGE',
    id === undefined
      ? `there is no cutover run in ${stateDir}`
      : `there is no cutover run ${id} in ${stateDir}`,
    {
      try:
        known.length > 0
          ? [`--run ${known.join(' or --run ')}`]
          : ['name the directory it was run with: --state-dir'],
    },
  )
}

/** Sorts by time, is unique without asking anybody. */
const newId = (): string =>
  `${new Date().toISOString().slice(0, 19).replaceAll(/[-:]/g, '').replace('T', '-')}-${randomBytes(3).toString('hex')}`

/** The open journal of a run: appended to before and after each effect. */
export class Run implements AsyncDisposable {
  readonly header: RunHeader
  readonly directory: string
  readonly #journal: Journal<Line>
  private constructor(header: RunHeader, directory: string, journal: Journal<Line>) {
    this.header = header
    this.directory = directory
    this.#journal = journal
  }

  /** A new run, or one that goes on, with what this execution is of. */
  static async begin(stateDir: string, of: RunSubject, known?: RunRecord | undefined): Promise<Run> {
    const id = known?.id ?? newId()
    const directory = join(runsOf(stateDir), id)
    mkdirSync(directory, { recursive: true, mode: 0o700 })
    const journal = await Journal.open<Line>(journalOf(directory))
    const header: RunHeader = { kind: 'run', schemaVersion: 1, id, ...of }
    await journal.append(header)
    return new Run(header, directory, journal)
  }

  static async open(record: RunRecord): Promise<Run> {
    return new Run(record.header, record.directory, await Journal.open<Line>(journalOf(record.directory)))
  }

  get states(): StateLine[] {
    return this.#journal.entries.filter(line => line.kind === 'state')
  }
  get last(): State | undefined {
    return this.states.at(-1)?.state
  }
  /** The newest state of this name. */
  newest<A extends State['at']>(at: A): Extract<State, { at: A }> {
    const found = this.states.findLast(({ state }) => state.at === at)?.state
    if (!found) throw bug(`run ${this.header.id} has never been ${at}`)
    return found as Extract<State, { at: A }>
  }

  async append(state: State, atMs: number): Promise<void> {
    await this.#journal.append({ kind: 'state', atMs, state })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#journal[Symbol.asyncDispose]()
  }
}
