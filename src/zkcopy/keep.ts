import { globToRegExp, KmigError } from '../kit/index.ts'
import type { Stat, ZnodeType } from '../zookeeper/index.ts'

/** What a copy keeps besides data and ACL. Paths are below the root. */
export type Keep = {
  /** Whether its dataVersion is replayed. */
  versions(path: string): boolean
  /** Whether its counter of sequential children is. */
  sequence(path: string): boolean
  type(path: string): ZnodeType | undefined
  /** Tells one choice from another; empty for nothing. */
  readonly name: string
}
export const KEEP_NOTHING: Keep = {
  versions: () => false,
  sequence: () => false,
  type: () => undefined,
  name: '',
}

export type KeepChoice = {
  /** All, none, or those that match a glob. */
  versions: boolean | readonly string[]
  sequence: readonly string[]
  /** The first rule that fits is taken; what fits none has the type that `types` tells. */
  rules: readonly { glob: string; type: ZnodeType }[]
  types?: ((path: string) => ZnodeType | undefined) | undefined
}

/** Throws USAGE. */
export const keeping = ({ versions, sequence, rules, types }: KeepChoice): Keep => {
  const versioned = typeof versions === 'boolean' ? [] : versions.map(globToRegExp)
  for (const glob of [...sequence, ...rules.map(rule => rule.glob)]) mustMatchPaths(glob)
  const counters = sequence.map(globToRegExp)
  const typed = rules.map(({ glob, type }) => ({ glob: globToRegExp(glob), type }))
  return {
    versions: path => versions === true || versioned.some(glob => glob.test(path)),
    sequence: path => counters.some(glob => glob.test(path)),
    type: path => typed.find(({ glob }) => glob.test(path))?.type ?? types?.(path),
    name: versions || sequence.length > 0 ? JSON.stringify([versions, ...sequence]) : '',
  }
}

const mustMatchPaths = (glob: string): void => {
  if (/^[/*?]/.test(glob)) return
  throw new KmigError('USAGE', `'${glob}' matches no path: paths begin with / at the root of the copy`, {
    try: [`write /${glob} or */${glob}`],
  })
}

/** Most writes that one znode's version, or one parent's counter, is raised by in a run. */
export const RAISE_MOST = 100_000

/** How a znode must be created to have what is kept of its source: its type, and its dataVersion as far as it can be replayed. */
export const formOf = (
  keep: Keep,
  path: string,
  { version }: Pick<Stat, 'version'>,
): { type?: ZnodeType | undefined; upTo?: number | undefined } => ({
  type: keep.type(path),
  upTo: keep.versions(path) ? Math.min(Math.max(0, version), RAISE_MOST) : undefined,
})

/** The number that the next sequential child gets; a plain child moves it too. Negative once it has wrapped (int32). */
export const nextSequence = ({ cversion, numChildren }: Pick<Stat, 'cversion' | 'numChildren'>): number =>
  (cversion + numChildren) / 2
