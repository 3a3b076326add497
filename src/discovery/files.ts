import { constants } from 'node:fs'
import { type FileHandle, open, readdir, realpath, stat } from 'node:fs/promises'
import { dirname, join, sep } from 'node:path'
import { isKmigError, KmigError, messageOf } from '../kit/index.ts'
import { sha256 } from './edit.ts'
import type { Finding } from './findings.ts'

export const MAX_BYTES = 1 << 20
const MAX_FILES = 10_000

/** One regular file, read through a descriptor that followed no link. `path` is relative to the root. */
export type RawFile = {
  path: string
  bytes: Buffer
  sha: string
  mode: number
  uid: number
  gid: number
  links: number
}

/** Real path of the directory. Throws DISCOVERY_EMPTY when there is none. */
export const openRoot = async (directory: string): Promise<string> => {
  const root = await realpath(directory).catch(() => undefined)
  if (root && (await stat(root)).isDirectory()) return root
  throw new KmigError('DISCOVERY_EMPTY', `${directory} is no directory`, {
    try: ['name the directory that holds the discovery files: --discovery DIR'],
  })
}

/** A file that is not read, and why. */
export type Unread = {
  path: string
  why: 'symlink' | 'not-regular' | 'oversize' | 'unreadable'
  detail: string
}

/**
 * Reads one file: its directory must really lie where the path says (no link on the way), no link is followed,
 * a pipe does not block, and what was opened must be a regular file of at most 1 MiB.
 */
export const readFileIn = async (root: string, path: string): Promise<RawFile | Unread> => {
  const full = join(root, path)
  const unread = (why: Unread['why'], detail: string): Unread => ({ path, why, detail })
  try {
    const real = await realpath(dirname(full))
    if (real !== dirname(full) || !(real === root || real.startsWith(root + sep))) {
      return unread('symlink', `lies in ${real}, not where its path says`)
    }
    await using handle = await open(full, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
    return await readRegular(handle, path)
  } catch (e) {
    const { code } = e as NodeJS.ErrnoException
    if (code === 'ELOOP') return unread('symlink', 'is a symbolic link')
    if (code === 'ENXIO') return unread('not-regular', 'is no regular file')
    return unread('unreadable', messageOf(e))
  }
}

const readRegular = async (handle: FileHandle, path: string): Promise<RawFile | Unread> => {
  const stats = await handle.stat()
  if (!stats.isFile()) return { path, why: 'not-regular', detail: 'is no regular file' }
  const { size, mode, uid, gid, nlink } = stats
  // Read by hand up to the limit: a file may grow after its size was taken.
  const bytes = Buffer.alloc(Math.min(size, MAX_BYTES) + 1)
  let length = 0
  for (let got = -1; got !== 0 && length < bytes.length; length += got) {
    got = (await handle.read(bytes, length, bytes.length - length, length)).bytesRead
  }
  if (length > MAX_BYTES || size > MAX_BYTES) {
    return { path, why: 'oversize', detail: `holds ${size} bytes, more than ${MAX_BYTES}` }
  }
  const held = Buffer.from(bytes.subarray(0, length))
  return { path, bytes: held, sha: sha256(held), mode: mode & 0o7777, uid, gid, links: nlink }
}

export type Listed = { path: string; link: boolean }

/** Relative paths of everything in the tree but directories and `.git`, sorted; links to directories are not entered. */
export const listFiles = async (root: string, signal?: AbortSignal | undefined): Promise<Listed[]> => {
  const found: Listed[] = []
  const walk = async (under: string): Promise<void> => {
    signal?.throwIfAborted()
    for (const entry of await readdir(join(root, under), { withFileTypes: true })) {
      const path = join(under, entry.name)
      if (entry.isDirectory()) {
        if (entry.name !== '.git') await walk(path)
      } else if (found.push({ path, link: entry.isSymbolicLink() }) > MAX_FILES) {
        throw new KmigError('DISCOVERY_INVALID', `${root} holds more than ${MAX_FILES} files`, {
          try: ['name the directory of the discovery files alone'],
        })
      }
    }
  }
  try {
    await walk('')
  } catch (e) {
    if (isKmigError(e) || signal?.aborted) throw e
    throw new KmigError('DISCOVERY_INVALID', `${root} can't be read whole: ${messageOf(e)}`, { cause: e })
  }
  return found.sort((a, b) => (a.path < b.path ? -1 : 1))
}

/** A link to a directory hides files from kmig that readers see. */
export const hidesDirectory = async (root: string, { path, link }: Listed): Promise<boolean> =>
  link && (await stat(join(root, path)).catch(() => undefined))?.isDirectory() === true

/** A file that is not read keeps kmig from writing when readers would take it for a discovery file. */
export const unreadFinding = ({ path, why, detail }: Unread): Finding => ({
  severity: path.endsWith('.yaml') ? 'error' : 'warning',
  rule: why,
  path,
  line: 1,
  column: 1,
  message: `${path.split(sep).at(-1)} ${detail}`,
})

/** Where a link leads: a file of the tree (its real path), nowhere that matters, or a place that is not followed. */
export type LinkEnd =
  | { kind: 'file'; path: string }
  | { kind: 'directory' }
  | { kind: 'refused'; why: string }

/** Follows a link as far as the root reaches; `.git` is out of it. Source: DISCOVERY.md 7. */
export const endOfLink = async (root: string, path: string): Promise<LinkEnd> => {
  const real = await realpath(join(root, path)).catch(messageOf)
  if (!real.startsWith('/')) return { kind: 'refused', why: `leads nowhere: ${real}` }
  if (!(real === root || real.startsWith(root + sep)))
    return { kind: 'refused', why: `leads out of ${root}, to ${real}` }
  const inside = real.slice(root.length + 1)
  if (inside.split(sep).includes('.git')) return { kind: 'refused', why: 'leads into .git' }
  return (await stat(real)).isDirectory() ? { kind: 'directory' } : { kind: 'file', path: inside }
}
