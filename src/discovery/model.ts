import { isDeepStrictEqual } from 'node:util'
import { KmigError } from '../kit/index.ts'
import { type Model, modelOf, VERSIONS } from './yaml-text.ts'

/** One value of one entry that an edit changes: a list of brokers or a string, before and after. */
export type FieldChange = {
  cluster: string
  key: 'broker_list' | 'zookeeper'
  before: string | readonly string[]
  after: string | readonly string[]
}

export const reversed = (change: FieldChange): FieldChange => ({
  ...change,
  before: change.after,
  after: change.before,
})

const withValue = (model: unknown, path: readonly string[], value: unknown): unknown => {
  const [key, ...rest] = path
  if (key === undefined) return value
  const map = model instanceof Map ? (model as Model) : new Map()
  return new Map(map).set(key, withValue(map.get(key), rest, value)) // a copy: an alias elsewhere keeps the old value
}

const valueAt = (model: unknown, path: readonly string[]): unknown =>
  path.reduce((at, key) => (at instanceof Map ? at.get(key) : undefined), model)

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
    const pathOf = ({ cluster, key }: FieldChange) => ['clusters', cluster, key]
    const expected = changes.reduce<unknown>(
      (model, change) => withValue(model, pathOf(change), change.after),
      from,
    )
    const found =
      from && changes.every(change => isDeepStrictEqual(valueAt(from, pathOf(change)), change.before))
    if (found && to && isDeepStrictEqual(to, expected)) continue
    throw new KmigError(
      'DISCOVERY_INVALID',
      `${path}: the edit would change more than ${changes.map(c => `${c.key} of ${c.cluster}`).join(', ')} under YAML ${version}`,
      { try: ['look for an anchor or a merge key that ties entries together, and write the values out'] },
    )
  }
}
