import { type Acl, type Answer, CODE, childPath, joinPath, must } from '../zookeeper/index.ts'
import type { Node, TreeReader } from './tree-reader.ts'

/** A znode as it was read; `path` is below the root, which is `/`. `acl` only if ACLs were asked for. */
export type Scanned = Node & { path: string; acl: Acl | undefined }
export type ScanOptions = {
  reader: TreeReader
  root: string
  /** One request each: more than doubles the time. */
  withAcls: boolean
  signal: AbortSignal
  /** Told of a znode that was listed and then not found. */
  onVanished?: ((path: string) => void) | undefined
  /** Told of a znode that may not be read, which is then left out with all below it. Without it such a one is thrown. */
  onForbidden?: ((path: string) => void) | undefined
  /** Leaves a path out with all below it. */
  skips?: ((path: string) => boolean) | undefined
}
/** Groups that are read at a time. */
const DEPTH = 8

/** Names still to be read; `next` is the first of them. */
type Frontier = { parent: string; names: readonly string[]; next: number }
type Group = { id: number; nodes: Scanned[]; below: Frontier[] }

/**
 * Every znode from the root down, parents before children, each as it was at one moment of the scan. `/zookeeper` at the
 * root of an ensemble is left out. Memory follows depth times fan-out, as the newest list of children is read first.
 */
export async function* scan(options: ScanOptions): AsyncGenerator<Scanned[], void> {
  const frontier: Frontier[] = []
  const running = new Map<number, Promise<Group>>()
  let nextId = 0
  const begin = (paths: string[]): void => {
    const id = nextId++
    const job = readGroup(options, paths).then(group => ({ id, ...group }))
    job.catch(() => {}) // thrown where it is raced for
    running.set(id, job)
  }
  begin(['/'])
  try {
    while (running.size > 0) {
      const { id, nodes, below } = await Promise.race(running.values())
      running.delete(id)
      options.signal.throwIfAborted()
      frontier.push(...below)
      if (nodes.length > 0) yield nodes
      while (frontier.length > 0 && running.size < DEPTH) begin(take(frontier, options.reader.batch))
    }
  } finally {
    await Promise.allSettled(running.values())
  }
}

const readGroup = async (
  { reader, root, withAcls, onVanished, onForbidden, skips }: ScanOptions,
  paths: readonly string[],
): Promise<Omit<Group, 'id'>> => {
  const full = paths.map(path => joinPath(root, path))
  const gone = new Set<string>()
  const unlessGone = <T>(answer: Answer<T> | undefined, path: string): T | undefined => {
    if (answer?.code === CODE.NoAuth && onForbidden) {
      if (!gone.has(path)) onForbidden(path)
      gone.add(path)
      return undefined
    }
    if (answer?.code !== CODE.NoNode) return must(answer as Answer<T>, `read ${joinPath(root, path)}`)
    gone.add(path)
    return undefined
  }
  const [data, acls] = await Promise.all([reader.data(full), withAcls ? reader.acls(full) : undefined])
  const nodes = paths.flatMap((path, i) => {
    const node = unlessGone(data[i], path)
    const acl = acls && unlessGone(acls[i], path)?.acl
    return node && !gone.has(path) ? [{ path, acl, ...node }] : []
  })
  const parents = nodes.filter(({ stat }) => stat.numChildren > 0)
  const lists = await reader.children(
    parents.map(({ path }) => joinPath(root, path)),
    parents.map(({ stat }) => stat.numChildren),
  )
  const below = parents.map(({ path }, i) => {
    const names = unlessGone(lists[i], path) ?? []
    const ofServers = joinPath(root, path) === '/'
    const left = (name: string): boolean =>
      (ofServers && name === 'zookeeper') || (skips?.(childPath(path, name)) ?? false)
    return { parent: path, names: ofServers || skips ? names.filter(name => !left(name)) : names, next: 0 }
  })
  for (const path of gone) onVanished?.(joinPath(root, path))
  return {
    nodes: nodes.filter(({ path }) => !gone.has(path)),
    below: below.filter(({ names }) => names.length > 0),
  }
}

const take = (frontier: Frontier[], count: number): string[] => {
  const paths: string[] = []
  for (let top = frontier.at(-1); top && paths.length < count; top = frontier.at(-1)) {
    const { parent, names } = top
    const end = Math.min(names.length, top.next + count - paths.length)
    for (const name of names.slice(top.next, end)) paths.push(childPath(parent, name))
    top.next = end
    if (end === names.length) frontier.pop()
  }
  return paths
}
