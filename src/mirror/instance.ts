import { randomUUID } from 'node:crypto'
import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { KmigError, makeDirectory, messageOf } from '../kit/index.ts'

const UUID = /^[0-9a-f-]{36}$/

/**
 * A name for whoever holds this state directory's locks: a restarted process goes by the same one. A file that holds no
 * such name (a disk that was full) is replaced: two processes that go by one name would take each other's partitions for
 * their own. Throws PREFLIGHT.
 */
export const instanceOf = (stateDir: string): string => {
  makeDirectory(stateDir)
  const file = join(stateDir, 'instance')
  const host = hostname().replaceAll(/[^\w.-]/g, '_')
  try {
    return `${host.slice(0, 100)}-${kept(file) ?? made(file)}`
  } catch (e) {
    throw new KmigError('PREFLIGHT', `${file} can't be read or written: ${messageOf(e)}`, {
      try: ['make room there, or name another place: --state-dir DIR'],
    })
  }
}

const kept = (file: string): string | undefined => {
  try {
    const text = readFileSync(file, 'utf8').trim()
    return UUID.test(text) ? text : undefined
  } catch (e) {
    if ((e as NodeJS.ErrnoException).code !== 'ENOENT') throw e
    return undefined
  }
}

/** It appears whole, and of two processes that make it at a time both get the same. */
const made = (file: string): string => {
  const stage = `${file}.${process.pid}`
  try {
    writeFileSync(stage, randomUUID(), { mode: 0o600, flush: true })
    try {
      linkSync(stage, file)
    } catch (e) {
      if ((e as NodeJS.ErrnoException).code !== 'EEXIST') throw e
      if (kept(file) === undefined) renameSync(stage, file)
    }
    return kept(file) ?? readFileSync(stage, 'utf8')
  } finally {
    rmSync(stage, { force: true })
  }
}
