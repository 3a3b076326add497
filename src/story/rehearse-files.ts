import { cp, lstat, mkdir, readdir, readFile } from 'node:fs/promises'
import { basename, join, relative } from 'node:path'
import {
  apply,
  type ClusterAddresses,
  locateCluster,
  type Mention,
  type Plan,
  planEdits,
  readDirectory,
} from '../discovery/index.ts'
import { formatHostPort } from '../kit/index.ts'
import type { Locate } from '../load/index.ts'
import type { Side, World } from './world.ts'

/** Larger files are no discovery files, and are not searched either. */
const MOST_BYTES = 1 << 20

/** Copies a tree of discovery files: plain files and links, without `.git`. */
export const copyFiles = async (from: string, to: string): Promise<void> => {
  await mkdir(to, { recursive: true, mode: 0o700 })
  await cp(from, to, {
    recursive: true,
    verbatimSymlinks: true,
    filter: async path => {
      const stats = await lstat(path)
      if (stats.isDirectory()) return basename(path) !== '.git'
      return stats.isSymbolicLink() || (stats.isFile() && stats.size <= MOST_BYTES)
    },
  })
}

/** The bytes of all plain files, to compare with later. */
export const bytesIn = async (root: string): Promise<Map<string, string>> => {
  const entries = await readdir(root, { recursive: true, withFileTypes: true })
  const files = entries
    .filter(entry => entry.isFile())
    .map(entry => join(entry.parentPath, entry.name))
    .filter(path => !relative(root, path).split('/').includes('.git'))
  const rows = files.map(async path => {
    const { size } = await lstat(path)
    const bytes = size <= MOST_BYTES ? await readFile(path, 'latin1') : `${size} bytes`
    return [relative(root, path), bytes] as const
  })
  return new Map(await Promise.all(rows))
}

/** Paths whose bytes differ, or that are in one only. */
export const differing = (a: ReadonlyMap<string, string>, b: ReadonlyMap<string, string>): string[] =>
  [...new Set([...a.keys(), ...b.keys()])].filter(path => a.get(path) !== b.get(path)).sort()

/** What the real cutover would do to the real files, and what would stop it. */
export type RealFiles = { edits: number; mentions: Mention[]; warnings: string[] }

export type FilesOptions = {
  discovery: string
  followSymlinks: boolean | undefined
  old: ClusterAddresses
  signal: AbortSignal
}

/** Plans the real files' move; nothing is written. Throws what `planEdits` throws. */
export const planReal = async (
  { discovery, followSymlinks, old, signal }: FilesOptions,
  next: ClusterAddresses,
): Promise<Plan> => {
  const directory = await readDirectory(discovery, { followSymlinks, signal })
  return await planEdits(directory, { old, next, signal })
}

/** Has the copy name the stage's old cluster where it names the real one. */
export const sendToStage = async (
  { discovery, followSymlinks, old, signal }: FilesOptions,
  stage: Side,
  journalDir: string,
): Promise<void> => {
  const directory = await readDirectory(discovery, { followSymlinks, signal })
  const next = { brokers: stage.bootstrap.map(formatHostPort), zookeeper: stage.zookeeper }
  await apply(await planEdits(directory, { old, next, signal }), { journalDir, signal })
}

/** What a client does when it starts. Clients of many kinds read many files: each takes another entry. */
export const locateOnStage =
  ({ discovery, old, next }: Pick<World, 'discovery' | 'old' | 'next'>, turn: number): Locate =>
  async () => {
    const { bootstrap, cluster } = await locateCluster({ root: discovery, clusters: [old, next], turn })
    return { bootstrap, security: cluster.security }
  }
