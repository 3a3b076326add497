/** What nearly all paths are; a tenth of the time. */
const PLAIN = /^(?:\/[\w-]+)+$/

/** Why a path is none, or undefined. Source: org.apache.zookeeper.common.PathUtils.validatePath. */
export const pathFault = (path: string): string | undefined => {
  if (PLAIN.test(path)) return undefined
  if (!path.startsWith('/')) return 'it does not start with /'
  if (path === '/') return undefined
  if (path.endsWith('/')) return 'it ends with /'
  for (const name of path.slice(1).split('/')) {
    if (name === '') return 'it holds an empty name (//)'
    if (name === '.' || name === '..') return `it holds the relative name ${name}`
  }
  for (const char of path) {
    const at = char.codePointAt(0) ?? 0
    const control = at <= 0x1f || (at >= 0x7f && at <= 0x9f)
    if (control || (at >= 0xd800 && at <= 0xf8ff) || (at >= 0xfff0 && at <= 0xffff)) {
      return `it holds the character U+${at.toString(16).padStart(4, '0').toUpperCase()}`
    }
  }
  return undefined
}

/** `/kafka` and `/brokers/ids` give `/kafka/brokers/ids`; `/` is the neutral one on both sides. */
export const joinPath = (root: string, below: string): string =>
  root === '/' ? below : below === '/' ? root : root + below

/** The opposite: `/kafka/brokers` below `/kafka` is `/brokers`. */
export const belowPath = (root: string, path: string): string =>
  root === '/' ? path : path.slice(root.length) || '/'

export const childPath = (parent: string, name: string): string =>
  parent === '/' ? `/${name}` : `${parent}/${name}`

/** `/a/b/c` gives `/a` and `/a/b`: what must exist before it. */
export const ancestorsOf = (path: string): string[] => {
  const names = path.split('/').slice(1, -1)
  return names.map((_, i) => `/${names.slice(0, i + 1).join('/')}`)
}

/** Whether `path` is `root` or lies below it. */
export const isWithin = (root: string, path: string): boolean =>
  root === '/' || path === root || path.startsWith(`${root}/`)
