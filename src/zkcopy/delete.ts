import { KmigError } from '../kit/index.ts'
import { type Answer, CODE, childPath, must } from '../zookeeper/index.ts'
import type { Change } from './change.ts'
import type { Tally } from './tally.ts'
import type { Node, TreeReader } from './tree-reader.ts'

/** How much of the target a run may delete: a number of znodes, or a part of those that it has. */
export type MaxDelete = { kind: 'count'; count: number } | { kind: 'part'; part: number; atLeast?: number }

/** `500` or `5%`. Throws USAGE. */
export const parseMaxDelete = (text: string): MaxDelete => {
  const [, digits, percent] = /^(\d+(?:\.\d+)?)(%?)$/.exec(text) ?? []
  const n = Number(digits)
  if (percent && n <= 100) return { kind: 'part', part: n / 100 }
  if (digits && !percent && Number.isSafeInteger(n)) return { kind: 'count', count: n }
  throw new KmigError('USAGE', `--max-delete '${text}' is neither a number of znodes nor a part like 5%`)
}

/**
 * Deletions of these subtrees of the target, deepest first, each with the version read. Spared are ephemerals, what
 * `spares` names with all below it, and what is above any of them.
 */
export const deletions = async (
  target: TreeReader,
  tops: readonly string[],
  { spares, signal }: { spares(path: string): boolean; signal: AbortSignal },
): Promise<Change[]> => {
  const found: { path: string; version: number; parent: string | undefined }[] = []
  const spared = new Set<string>()
  let level = tops.map(path => ({ path, parent: undefined as string | undefined }))
  while (level.length > 0) {
    signal.throwIfAborted()
    const below: typeof level = []
    for (const group of target.parts(level)) {
      const nodes = await target.data(group.map(({ path }) => path))
      const parents: { path: string; count: number }[] = []
      for (const [j, { path, parent }] of group.entries()) {
        const node = present(nodes[j] as Answer<Node>, path)
        if (!node) continue
        found.push({ path, parent, version: node.stat.version })
        if (node.stat.ephemeral || spares(path)) {
          spared.add(path)
          continue
        }
        if (node.stat.numChildren > 0) parents.push({ path, count: node.stat.numChildren })
      }
      const names = await target.children(
        parents.map(({ path }) => path),
        parents.map(({ count }) => count),
      )
      for (const [j, { path }] of parents.entries()) {
        for (const name of present(names[j] as Answer<string[]>, path) ?? []) {
          below.push({ path: childPath(path, name), parent: path })
        }
      }
    }
    level = below
  }
  found.reverse()
  for (const { path, parent } of found) if (parent && spared.has(path)) spared.add(parent)
  return found
    .filter(({ path }) => !spared.has(path))
    .map(({ path, version }) => ({ kind: 'delete', path, version }))
}

/** Throws ZK_TOO_MANY_DELETES when more would go than was allowed. */
export const guardDeletes = (
  count: number,
  limit: MaxDelete,
  { onTarget }: Pick<Tally, 'onTarget'>,
): void => {
  const all = onTarget + count
  const most =
    limit.kind === 'count' ? limit.count : Math.max(limit.atLeast ?? 0, Math.floor(all * limit.part))
  if (count <= most) return
  throw new KmigError(
    'ZK_TOO_MANY_DELETES',
    `${count} of the ${all} znodes of the target are not on the source; at most ${most} may be deleted, so none was`,
    { try: ['look at what they are: run with --check', `if they shall go: --max-delete ${count}`] },
  )
}

const present = <T>(answer: Answer<T>, path: string): T | undefined =>
  answer.code === CODE.NoNode ? undefined : must(answer, `read ${path} of the target`)
