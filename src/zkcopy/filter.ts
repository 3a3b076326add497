import { globToRegExp, KmigError } from '../kit/index.ts'

/**
 * Which paths below the root are copied. An excluded one is left alone with all below it, on both sides. One that is
 * not included is only walked through, and made if something below it is copied.
 */
export type Filter = {
  readonly include: readonly string[]
  readonly exclude: readonly string[]
  includes(path: string): boolean
  excludes(path: string): boolean
}

/** Globs of paths below the root: `*` is any run of characters, slashes too. No include means all. Throws USAGE. */
export const pathFilter = (include: readonly string[] = [], exclude: readonly string[] = []): Filter => {
  const wrong = [...include, ...exclude].find(glob => !/^[/*?]/.test(glob))
  if (wrong !== undefined) {
    throw new KmigError('USAGE', `'${wrong}' matches no path: paths begin with / at the root of the copy`, {
      try: [`write /${wrong} or */${wrong}`],
    })
  }
  const yes = include.map(globToRegExp)
  const no = exclude.map(globToRegExp)
  return {
    include,
    exclude,
    includes: path => yes.length === 0 || yes.some(glob => glob.test(path)),
    excludes: path => no.some(glob => glob.test(path)),
  }
}
