import { mkdirSync, readFileSync, rmSync } from 'node:fs'
import { link, open, rename, unlink } from 'node:fs/promises'
import { hostname } from 'node:os'
import { dirname } from 'node:path'
import { KmigError } from './errors.ts'
import { startOf } from './process-identity.ts'

/** Who holds a lock. `start` tells this process from a later one with the same pid. */
export type Holder = { pid: number; start: string; host: string; since: string; what: string }

const read = (path: string): Holder | undefined => {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as Holder
  } catch {
    return undefined
  }
}

/** The live process that holds the lock; undefined if nobody does, or its owner is proved dead. */
export const lockHolder = (path: string): Holder | undefined => {
  const holder = read(path)
  if (!holder) return undefined
  if (holder.host !== hostname()) return holder // its death can't be proved from here
  return startOf(holder.pid) === holder.start ? holder : undefined
}

/**
 * One process at a time. The file appears whole (written aside, then linked), so that no reader sees half an owner.
 * A dead owner is proved by pid and start time, and taken over at once: its file is moved aside by rename, which only
 * one of several takers can do, and checked again after the move, so a fresh owner's file is put back.
 * Throws LOCKED with the owner if it lives. Source: MIRROR.md 5.6.
 */
export class LockFile implements AsyncDisposable {
  readonly path: string
  private constructor(path: string) {
    this.path = path
  }

  static async take(path: string, what: string): Promise<LockFile> {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
    const me: Holder = {
      pid: process.pid,
      start: startOf(process.pid) ?? '',
      host: hostname(),
      since: new Date().toISOString(),
      what,
    }
    const stage = `${path}.${process.pid}`
    {
      await using handle = await open(stage, 'w', 0o600)
      await handle.writeFile(JSON.stringify(me))
      await handle.sync()
    }
    try {
      for (let attempt = 0; attempt < 20; attempt++) {
        try {
          await link(stage, path)
          return new LockFile(path)
        } catch (e) {
          if ((e as NodeJS.ErrnoException).code !== 'EEXIST') throw e
        }
        const holder = lockHolder(path)
        if (holder) throw locked(path, holder)
        await removeDead(path)
      }
      throw new KmigError('LOCKED', `lock file ${path} is contended`, { try: ['try again'] })
    } finally {
      await unlink(stage)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    rmSync(this.path, { force: true })
  }
}

const removeDead = async (path: string): Promise<void> => {
  const aside = `${path}.dead.${process.pid}`
  try {
    await rename(path, aside)
  } catch (e) {
    if ((e as NodeJS.ErrnoException).code === 'ENOENT') return // another taker was first
    throw e
  }
  if (lockHolder(aside)) await link(aside, path).catch(() => {}) // a new owner came between look and move: put it back
  await unlink(aside)
}

const locked = (path: string, holder: Holder): KmigError =>
  new KmigError(
    'LOCKED',
    `${holder.what} is owned by process ${holder.pid} on ${holder.host} since ${holder.since} (${path})`,
    {
      try:
        holder.host === hostname()
          ? [`wait for it, or end it: kill -TERM ${holder.pid}`]
          : [`end it on ${holder.host}; if that host is gone for good, remove ${path}`],
    },
  )
