import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { LockFile } from '../kit/index.ts'
import { sha256 } from './edit.ts'

/** The journal of all writes that `discovery` itself made to a directory; one per real path, so that a next one recovers. */
export const journalOf = (stateDir: string, root: string): string =>
  join(stateDir, 'discovery', sha256(Buffer.from(root)).slice(0, 16))

/** One writer of a directory at a time. Throws LOCKED. */
export const lockDirectory = async (stateDir: string, root: string): Promise<LockFile> =>
  await LockFile.take(
    join(stateDir, 'locks', `${sha256(Buffer.from(root)).slice(0, 16)}.discovery.lock`),
    `discovery files of ${root}`,
  )

/** Sorts by time, is unique without asking anybody. */
export const newRun = (): string =>
  `${new Date().toISOString().slice(0, 19).replaceAll(/[-:]/g, '').replace('T', '-')}-${randomBytes(3).toString('hex')}`
