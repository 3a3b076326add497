import { parseAclMap } from './acl-map.ts'
import type { AclMode } from './acls.ts'
import { parseMaxDelete } from './delete.ts'
import { endOf } from './end.ts'
import { pathFilter } from './filter.ts'
import { type KeepArguments, keepOf } from './keep-arguments.ts'
import type { ZkCopyOptions } from './options.ts'
import { parseRate } from './rate.ts'
import { parseSince } from './since.ts'

/** What a user writes, by the names of the flags; `from` and `to` are connect strings. */
export type ZkCopyArguments = KeepArguments & {
  from: string
  to: string
  'from-auth'?: string | undefined
  'to-auth'?: string | undefined
  since?: string | undefined
  overlap: number
  state?: string | undefined
  backup?: string | undefined
  batch: number
  rate?: readonly string[] | undefined
  tail: boolean
  'until-quiet'?: number | undefined
  acl: AclMode
  'acl-map'?: readonly string[] | undefined
  include?: readonly string[] | undefined
  exclude?: readonly string[] | undefined
  preset?: 'kafka' | undefined
  live?: boolean | undefined
  delete: boolean
  'max-delete': string
  check: boolean
  'jute-maxbuffer': number
}

/** Reads what the flags say. Throws ZK_CONNECT_STRING, USAGE. */
export const zkcopyOptions = (flags: ZkCopyArguments): Omit<ZkCopyOptions, 'signal' | 'on'> => {
  const upTo = parseMaxDelete(flags['max-delete'])
  const from = endOf(flags.from, flags['from-auth'])
  return {
    from,
    to: endOf(flags.to, flags['to-auth']),
    sinceMs: flags.since === undefined ? undefined : parseSince(flags.since),
    overlapMs: flags.overlap,
    filter: pathFilter(flags.include, flags.exclude),
    state: flags.state,
    backup: flags.backup,
    batch: flags.batch,
    rate: parseRate(flags.rate),
    tail: flags.tail ? { untilQuietMs: flags['until-quiet'] } : undefined,
    acl: flags.acl,
    aclMap: parseAclMap(flags['acl-map']),
    preset: flags.preset && { kind: flags.preset, live: flags.live ?? false },
    keep: keepOf(flags, from.chroot),
    check: flags.check,
    deleteUpTo: flags.delete ? upTo : undefined,
    juteMaxBuffer: flags['jute-maxbuffer'],
  }
}
