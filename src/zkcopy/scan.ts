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
/** Groups and lists that are read at a time. */
const DEPTH = 16
/** Names of children that are held at a time, about; one list may be longer. */
const HELD_NAMES = 10_000
const LISTS = 500

type Parent = { path: string; count: number }
/** Names still to be read; `next` is the first of them. */
type Frontier = { parent: string; names: readonly string[]; next: number }
type Read = { nodes: Scanned[]; parents: Parent[] } | { lists: Frontier[]; reckoned: number }

/**
 * Every znode from the root down, parents before children, each as it was at one moment of the scan. `/zookeeper` at the
 * root of an ensemble is left out. Memory follows depth and the longest list, as what was found last is gone on with
 * first, and children are listed only as they are needed. Has no code of `walk`: what that one would miss, this one finds.
 */
export async function* scan(options: ScanOptions): AsyncGenerator<Scanned[], void> {
  const frontier: Frontier[] = []
  const unlisted: Parent[] = []
  const running = new Map<number, Promise<{ id: number; read: Read }>>()
  let nextId = 0
  let held = 0 // names in the frontier, and those that lists under way are reckoned to bring
  const begin = (work: Promise<Read>): void => {
    const id = nextId++
    const job = work.then(read => ({ id, read }))
    job.catch(() => {}) // thrown where it is raced for
    running.set(id, job)
  }
  begin(readGroup(options, ['/']))
  try {
    while (running.size > 0) {
      const { id, read } = await Promise.race(running.values())
      running.delete(id)
      options.signal.throwIfAborted()
      if ('nodes' in read) {
        for (const parent of read.parents) unlisted.push(parent)
        if (read.nodes.length > 0) yield read.nodes
      } else {
        held -= read.reckoned
        for (const list of read.lists) {
          held += list.names.length
          frontier.push(list)
        }
      }
      while (running.size < DEPTH) {
        if (unlisted.length > 0 && held < HELD_NAMES) {
          const parents = takeParents(unlisted)
          const reckoned = parents.reduce((sum, { count }) => sum + count, 0)
          held += reckoned
          begin(readLists(options, parents).then(lists => ({ lists, reckoned })))
        } else if (frontier.length > 0) {
          const paths = takePaths(frontier, options.reader.batch)
          held -= paths.length
          begin(readGroup(options, paths))
        } else break
      }
    }
  } finally {
    await Promise.allSettled(running.values())
  }
}

const readGroup = async (
  { reader, root, withAcls, onVanished, onForbidden }: ScanOptions,
  paths: readonly string[],
): Promise<{ nodes: Scanned[]; parents: Parent[] }> => {
  const full = paths.map(path => joinPath(root, path))
  const [data, acls] = await Promise.all([reader.data(full), withAcls ? reader.acls(full) : undefined])
  const nodes = paths.flatMap((path, i): Scanned[] => {
    const answers = [data[i], ...(acls ? [acls[i]] : [])] as Answer<unknown>[]
    if (onForbidden && answers.some(({ code }) => code === CODE.NoAuth)) {
      onForbidden(path)
      return []
    }
    if (answers.some(({ code }) => code === CODE.NoNode)) {
      onVanished?.(full[i] as string)
      return []
    }
    const node = must(data[i] as Answer<Node>, `read ${full[i]}`)
    return [{ path, acl: acls && must(acls[i] as Answer<{ acl: Acl }>, `read ${full[i]}`).acl, ...node }]
  })
  const parents = nodes.filter(({ stat }) => stat.numChildren > 0)
  return { nodes, parents: parents.map(({ path, stat }) => ({ path, count: stat.numChildren })) }
}

/** Of one that is gone by now, nothing is below it. */
const readLists = async (
  { reader, root, onForbidden, skips }: ScanOptions,
  parents: readonly Parent[],
): Promise<Frontier[]> => {
  const lists = await reader.children(
    parents.map(({ path }) => joinPath(root, path)),
    parents.map(({ count }) => count),
  )
  return parents.flatMap(({ path }, i): Frontier[] => {
    const answer = lists[i] as Answer<string[]>
    if (answer.code === CODE.NoNode) return []
    if (answer.code === CODE.NoAuth && onForbidden) {
      onForbidden(path)
      return []
    }
    const all = must(answer, `list ${joinPath(root, path)}`)
    const ofServers = joinPath(root, path) === '/'
    const left = (name: string): boolean =>
      (ofServers && name === 'zookeeper') || (skips?.(childPath(path, name)) ?? false)
    const names = ofServers || skips ? all.filter(name => !left(name)) : all
    return names.length > 0 ? [{ parent: path, names, next: 0 }] : []
  })
}

const takeParents = (unlisted: Parent[]): Parent[] => {
  const parents: Parent[] = []
  let names = 0
  for (let last = unlisted.at(-1); last && parents.length < LISTS; last = unlisted.at(-1)) {
    if (parents.length > 0 && names + last.count > HELD_NAMES / 2) break
    parents.push(last)
    names += last.count
    unlisted.pop()
  }
  return parents
}

const takePaths = (frontier: Frontier[], count: number): string[] => {
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
