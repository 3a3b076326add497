import {
  type Acl,
  type Answer,
  ancestorsOf,
  belowPath,
  CODE,
  isWithin,
  joinPath,
  must,
  OPEN_ACL,
} from '../zookeeper/index.ts'
import type { Change } from './change.ts'
import { formOf, type Keep } from './keep.ts'
import type { Node, TreeReader } from './tree-reader.ts'

export type ParentSource = {
  from: { reader: TreeReader; root: string }
  /** Root of the copy on the target. */
  toRoot: string
  /** The ACL of a copy, by its own on the source. */
  aclFor(own: Acl, path: string): Acl
  keep: Keep
}
type ParentOptions = { target: TreeReader; source: ParentSource }

/**
 * Creations of the parents that the target lacks for these creations: copies of the source's, read now, and above the
 * root open empty znodes. A parent that the source has lost too is left out: its children fail by name.
 */
export const missingParents = async (
  changes: readonly Change[],
  { target, source }: ParentOptions,
): Promise<Change[]> => {
  const coming = new Set<string>()
  const needed = new Set<string>()
  for (const { kind, path } of changes) {
    if (kind !== 'create') continue
    for (const parent of ancestorsOf(path)) if (!coming.has(parent)) needed.add(parent)
    coming.add(path)
  }
  const paths = [...needed].sort((a, b) => a.length - b.length)
  const there = await target.data(paths)
  const missing = paths.filter((_, i) => there[i]?.code === CODE.NoNode)
  return (await Promise.all(missing.map(path => copyOf(path, source)))).flat()
}

const copyOf = async (path: string, { from, toRoot, aclFor, keep }: ParentSource): Promise<Change[]> => {
  if (!isWithin(toRoot, path)) return [{ kind: 'create', path, data: null, acl: OPEN_ACL }]
  const below = belowPath(toRoot, path)
  const fromPath = joinPath(from.root, below)
  const [nodes, acls] = await Promise.all([from.reader.data([fromPath]), from.reader.acls([fromPath])])
  const node = absent(nodes[0] as Answer<Node>, fromPath)
  const own = absent(acls[0] as Answer<{ acl: Acl }>, fromPath)
  if (!node || !own) return []
  const acl = aclFor(own.acl, fromPath)
  return [{ kind: 'create', path, data: node.data, acl, ...formOf(keep, below, node.stat) }]
}

const absent = <T>(answer: Answer<T>, path: string): T | undefined =>
  answer.code === CODE.NoNode ? undefined : must(answer, `read ${path}`)
