import { type Answer, CODE, childPath, joinPath, must } from '../zookeeper/index.ts'
import type { Look, LookOptions } from './look.ts'
import { note } from './tally.ts'
import type { Place } from './walk.ts'

/** A znode that has children on a side, and how many (on the side that has more). */
export type Parent = { place: Place; count: number }
/** Names below a place on the source, and which of them the target has; undefined: none. */
export type Listed = { place: Place; names: readonly string[]; onTarget: ReadonlySet<string> | undefined }

/** Whether children must be listed: there are some, or (by a watermark) there were some until lately. */
export const parentOf = ({ copiedBy }: LookOptions, { place, node, there }: Look): Parent[] => {
  const count = Math.max(node.stat.numChildren, there?.stat.numChildren ?? 0)
  const changed = place.onTarget && copiedBy !== undefined && node.stat.pzxid > copiedBy
  return count > 0 || changed ? [{ place, count }] : []
}

/** Lists the children of parents on both sides, and notes what only the target has. */
export const list = async (options: LookOptions, parents: readonly Parent[]): Promise<Listed[]> => {
  const { from, to, tally } = options
  const both = parents.filter(({ place }) => place.onTarget)
  const [here, there] = await Promise.all([
    from.reader.children(
      parents.map(({ place }) => joinPath(from.root, place.path)),
      parents.map(({ count }) => count),
    ),
    to.reader.children(
      both.map(({ place }) => joinPath(to.root, place.path)),
      both.map(({ count }) => count),
    ),
  ])
  const namesThere = new Map(both.map(({ place }, i) => [place, there[i] as Answer<string[]>]))
  return parents.flatMap(({ place }, i): Listed[] => {
    const path = joinPath(from.root, place.path)
    const answer = here[i] as Answer<string[]>
    if (answer.code === CODE.NoNode) {
      note(tally.vanished, path)
      return []
    }
    const shown = shownBelow(options, place)
    const all = must(answer, `list ${path} of ${from.reader.address}`)
    const names = all.filter(shown)
    tally.excluded += all.length - names.length
    const target = namesThere.get(place)
    if (!target) return [{ place, names, onTarget: undefined }]
    const found = target.code === CODE.NoNode ? [] : must(target, `list ${joinPath(to.root, place.path)}`)
    const onTarget = new Set(found.filter(shown))
    noteExtra(options, { place, names, onTarget })
    return [{ place, names, onTarget }]
  })
}

/**
 * Which children are not left alone. `/zookeeper` at the root of an ensemble is the servers' own; anywhere deeper it is
 * a name like any other.
 */
const shownBelow = ({ from, to, filter }: LookOptions, { path }: Place): ((name: string) => boolean) => {
  const top = [from, to].some(({ root }) => joinPath(root, path) === '/')
  return name => !(top && name === 'zookeeper') && !filter.excludes(childPath(path, name))
}

const noteExtra = ({ tally, to, filter, extras }: LookOptions, { place, names, onTarget }: Listed): void => {
  if (!onTarget || onTarget.size === 0) return
  const here = new Set(names)
  for (const name of onTarget) {
    const below = childPath(place.path, name)
    if (here.has(name) || !filter.includes(below)) continue
    const path = joinPath(to.root, below)
    note(tally.extra, path)
    extras?.push(path)
  }
}
