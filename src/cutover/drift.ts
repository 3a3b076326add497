import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Cluster } from '../kafka/index.ts'
import { type During, isKmigError, KmigError, writeFileAtomic } from '../kit/index.ts'
import type { CutoverEvent } from './events.ts'
import { findHooks } from './hooks.ts'
import { timed, within } from './in-time.ts'
import type { PlanDocument } from './plan-document.ts'
import type { Ports } from './ports.ts'
import type { Note } from './run-directory.ts'
import { differenceOf, lookAt, type Seen, type SeenOptions } from './seen.ts'

export type DriftAfterOptions = During & {
  source: Cluster
  /** Of the run. */
  directory: string
  /** Of the hooks; default as in the plan. */
  hooks?: string | undefined
}

/**
 * What is no longer as the plan said, after the switch, one line each: the old cluster, the files as they were written,
 * the hooks. Settings and ACLs of the old cluster are held against the first look after the switch, as a fence or a
 * seal may have changed them before.
 */
export const driftAfter = async (
  plan: PlanDocument,
  { source, directory, hooks, signal }: DriftAfterOptions,
): Promise<string[]> => {
  const now = await lookInTime(source, { ...plan.subject, signal })
  const path = join(directory, FIRST_LOOK)
  const first = existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as Seen) : now
  if (first === now) await writeFileAtomic(path, `${JSON.stringify(now, undefined, 2)}\n`)
  const found = [
    ...differenceOf(plan.seen, now, { fenced: true }),
    ...differenceOf(first, now, { fenced: false }),
    ...plan.files.flatMap(file => fileDrift(plan.discovery, file)),
    ...hookDrift(plan, hooks),
  ]
  return [...new Set(found)]
}

/** Another command may wait to take the run over. */
const LOOK_MS = 10_000
const lookInTime = async (source: Cluster, { signal, ...subject }: SeenOptions): Promise<Seen> => {
  const late = () => new KmigError('TIMEOUT', 'the old cluster did not answer in time')
  using limit = timed(LOOK_MS, late, { signal })
  return await within(limit.signal, lookAt(source, { ...subject, signal: limit.signal }))
}
const FIRST_LOOK = 'seen-switched.json'

const fileDrift = (root: string, { path, shaAfter }: PlanDocument['files'][number]): string[] => {
  const at = join(root, path)
  if (!existsSync(at)) return [`discovery file ${path} is gone`]
  const sha = createHash('sha256').update(readFileSync(at)).digest('hex')
  return sha === shaAfter ? [] : [`discovery file ${path} is not as the switch wrote it`]
}

const hookDrift = ({ hooks, hooksDirectory }: PlanDocument, given: string | undefined): string[] => {
  try {
    const now = findHooks(given ?? hooksDirectory ?? undefined)
    return JSON.stringify(now) === JSON.stringify(hooks) ? [] : ['hooks changed']
  } catch (e) {
    if (!isKmigError(e, 'USAGE')) throw e
    return [`hooks changed: ${e.message}`]
  }
}

type Told = Pick<During<CutoverEvent>, 'on'> & {
  ports: Pick<Ports, 'driftAfter' | 'clock'>
  run: { readonly notes: readonly Note[]; note(note: Note): Promise<void> }
}

/** Looks, and tells and journals what was not told before: nothing is stopped any more. A cluster that is away tells nothing. */
export const tellDrift = async ({ ports, run, on }: Told): Promise<void> => {
  let now: readonly string[] = []
  try {
    now = (await ports.driftAfter?.()) ?? []
  } catch (e) {
    if (!isKmigError(e) || isKmigError(e, 'BUG')) throw e
  }
  const known = new Set(driftIn(run.notes).flatMap(({ found }) => found))
  const found = now.filter(line => !known.has(line))
  if (found.length === 0) return
  await run.note({ kind: 'drift', found, atMs: ports.clock.wall() })
  on?.({ kind: 'drift', found })
}

/** What was told so far. */
export const driftIn = (notes: readonly Note[]): { at: string; found: string[] }[] =>
  notes.flatMap(note =>
    note.kind === 'drift' ? [{ at: new Date(note.atMs).toISOString(), found: [...note.found] }] : [],
  )
