import { join } from 'node:path'
import { bug, type Journal, KmigError, messageOf } from '../kit/index.ts'
import { sha256, splice } from './edit.ts'
import type { FileChange } from './file-plan.ts'
import type { RawFile } from './files.ts'
import {
  type Line,
  loadBytes,
  openRecord,
  readTransactions,
  type StagedChange,
  storeBytes,
  type Transaction,
} from './record.ts'
import { conflict, type FileState, moveIn, removeStage, stageName, stateOf, writeStage } from './write.ts'

/** What a write does, step by step; a crash after any of them is made good by `recover`. */
export type WriteEvent =
  | { step: 'stored'; path: string }
  | { step: 'begun' }
  | { step: 'staging'; path: string }
  | { step: 'staged-all' }
  | { step: 'renamed'; path: string }
  | { step: 'done' }

export type WriteOptions = {
  /** Private directory (0700) of the run: journal and original bytes. */
  journalDir: string
  signal?: AbortSignal | undefined
  on?: ((event: WriteEvent) => void) | undefined
}

/** Files that were changed, and files that already were as they should be. */
export type Written = { changed: string[]; already: string[] }

/**
 * Writes several files as one decision: originals stored, `begin` journaled, every new file staged, `staged` journaled,
 * each old file looked at again, then renamed one by one. Readers may see a mix for milliseconds, never half a file.
 * Throws DISCOVERY_CONFLICT when a file is neither as before nor as after; everything is then as it was.
 */
export const writeAll = async (
  of: Transaction['of'],
  root: string,
  changes: readonly FileChange[],
  options: WriteOptions,
): Promise<Written> => {
  const { journalDir, signal, on } = options
  await recover(journalDir)
  signal?.throwIfAborted()
  const found = await Promise.all(
    changes.map(async change => ({ change, state: await stateOf(root, change) })),
  )
  const others = found.flatMap(({ change, state }) =>
    state.is === 'other' ? [{ path: change.path, why: state.why }] : [],
  )
  if (others.length > 0)
    throw conflict(root, others, 'read the files, then make a new plan; nothing was written')
  const already = found.filter(({ state }) => state.is === 'new').map(({ change }) => change.path)
  const todo = found.flatMap(({ change, state }) =>
    state.is === 'old' ? [{ change: { ...change, stage: stageName(change.path) }, raw: state.raw }] : [],
  )
  if (todo.length === 0) return { changed: [], already }
  await using journal = await openRecord(journalDir)
  for (const { change, raw } of todo) {
    await storeBytes(journalDir, change.shaBefore, raw.bytes)
    on?.({ step: 'stored', path: change.path })
  }
  const staged = todo.map(({ change }) => change)
  await journal.append({ kind: 'begin', of, root, changes: staged })
  try {
    on?.({ step: 'begun' })
    for (const { change, raw } of todo) {
      signal?.throwIfAborted()
      on?.({ step: 'staging', path: change.path })
      await writeStage(join(root, change.stage), newBytes(change, raw), raw)
    }
    await journal.append({ kind: 'staged' })
    on?.({ step: 'staged-all' })
    await rollForward(root, staged, on)
  } catch (e) {
    await takeBack(journalDir, journal, root, staged, e)
    throw e
  }
  await journal.append({ kind: 'done' })
  on?.({ step: 'done' })
  return { changed: staged.map(change => change.path), already }
}

const takeBack = async (
  journalDir: string,
  journal: Journal<Line>,
  root: string,
  changes: readonly StagedChange[],
  cause: unknown,
): Promise<void> => {
  try {
    await journal.append({ kind: 'undoing', why: messageOf(cause) })
    await putBack(journalDir, root, changes)
    await journal.append({ kind: 'undone' })
  } catch (e) {
    const what = `${messageOf(cause)}; taking it back failed too: ${messageOf(e)}`
    throw new KmigError('PARTIAL', what, {
      try: ['put that right, then run the same command: it goes on'],
      cause,
    })
  }
}

const newBytes = ({ path, edits, shaAfter }: FileChange, raw: RawFile): Buffer => {
  const bytes = splice(raw.bytes, edits)
  if (sha256(bytes) !== shaAfter) throw bug(`the edits of ${path} do not lead to the planned bytes`)
  return bytes
}

/** Renames what is not renamed yet. All are looked at before the first, and each right before its own rename. */
const rollForward = async (
  root: string,
  changes: readonly StagedChange[],
  on?: WriteOptions['on'],
): Promise<void> => {
  const looks = await Promise.all(
    changes.map(async change => ({ change, state: await stateOf(root, change) })),
  )
  refuseOthers(root, looks)
  for (const { change } of looks) {
    const state = await stateOf(root, change)
    refuseOthers(root, [{ change, state }])
    if (state.is === 'old') await moveIn(root, change)
    await removeStage(join(root, change.stage))
    on?.({ step: 'renamed', path: change.path })
  }
  const after = await Promise.all(
    changes.map(async change => ({ change, state: await stateOf(root, change) })),
  )
  const lost = after
    .filter(({ state }) => state.is !== 'new')
    .map(({ change }) => ({ path: change.path, why: 'was changed right after kmig wrote it' }))
  if (lost.length > 0) throw conflict(root, lost, 'read the files, then make a new plan')
}

const refuseOthers = (root: string, looks: readonly { change: StagedChange; state: FileState }[]): void => {
  const others = looks.flatMap(({ change, state }) =>
    state.is === 'other' ? [{ path: change.path, why: state.why }] : [],
  )
  if (others.length > 0)
    throw conflict(root, others, 'somebody else wrote to the files; settle that, then start again')
}

/** Gives every file that was renamed its stored bytes back. What somebody else wrote since then stays. */
const putBack = async (journalDir: string, root: string, changes: readonly StagedChange[]): Promise<void> => {
  for (const change of changes) {
    await removeStage(join(root, change.stage))
    const state = await stateOf(root, change)
    if (state.is !== 'new') continue
    await writeStage(join(root, change.stage), await loadBytes(journalDir, change.shaBefore), state.raw)
    await moveIn(root, change)
  }
}

/** What `recover` found: nothing to do, a write that it finished, or one that it took back. */
export type Recovered = 'nothing' | 'finished' | 'undone'

/**
 * After a crash: all files staged -> the write is finished, else it is taken back. Each file is told by its hash;
 * one that is neither old nor new stops it with DISCOVERY_CONFLICT. Doing it twice does nothing.
 */
export const recover = async (journalDir: string): Promise<Recovered> => {
  const last = readTransactions(journalDir).at(-1)
  if (!last || last.at === 'done' || last.at === 'undone') return 'nothing'
  await using journal = await openRecord(journalDir)
  return await settle(journalDir, journal, last)
}

const settle = async (
  journalDir: string,
  journal: Journal<Line>,
  { at, root, changes }: Transaction,
): Promise<Recovered> => {
  if (at === 'staged') {
    await rollForward(root, changes)
    await journal.append({ kind: 'done' })
    return 'finished'
  }
  await putBack(journalDir, root, changes)
  await journal.append({ kind: 'undone' })
  return 'undone'
}
