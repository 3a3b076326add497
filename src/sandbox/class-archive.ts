import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Java } from './toolchain.ts'

/** An archive that is being made by a JVM: it is written when that one ends by SIGTERM. */
export type Training = { part: string; file: string }
export type ClassArchive = { flags: readonly string[]; training?: Training }

/** Files that a JVM of this process is to write. One is enough. */
const inTraining = new Set<string>()

/**
 * An archive of loaded classes halves a JVM's start-up. The first server that needs one makes it at its end; it lies with
 * the jars that it was made of, and is keyed by the Java build. Another Java ignores it, which costs only time.
 * Source: JEP 350, `-XX:ArchiveClassesAtExit`.
 */
export const classArchive = (home: string, main: string, java: Java): ClassArchive => {
  const build = createHash('sha256').update(java.build).digest('hex').slice(0, 12)
  const file = join(home, `${main}-${build}.jsa`)
  if (existsSync(file)) return { flags: [`-XX:SharedArchiveFile=${file}`] }
  if (inTraining.has(file)) return { flags: [] }
  inTraining.add(file)
  const part = `${file}.${process.pid}`
  return { flags: [`-XX:ArchiveClassesAtExit=${part}`], training: { part, file } }
}

/** Takes the archive into use, if its JVM ended in peace and so has written all of it. */
export const endTraining = async ({ part, file }: Training, whole: boolean): Promise<void> => {
  inTraining.delete(file)
  if (whole && existsSync(part)) await rename(part, file)
  else await rm(part, { force: true })
}
