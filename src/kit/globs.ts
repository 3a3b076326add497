const quote = (text: string): string => text.replace(/[.+^${}()|[\]\\]/g, '\\$&')

/** `*` any run of characters, `?` one; the whole name must match. */
export const globToRegExp = (glob: string): RegExp =>
  new RegExp(`^${quote(glob).replaceAll('*', '.*').replaceAll('?', '.')}$`)

/** Whether a name is chosen: matched by one of `include` (all if none is given) and by none of `exclude`. */
export const chooser = (include: readonly string[] = [], exclude: readonly string[] = []) => {
  const yes = include.map(globToRegExp)
  const no = exclude.map(globToRegExp)
  return (name: string): boolean =>
    (yes.length === 0 || yes.some(r => r.test(name))) && !no.some(r => r.test(name))
}
