import { randomBytes } from 'node:crypto'
import { constants, existsSync } from 'node:fs'
import { open, rename, unlink } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { KmigError, messageOf, syncDirectory } from '../kit/index.ts'
import { type RawFile, readFileIn } from './files.ts'

/** A name in the same directory that readers neither glob nor list as a type: starts with a dot, does not end in .yaml. */
export const stageName = (path: string): string =>
  join(dirname(path), `.${basename(path)}.${randomBytes(6).toString('hex')}.kmig-stage`)

export type FileState = { is: 'old' | 'new'; raw: RawFile } | { is: 'other'; why: string; raw?: RawFile }

/** Tells a file by its hash: as before the change, as after it, or neither (changed by somebody, gone, no file). */
export const stateOf = async (
  root: string,
  { path, shaBefore, shaAfter }: { path: string; shaBefore: string; shaAfter: string },
): Promise<FileState> => {
  const raw = await readFileIn(root, path)
  if ('why' in raw) return { is: 'other', why: raw.detail }
  if (raw.sha === shaAfter) return { is: 'new', raw }
  if (raw.sha === shaBefore) return { is: 'old', raw }
  return {
    is: 'other',
    raw,
    why: `has sha256 ${raw.sha.slice(0, 12)}, neither ${shaBefore.slice(0, 12)} nor ${shaAfter.slice(0, 12)}`,
  }
}

export const conflict = (
  root: string,
  others: readonly { path: string; why: string }[],
  ...try_: string[]
): KmigError =>
  new KmigError(
    'DISCOVERY_CONFLICT',
    others.map(({ path, why }) => `${join(root, path)} ${why}`).join('\n'),
    { try: try_ },
  )

/**
 * Writes bytes beside a file with the mode and owner of `like`, down to the disk. Never overwrites, follows no link.
 * Throws PREFLIGHT when the directory or the owner can't be written: this precedes every rename.
 */
export const writeStage = async (path: string, bytes: Uint8Array, like: RawFile): Promise<void> => {
  try {
    await stage(path, bytes, like)
  } catch (cause) {
    throw new KmigError(
      'PREFLIGHT',
      `${join(dirname(path), basename(like.path))} can't be replaced: ${messageOf(cause)}`,
      {
        try: ['give kmig the right to make files in that directory with the mode and owner of this one'],
        cause,
      },
    )
  }
}

const stage = async (path: string, bytes: Uint8Array, like: RawFile): Promise<void> => {
  const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = constants
  await using handle = await open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600)
  await handle.writeFile(bytes)
  const stats = await handle.stat()
  if (stats.uid !== like.uid || stats.gid !== like.gid) await handle.chown(like.uid, like.gid)
  await handle.chmod(like.mode)
  await handle.sync()
}

export const removeStage = async (path: string): Promise<void> => {
  await unlink(path).catch(e => {
    if (existsSync(path)) throw e
  })
}

/** Puts a staged file in the place of the file, and has the directory remember it. */
export const moveIn = async (
  root: string,
  { path, stage }: { path: string; stage: string },
): Promise<void> => {
  await rename(join(root, stage), join(root, path))
  await syncDirectory(dirname(join(root, path)))
}
