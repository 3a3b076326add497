import { existsSync } from 'node:fs'
import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Journal, KmigError, readJournal, writeFileAtomic } from '../kit/index.ts'
import { sha256 } from './edit.ts'
import type { FileChange } from './file-plan.ts'

/** A change with the name, in the directory of its file, under which the new bytes wait for their rename. */
export type StagedChange = FileChange & { stage: string }

/** The journal of writes: `begin` before a stage file exists, `staged` before the first rename. */
export type Line =
  | { kind: 'begin'; of: 'apply' | 'revert'; root: string; changes: StagedChange[] }
  | { kind: 'staged' }
  | { kind: 'undoing'; why: string }
  | { kind: 'done' }
  | { kind: 'undone' }

/** One write of several files, and how far it came. */
export type Transaction = {
  of: 'apply' | 'revert'
  root: string
  changes: StagedChange[]
  at: 'begin' | 'staged' | 'undoing' | 'done' | 'undone'
}

export const transactionsOf = (lines: readonly Line[]): Transaction[] => {
  const found: Transaction[] = []
  for (const line of lines) {
    const last = found.at(-1)
    if (line.kind === 'begin')
      found.push({ of: line.of, root: line.root, changes: line.changes, at: 'begin' })
    else if (last) last.at = line.kind
  }
  return found
}

const journalPath = (journalDir: string): string => join(journalDir, 'discovery.journal')

/** The transactions that a directory records; none when nothing was ever written. */
export const readTransactions = (journalDir: string): Transaction[] =>
  transactionsOf(readJournal<Line>(journalPath(journalDir)).entries)

/** Opens (or makes, 0700) the record of a run. */
export const openRecord = async (journalDir: string): Promise<Journal<Line>> => {
  await mkdir(join(journalDir, 'files'), { recursive: true, mode: 0o700 })
  return await Journal.open<Line>(journalPath(journalDir))
}

/** Where the original bytes of a file lie, named by their hash. */
export const storedPath = (journalDir: string, sha: string): string => join(journalDir, 'files', sha)

/** Keeps the bytes of a file for ever; they reach the disk before this returns. */
export const storeBytes = async (journalDir: string, sha: string, bytes: Uint8Array): Promise<void> => {
  const path = storedPath(journalDir, sha)
  if (!existsSync(path)) await writeFileAtomic(path, bytes)
}

/** Throws STATE_DAMAGED when the bytes are not the ones that were stored. */
export const loadBytes = async (journalDir: string, sha: string): Promise<Buffer> => {
  const path = storedPath(journalDir, sha)
  const bytes = await readFile(path)
  if (sha256(bytes) === sha) return bytes
  throw new KmigError('STATE_DAMAGED', `${path} does not hold the bytes it is named by`)
}
