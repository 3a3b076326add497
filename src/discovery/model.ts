import { isDeepStrictEqual } from 'node:util'
import { KmigError } from '../kit/index.ts'
import { type Model, modelOf, VERSIONS } from './yaml-text.ts'

type Value = string | readonly string[]
/** The values of an entry that kmig knows of; an entry may hold more. */
export type EntryValue = { broker_list: Value; zookeeper: string }

/** What an edit changes: a value of an entry, a whole entry (null: it is not there), or the default of the file. */
export type FieldChange =
  | { cluster: string; key: 'broker_list' | 'zookeeper'; before: Value; after: Value }
  | {
      cluster: string
      key: 'entry'
      before: EntryValue | null
      after: EntryValue | null
      /** The entry that the new one is a copy of, but for these values. */
      like?: string | undefined
    }
  | { key: 'local_config'; before: string; after: string }

export const reversed = (change: FieldChange): FieldChange => {
  if (change.key === 'local_config') return { ...change, before: change.after, after: change.before }
  const { cluster } = change
  return change.key === 'entry'
    ? { cluster, key: 'entry', before: change.after, after: change.before }
    : { ...change, before: change.after, after: change.before }
}

const withValue = (model: unknown, path: readonly string[], value: unknown): unknown => {
  const [key, ...rest] = path
  if (key === undefined) return value
  const map = model instanceof Map ? (model as Model) : new Map()
  return new Map(map).set(key, withValue(map.get(key), rest, value)) // a copy: an alias elsewhere keeps the old value
}

const valueAt = (model: unknown, path: readonly string[]): unknown =>
  path.reduce((at, key) => (at instanceof Map ? at.get(key) : undefined), model)

const pathOf = (change: FieldChange): string[] => {
  if (change.key === 'local_config') return ['local_config', 'cluster']
  return change.key === 'entry' ? ['clusters', change.cluster] : ['clusters', change.cluster, change.key]
}

/** Where the change is, for people. */
export const placeOf = (change: FieldChange): string => pathOf(change).join('.')

const holds = (model: unknown, change: FieldChange): boolean => {
  const found = valueAt(model, pathOf(change))
  if (change.key !== 'entry') return isDeepStrictEqual(found, change.before)
  if (change.before === null) return found === undefined
  return Object.entries(change.before).every(([key, value]) =>
    isDeepStrictEqual(valueAt(found, [key]), value),
  )
}

/** The model after one change; what else a restored entry holds only the text after it can tell. */
const changed = (model: unknown, change: FieldChange, to: unknown): unknown => {
  const path = pathOf(change)
  if (change.key !== 'entry') return withValue(model, path, change.after)
  if (change.after === null) {
    const clusters = new Map(valueAt(model, ['clusters']) as Model)
    clusters.delete(change.cluster)
    return withValue(model, ['clusters'], clusters)
  }
  const base = change.like === undefined ? valueAt(to, path) : valueAt(model, ['clusters', change.like])
  const entry = Object.entries(change.after).reduce<unknown>(
    (map, [key, value]) => withValue(map, [key], value),
    base,
  )
  return withValue(model, path, entry)
}

/**
 * Throws DISCOVERY_INVALID unless both texts parse under YAML 1.1 and 1.2, the fields hold their `before` in the first,
 * and the second says exactly the same with their `after`. Source: DISCOVERY.md 6.3.
 */
export const assertModelChange = (
  path: string,
  before: string,
  after: string,
  changes: readonly FieldChange[],
): void => {
  for (const version of VERSIONS) {
    const [from, to] = [modelOf(before, version), modelOf(after, version)]
    const expected = changes.reduce<unknown>((model, change) => changed(model, change, to), from)
    const found = from && changes.every(change => holds(from, change))
    if (found && to && isDeepStrictEqual(to, expected)) continue
    throw new KmigError(
      'DISCOVERY_INVALID',
      `${path}: the edit would change more than ${changes.map(placeOf).join(', ')} under YAML ${version}`,
      { try: ['look for an anchor or a merge key that ties entries together, and write the values out'] },
    )
  }
}
