import { type Answer, ancestorsOf, belowPath, CODE, isWithin, joinPath, must } from '../zookeeper/index.ts'
import type { Change } from './change.ts'
import { type CommitOptions, commit } from './commit.ts'
import { decide } from './decide.ts'
import { deletions, guardDeletes, type MaxDelete } from './delete.ts'
import { missingParents } from './parents.ts'
import { note } from './tally.ts'
import type { Node, TreeReader } from './tree-reader.ts'
import type { WalkOptions } from './walk.ts'

export type DrainOptions = {
  plan: WalkOptions
  committing: CommitOptions
  /** Reads the source through the session that was told what changed. */
  source: TreeReader
  deleteUpTo: MaxDelete | undefined
}

/** Makes the target have of these paths (below the root, parents first) what the source has of them now. */
export const drain = async (paths: readonly string[], options: DrainOptions): Promise<void> => {
  const { plan, committing, source, deleteUpTo } = options
  const { tally, signal } = plan
  const below = paths.filter(path => isOurs(plan, path))
  for (const part of source.parts(below)) {
    const { changes, gone } = await differences(part, options)
    await commit([changes], committing)
    if (deleteUpTo) await removeAll(gone, { ...options, deleteUpTo })
    else await noteExtra(gone, options)
  }
  async function removeAll(gone: readonly string[], limit: { deleteUpTo: MaxDelete }): Promise<void> {
    const tops = gone.filter(path => !gone.some(other => other !== path && isWithin(other, path)))
    if (tops.length === 0) return
    const spares = (path: string): boolean => isSpared(plan, path)
    const going = await deletions(committing.target, tops, { spares, signal })
    guardDeletes(going.length, atLeastOne(limit.deleteUpTo), { onTarget: tally.onTarget + tally.created })
    await commit([going], committing)
  }
}

/** A part of a small tree would be none at all, and each deletion comes by itself here. */
const atLeastOne = (limit: MaxDelete): MaxDelete =>
  limit.kind === 'count' ? limit : { ...limit, atLeast: 1 }

/** Whether a path is copied: not the servers' own, not excluded with all below something, and included. */
const isOurs = ({ from, to, filter }: WalkOptions, path: string): boolean => {
  const atTop = [from, to].some(({ root }) => root === '/') && isWithin('/zookeeper', path)
  return !atTop && filter.includes(path) && ![...ancestorsOf(path), path].some(filter.excludes)
}

/** Whether --delete leaves a path of the target alone. */
export const isSpared = (plan: WalkOptions, path: string): boolean =>
  !isOurs(plan, belowPath(plan.to.root, path))

const noteExtra = async (gone: readonly string[], { plan, committing }: DrainOptions): Promise<void> => {
  const there = await committing.target.data(gone)
  for (const [i, path] of gone.entries()) if (there[i]?.code === CODE.Ok) note(plan.tally.extra, path)
}

/** What must be written, and the target's paths of what the source no longer has. */
const differences = async (
  paths: readonly string[],
  { plan, committing, source }: DrainOptions,
): Promise<{ changes: Change[]; gone: string[] }> => {
  const { from, to, acls, tally } = plan
  const { target } = committing
  const full = acls.mode === 'full'
  const pathsFrom = paths.map(path => joinPath(from.root, path))
  const pathsTo = paths.map(path => joinPath(to.root, path))
  const [here, aclsHere, there, aclsThere] = await Promise.all([
    source.data(pathsFrom),
    full ? source.acls(pathsFrom) : [],
    target.data(pathsTo),
    full ? target.acls(pathsTo) : [],
  ])
  const found: Change[] = []
  const gone: string[] = []
  for (const [i, path] of paths.entries()) {
    const [at, atTo] = [pathsFrom[i] as string, pathsTo[i] as string]
    const node = unlessGone(here[i] as Answer<Node>, `read ${at} of ${source.address}`)
    const own = full
      ? unlessGone(aclsHere[i] as Answer<{ acl: typeof acls.root }>, `read the ACL of ${at}`)
      : undefined
    if (!node || (full && !own)) {
      gone.push(atTo)
      continue
    }
    if (node.stat.ephemeral) continue
    tally.maxMtimeMs = Math.max(tally.maxMtimeMs, node.stat.mtimeMs)
    const copy = unlessGone(there[i] as Answer<Node>, `read ${atTo} of the target`)
    const copyAcl = full
      ? unlessGone(aclsThere[i] as Answer<{ acl: typeof acls.root }>, `read the ACL of ${atTo}`)
      : undefined
    const present =
      copy && (copyAcl || !full) ? { ...copy, acl: copyAcl && acls.table.intern(copyAcl.acl) } : undefined
    found.push(
      ...decide(
        { ...plan, ancestors: [] },
        {
          place: { path, parent: undefined, onTarget: present !== undefined },
          node,
          selected: true,
          acl: own ? acls.table.internSource(own.acl, at) : acls.root,
          there: present,
        },
      ),
    )
  }
  return { changes: [...(await missingParents(found, committing)), ...found], gone }
}

const unlessGone = <T>(answer: Answer<T>, what: string): T | undefined =>
  answer.code === CODE.NoNode ? undefined : must(answer, what)
