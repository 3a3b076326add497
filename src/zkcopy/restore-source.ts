import { KmigError } from '../kit/index.ts'
import { type Answer, CODE, childPath, joinPath, must } from '../zookeeper/index.ts'
import { backupHeader, readBackup } from './backup-format.ts'
import type { Change } from './change.ts'
import { checkDump, readDump } from './dump-check.ts'
import type { Dumped } from './dump-format.ts'
import type { OneEnsemble } from './one-ensemble.ts'
import type { RestoreOptions, RestoreReport } from './restore.ts'
import { note, type Paths, paths } from './tally.ts'
import type { Node } from './tree-reader.ts'

/** What is put back, parents before children. */
export type RestoreSource = Pick<RestoreReport, 'kind' | 'dumped'> & {
  nodes(): AsyncIterable<Dumped> | Iterable<Dumped>
  /** Paths below the root that were not there. */
  created: ReadonlySet<string>
}

/** A dump, or what a copy replaced. Read to its end. Throws USAGE, ZK_DUMP_DAMAGED. */
export const sourceOf = async ({
  file,
  to,
  deleteCreated,
  signal,
}: RestoreOptions): Promise<RestoreSource> => {
  const backup = await backupHeader(file)
  if (!backup) {
    if (deleteCreated)
      throw new KmigError('USAGE', `${file} is a dump: --delete is for what zkcopy --backup wrote`)
    const { header, znodes } = await checkDump(file, signal)
    const { from, root, at, zxid } = header
    const dumped = { from, root, at, zxid, znodes }
    return { kind: 'dump', dumped, nodes: () => readDump(file), created: new Set() }
  }
  const { root, at } = backup
  if (root !== to.chroot) {
    throw new KmigError(
      'USAGE',
      `${file} is of ${backup.to}, so it goes back to ${root}, not to ${to.chroot}`,
      {
        try: [`give the root of the copy: --to HOST:PORT${root === '/' ? '' : root}`],
      },
    )
  }
  const { nodes, created } = await readBackup(file)
  const dumped = { from: backup.to, root, at, zxid: null, znodes: nodes.length }
  return { kind: 'backup', dumped, nodes: () => nodes, created }
}

/**
 * Deletions, children before parents, of what the copy had made: `all` is what of it is there, `kept` what stays as it
 * is an ephemeral now or somebody else made something below it.
 */
export const removable = async (
  { reader }: OneEnsemble,
  created: ReadonlySet<string>,
  { to: { chroot }, signal }: RestoreOptions,
): Promise<{ changes: Change[]; kept: Paths; all: Paths }> => {
  const deepestFirst = [...created].sort().reverse()
  const changes: Change[] = []
  const kept = paths()
  const all = paths()
  const stays = new Set<string>()
  for (const group of reader.parts(deepestFirst)) {
    signal.throwIfAborted()
    const nodes = await reader.data(group.map(path => joinPath(chroot, path)))
    for (const [j, below] of group.entries()) {
      const path = joinPath(chroot, below)
      const node = present(nodes[j] as Answer<Node>, path)
      if (!node) continue
      note(all, path)
      const { numChildren, ephemeral, version } = node.stat
      const [names] = numChildren > 0 ? await reader.children([path], [numChildren]) : []
      const children = names ? (present(names, path) ?? []) : []
      const blocked = children
        .map(name => childPath(below, name))
        .some(child => !created.has(child) || stays.has(child))
      if (blocked || ephemeral) {
        stays.add(below)
        note(kept, path)
      } else changes.push({ kind: 'delete', path, version })
    }
  }
  return { changes, kept, all }
}

const present = <T>(answer: Answer<T>, path: string): T | undefined =>
  answer.code === CODE.NoNode ? undefined : must(answer, `read ${path} of the target`)
