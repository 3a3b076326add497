import { childPath } from '../zookeeper/index.ts'
import type { Change } from './change.ts'
import { decide } from './decide.ts'
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
/** Groups of places that are read at a time; each takes three round trips. */
const DEPTH = 8

/** Children still to be read; `next` is the first of them. */
type Frontier = {
  parent: Place
  names: readonly string[]
  onTarget: ReadonlySet<string> | undefined
  next: number
}

/**
 * Reads the source from the root down, beside it what the target has, and yields what must change there, parents before
 * children. A list of children is one entry of the frontier and the newest is taken first, so memory follows depth times
 * fan-out, not the number of znodes. What to do is decided here, one group after the other, just before it is yielded:
 * groups are read at the same time, and a parent that waits must come out with the first child that needs it.
 */
export async function* walk(options: WalkOptions): AsyncGenerator<Change[], void> {
  const { signal } = options
  const frontier: Frontier[] = []
  const running = new Map<number, Promise<{ id: number; looks: Look[] }>>()
  let nextId = 0
  const begin = (places: Place[]): void => {
    const id = nextId++
    const job = look(options, places).then(looks => ({ id, looks }))
    job.catch(() => {}) // thrown where it is raced for
    running.set(id, job)
  }
  begin([options.start])
  try {
    while (running.size > 0) {
      const { id, looks } = await Promise.race(running.values())
      running.delete(id)
      signal.throwIfAborted()
      const changes = looks.flatMap(found => decide(options, found))
      if (changes.length > 0) yield changes
      for (const { place, names, namesThere } of looks) {
        if (names.length > 0) frontier.push({ parent: place, names, onTarget: namesThere, next: 0 })
      }
      while (frontier.length > 0 && running.size < DEPTH) begin(take(frontier, options.from.reader.batch))
    }
  } finally {
    await Promise.allSettled(running.values())
  }
}

const take = (frontier: Frontier[], count: number): Place[] => {
  const places: Place[] = []
  for (let top = frontier.at(-1); top && places.length < count; top = frontier.at(-1)) {
    const { parent, names, onTarget } = top
    const end = Math.min(names.length, top.next + count - places.length)
    for (const name of names.slice(top.next, end)) {
      places.push({ path: childPath(parent.path, name), parent, onTarget: onTarget?.has(name) ?? false })
    }
    top.next = end
    if (end === names.length) frontier.pop()
  }
  return places
}
