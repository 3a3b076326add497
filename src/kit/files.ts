import { open, rename, unlink } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'

/** Makes what a directory lists survive a power cut. */
export const syncDirectory = async (path: string): Promise<void> => {
  await using handle = await open(path, 'r')
  await handle.sync()
}

/**
 * Replaces a file in one step: temporary file in the same directory, fsync, rename, fsync of the directory.
 * A reader sees the old bytes or the new ones, never a part.
 */
export const writeFileAtomic = async (
  path: string,
  bytes: string | Uint8Array,
  mode = 0o600,
): Promise<void> => {
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
