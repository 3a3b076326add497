import { joinPath } from '../zookeeper/index.ts'
import { type Keep, keeping } from './keep.ts'
import { parseTtl, readTypes } from './types.ts'

/** What a user writes, by the names of the flags. */
export type KeepArguments = {
  'preserve-versions'?: boolean | undefined
  'preserve-sequence'?: readonly string[] | undefined
  container?: readonly string[] | undefined
  ttl?: readonly string[] | undefined
  'types-from'?: string | undefined
}

/** Throws USAGE. */
export const keepOf = (flags: KeepArguments, root: string): Keep => {
  const { container = [], ttl = [], 'types-from': file } = flags
  const types = file === undefined ? undefined : readTypes(file)
  return keeping({
    versions: flags['preserve-versions'] ?? false,
    sequence: flags['preserve-sequence'] ?? [],
    rules: [...container.map(glob => ({ glob, type: { kind: 'container' } as const })), ...ttl.map(parseTtl)],
    types: types && (path => types.get(joinPath(root, path))),
  })
}
