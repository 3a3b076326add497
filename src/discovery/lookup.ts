import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { KmigError, messageOf } from '../kit/index.ts'

/** A directory of the lookup: its `<type>.yaml` files, or that it is not there (which readers don't mind). */
export type Looked = { path: string; why: string; found: boolean; types: string[] }

/** Who wins when readers ask for a type: by name the LAST directory that has it, in the list of all types the FIRST. */
export type TypeHits = { type: string; hits: string[]; byName: string; inList: string }

export type Lookup = {
  directories: Looked[]
  types: TypeHits[]
  /** What readers take that name no type: the one file of the first directory that holds exactly one. */
  withoutType: string | undefined
}

const typesIn = async (path: string): Promise<string[] | undefined> => {
  try {
    const entries = await readdir(path)
    return entries
      .filter(name => name.endsWith('.yaml') && !name.startsWith('.'))
      .map(name => name.slice(0, -'.yaml'.length))
      .sort()
  } catch (e) {
    const { code } = e as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined
    throw new KmigError('DISCOVERY_INVALID', `${path} can't be read: ${messageOf(e)}`, { cause: e })
  }
}

/** Who wins in which directory. Reads names only. Source: DISCOVERY.md 1, "Lookup". */
export const lookUp = async (places: readonly { path: string; why: string }[]): Promise<Lookup> => {
  const directories = await Promise.all(
    places.map(async ({ path, why }): Promise<Looked> => {
      const types = await typesIn(path)
      return { path, why, found: types !== undefined, types: types ?? [] }
    }),
  )
  const names = [...new Set(directories.flatMap(({ types }) => types))].sort()
  const only = directories.find(({ types }) => types.length === 1)
  return {
    directories,
    types: names.map(type => {
      const hits = directories.filter(d => d.types.includes(type)).map(d => join(d.path, `${type}.yaml`))
      return { type, hits, byName: hits.at(-1) ?? '', inList: hits[0] ?? '' }
    }),
    withoutType: only && join(only.path, `${only.types[0]}.yaml`),
  }
}
