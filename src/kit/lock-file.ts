import { readdirSync, readFileSync, rmSync } from 'node:fs'
import { link, open, unlink } from 'node:fs/promises'
import { hostname } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { sleep } from './abort.ts'
import { isKmigError, KmigError, messageOf } from './errors.ts'
import { makeDirectory } from './files.ts'
import { startOf } from './process-identity.ts'

/** Who holds a lock. `start` tells this process from a later one with the same pid. */
export type Holder = { pid: number; start: string; host: string; since: string; what: string }

/** Numbers of the lock's files, highest last. */
const generations = (path: string): number[] => {
  const prefix = `${basename(path)}.`
  try {
    return readdirSync(dirname(path))
      .flatMap(name =>
        name.startsWith(prefix) && /^\d+$/.test(name.slice(prefix.length))
          ? [Number(name.slice(prefix.length))]
          : [],
      )
      .sort((a, b) => a - b)
  } catch {
    return []
  }
}

const holderIn = (file: string): Holder | undefined => {
  let holder: Holder | null
  try {
    holder = JSON.parse(readFileSync(file, 'utf8')) as Holder | null
  } catch {
    return undefined
  }
  if (typeof holder?.host !== 'string') return undefined
  if (holder.host !== hostname()) return holder // its death can't be proved from here
  return startOf(holder.pid) === holder.start ? holder : undefined
}

/** The live process that holds the lock; undefined if nobody does, or its owner is proved dead. */
export const lockHolder = (path: string): Holder | undefined => {
  for (const number of generations(path)) {
    const holder = holderIn(`${path}.${number}`)
    if (holder) return holder
  }
  return undefined
}

/**
 * One process at a time. A dead owner is proved by pid and start time and its lock taken over at once. The lock is a live
 * owner's numbered file: a taker links the next number (it appears whole, and only once), then looks whether anybody
 * else's is live, and withdraws if so. Of two takers the one that links later sees the other, and nobody but its owner
 * removes a live file, so there are never two owners however slow a taker is between look and link.
 * Throws LOCKED with the owner if it lives. Source: MIRROR.md 5.6.
 */
export class LockFile implements AsyncDisposable {
  readonly path: string
  readonly #file: string
  private constructor(path: string, file: string) {
    this.path = path
    this.#file = file
  }

  static async take(path: string, what: string): Promise<LockFile> {
    makeDirectory(dirname(path))
    const me: Holder = {
      pid: process.pid,
      start: startOf(process.pid) ?? '',
      host: hostname(),
      since: new Date().toISOString(),
      what,
    }
    const stage = join(dirname(path), `.${basename(path)}.${process.pid}.${stages++}.stage`)
    try {
      {
        await using handle = await open(stage, 'w', 0o600)
        await handle.writeFile(JSON.stringify(me))
        await handle.sync()
      }
      for (;;) {
        const holder = lockHolder(path)
        if (holder) throw locked(path, holder)
        const number = (generations(path).at(-1) ?? 0) + 1
        const file = `${path}.${number}`
        try {
          await link(stage, file)
        } catch (e) {
          if ((e as NodeJS.ErrnoException).code === 'EEXIST') continue
          throw e
        }
        const others = generations(path).filter(other => other !== number)
        if (others.some(other => holderIn(`${path}.${other}`))) {
          await unlink(file)
          await sleep(Math.random() * 50) // or two takers could make way for each other for ever
          continue
        }
        for (const dead of others) rmSync(`${path}.${dead}`, { force: true })
        return new LockFile(path, file)
      }
    } catch (e) {
      if (isKmigError(e)) throw e
      throw new KmigError('PREFLIGHT', `the lock ${path} can't be taken: ${messageOf(e)}`, {
        try: ['make room there, or name another place: --state-dir DIR'],
      })
    } finally {
      await unlink(stage).catch(() => {})
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    rmSync(this.#file, { force: true })
  }
}

let stages = 0

const locked = (path: string, holder: Holder): KmigError =>
  new KmigError(
    'LOCKED',
    `${holder.what} is owned by process ${holder.pid} on ${holder.host} since ${holder.since} (${path})`,
    {
      try:
        holder.host === hostname()
          ? [`wait for it, or end it: kill -TERM ${holder.pid}`]
          : [`end it on ${holder.host}; if that host is gone for good, remove ${path}.*`],
    },
  )
