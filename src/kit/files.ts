import { existsSync, mkdirSync, statSync } from 'node:fs'
import { open, rename, unlink } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { KmigError, messageOf } from './errors.ts'

/** Makes a directory for kmig's own files, with those above it, where it is not there. Throws PREFLIGHT. */
export const makeDirectory = (path: string): void => {
  try {
    makeUp(path)
  } catch (cause) {
    throw new KmigError('PREFLIGHT', `directory ${path} can't be made: ${messageOf(cause)}`, {
      try: ['set that right, or name another place: --state-dir DIR'],
    })
  }
}
/** Node's own way to make parents too never ends where one can't be made (below /proc). */
const makeUp = (path: string): void => {
  try {
    mkdirSync(path, { mode: 0o700 })
  } catch (e) {
    const { code } = e as NodeJS.ErrnoException
    if (code === 'EEXIST' && statSync(path).isDirectory()) return
    if (code !== 'ENOENT' || existsSync(dirname(path))) throw e
    makeUp(dirname(path))
    makeUp(path)
  }
}

/** Makes what a directory lists survive a power cut. */
export const syncDirectory = async (path: string): Promise<void> => {
  await using handle = await open(path, 'r')
  await handle.sync()
}

/**
 * Replaces a file in one step: temporary file in the same directory, fsync, rename, fsync of the directory.
 * A reader sees the old bytes or the new ones, never a part. Throws USAGE for a device, which a rename would replace.
 */
export const writeFileAtomic = async (
  path: string,
  bytes: string | Uint8Array,
  mode = 0o600,
): Promise<void> => {
  const there = statSync(path, { throwIfNoEntry: false })
  if (there && !there.isFile()) throw new KmigError('USAGE', `${path} is no file`)
  const stage = join(dirname(path), `.${basename(path)}.${process.pid}.stage`)
  try {
    await using handle = await open(stage, 'wx', mode)
    await handle.writeFile(bytes)
    await handle.sync()
  } catch (e) {
    await unlink(stage).catch(() => {})
    throw e
  }
  await rename(stage, path)
  await syncDirectory(dirname(path))
}
