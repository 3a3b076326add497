import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Security } from '../kafka/index.ts'
import { Journal, KmigError, readJournal } from '../kit/index.ts'
import type { HookRun } from './ports.ts'
import { isStateName, type State } from './states.ts'

/**
 * What a run is of; each execution begins with one. Addresses are kept, so that going back needs no configuration; only
 * credentials are not.
 */
export type RunHeader = {
  kind: 'run'
  schemaVersion: 2
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
/** What was seen after the switch: how far the copy back is, and whether the old cluster is quiet. */
export type Watch = {
  atMs: number
  /** Records still to be copied back; undefined where there is no copy back. */
  lag: string | undefined
  oldQuietMs: number
  stranded: readonly string[]
}
/** What a journal tells beside states. */
export type Note =
  | { kind: 'gate'; closed: boolean; atMs: number }
  | { kind: 'hook'; hook: HookRun }
  | { kind: 'watch'; watch: Watch }
  | { kind: 'drift'; found: readonly string[]; atMs: number }
  | { kind: 'consent'; what: string; atMs: number }
type Line = RunHeader | StateLine | Note

/** A run as its journal tells it. */
export type RunRecord = {
  id: string
  directory: string
  header: RunHeader
  states: StateLine[]
  last: State | undefined
  notes: Note[]
  /** Head of the journal's hash chain. */
  hash: string
}

export const runsOf = (stateDir: string): string => join(stateDir, 'runs')
export const journalOf = (directory: string): string => join(directory, 'cutover.journal')

const readRun = (stateDir: string, id: string): RunRecord | undefined => {
  const directory = join(runsOf(stateDir), id)
  const { entries, last: hash } = readJournal<Line>(journalOf(directory))
  const header = entries.findLast(line => line.kind === 'run')
  if (!header) return undefined // it died before its first line
  if (header.schemaVersion !== 2) {
    throw new KmigError('STATE_DAMAGED', `${directory} was written by another version of kmig`, {
      try: ['use the version of kmig that wrote it'],
    })
  }
  const states = entries.filter(line => line.kind === 'state')
  const unknown = states.find(({ state }) => !isStateName(state.at))
  if (unknown) {
    throw new KmigError(
      'STATE_DAMAGED',
      `${directory} tells of a state '${unknown.state.at}' that this kmig does not know`,
      { try: ['use the version of kmig that wrote it'] },
    )
  }
  const notes = entries.filter(line => line.kind !== 'state' && line.kind !== 'run')
  return { id, directory, header, states, last: states.at(-1)?.state, notes, hash }
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

/** The directory of a run, made where it is not there. */
export const directoryOf = async (stateDir: string, id: string): Promise<string> => {
  const directory = join(runsOf(stateDir), id)
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  return directory
}

/** Sorts by time, is unique without asking anybody. */
export const newId = (): string =>
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
  static async begin(stateDir: string, of: RunSubject, id: string): Promise<Run> {
    const directory = await directoryOf(stateDir, id)
    const journal = await Journal.open<Line>(journalOf(directory))
    const header: RunHeader = { kind: 'run', schemaVersion: 2, id, ...of }
    await journal.append(header)
    return new Run(header, directory, journal)
  }

  static async open(record: RunRecord): Promise<Run> {
    return new Run(record.header, record.directory, await Journal.open<Line>(journalOf(record.directory)))
  }

  get id(): string {
    return this.header.id
  }
  get states(): StateLine[] {
    return this.#journal.entries.filter(line => line.kind === 'state')
  }
  get last(): State | undefined {
    return this.states.at(-1)?.state
  }
  get notes(): Note[] {
    return this.#journal.entries.filter(line => line.kind !== 'state' && line.kind !== 'run')
  }
  get record(): RunRecord {
    const { header, directory, states, last, notes } = this
    return { id: this.id, header, directory, states, last, notes, hash: this.#journal.head }
  }

  async append(state: State, atMs: number): Promise<void> {
    await this.#journal.append({ kind: 'state', atMs, state })
  }
  async note(note: Note): Promise<void> {
    await this.#journal.append(note)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#journal[Symbol.asyncDispose]()
  }
}
