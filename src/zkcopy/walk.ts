import { childPath } from '../zookeeper/index.ts'
import type { Change } from './change.ts'
import { decide } from './decide.ts'
import { type Listed, list, type Parent, parentOf } from './list.ts'
import { type Look, type LookOptions, look } from './look.ts'

/** A znode of the source on its way: its path below both roots, and what is known of the target. */
export type Place = {
  path: string
  parent: Place | undefined
  onTarget: boolean
  /** Its own creation, held back until something below it is written: it is older than --since itself. */
  waiting?: Change | undefined
}
export type WalkOptions = LookOptions & {
  /** The root. */
  start: Place
  signal: AbortSignal
}
/** Groups of places or lists that are read at a time; a group takes two round trips, a list one. */
const DEPTH = 16
/** Names of children that are held at a time, about; one list may be longer. */
const HELD_NAMES = 10_000
const LISTS = 500

/** Children still to be read; `next` is the first of them. */
type Frontier = Listed & { next: number }
type Read = { looks: Look[] } | { lists: Listed[]; reckoned: number }

/**
 * Reads the source from the root down, beside it what the target has, and yields what must change there, parents before
 * children. What was found last is gone on with first, and lists of children are read only as they are needed, so memory
 * follows depth and the longest list, not the number of znodes. What to do is decided here, one group after the other,
 * just before it is yielded: groups are read at the same time, and a parent that waits must come out with the first
 * child that needs it.
 */
export async function* walk(options: WalkOptions): AsyncGenerator<Change[], void> {
  const { signal } = options
  const frontier: Frontier[] = []
  const unlisted: Parent[] = []
  const running = new Map<number, Promise<{ id: number; read: Read }>>()
  let nextId = 0
  let listing = 0 // names that lists under way are reckoned to bring
  const begin = (work: Promise<Read>): void => {
    const id = nextId++
    const job = work.then(read => ({ id, read }))
    job.catch(() => {}) // thrown where it is raced for
    running.set(id, job)
  }
  const beginLook = (places: Place[]): void => begin(look(options, places).then(looks => ({ looks })))
  const beginList = (parents: Parent[]): void => {
    const reckoned = parents.reduce((sum, { count }) => sum + count, 0)
    listing += reckoned
    begin(list(options, parents).then(lists => ({ lists, reckoned })))
  }
  beginLook([options.start])
  try {
    while (running.size > 0) {
      const { id, read } = await Promise.race(running.values())
      running.delete(id)
      signal.throwIfAborted()
      if ('looks' in read) {
        const changes = read.looks.flatMap(found => decide(options, found))
        if (changes.length > 0) yield changes
        for (const found of read.looks) unlisted.push(...parentOf(options, found))
      } else {
        listing -= read.reckoned
        for (const listed of read.lists) if (listed.names.length > 0) frontier.push({ ...listed, next: 0 })
      }
      while (running.size < DEPTH && (frontier.length > 0 || unlisted.length > 0)) {
        if (unlisted.length > 0 && listing + unread(frontier) < HELD_NAMES) beginList(takeParents(unlisted))
        else if (frontier.length > 0) beginLook(takePlaces(frontier, options.from.reader.batch))
        else break
      }
    }
  } finally {
    await Promise.allSettled(running.values())
  }
}

const unread = (frontier: readonly Frontier[]): number =>
  frontier.reduce((sum, { names, next }) => sum + names.length - next, 0)

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

const takePlaces = (frontier: Frontier[], count: number): Place[] => {
  const places: Place[] = []
  for (let top = frontier.at(-1); top && places.length < count; top = frontier.at(-1)) {
    const { place: parent, names, onTarget } = top
    const end = Math.min(names.length, top.next + count - places.length)
    for (const name of names.slice(top.next, end)) {
      places.push({ path: childPath(parent.path, name), parent, onTarget: onTarget?.has(name) ?? false })
    }
    top.next = end
    if (end === names.length) frontier.pop()
  }
  return places
}
