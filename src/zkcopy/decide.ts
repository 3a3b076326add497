import { KmigError } from '../kit/index.ts'
import { joinPath, MULTI_BYTES, opBytes } from '../zookeeper/index.ts'
import type { Change } from './change.ts'
import type { Look, LookOptions } from './look.ts'
import { note, unnote } from './tally.ts'
import type { Place } from './walk.ts'

type DecideOptions = Pick<LookOptions, 'to' | 'tally' | 'filter' | 'maxBytes' | 'ancestors'>

/**
 * What must change on the target for one znode, with the parents that waited for it. Throws ZK_EPHEMERAL, ZK_OVERSIZE.
 */
export const decide = (options: DecideOptions, found: Look): Change[] => {
  const { to, tally } = options
  const { place, node, selected, acl, there } = found
  const path = joinPath(to.root, place.path)
  if (!place.onTarget) {
    const create = sized(options, { kind: 'create', path, data: node.data, acl })
    if (selected) return [...release(options, place.parent), create]
    if (options.filter.includes(place.path)) note(tally.missing, path)
    place.waiting = create
    return []
  }
  if (!selected || !there) return []
  if (there.stat.ephemeral) {
    throw new KmigError(
      'ZK_EPHEMERAL',
      `${path} on the target is an ephemeral of session 0x${hex(there.stat.ephemeralOwner)}`,
      {
        try: [
          'stop the program that registered it there',
          'or copy into a root that no running program uses: --to HOST:PORT/ROOT',
        ],
      },
    )
  }
  const newAcl = there.acl !== undefined && there.acl !== acl ? acl : undefined
  if (sameData(node.data, there.data)) {
    if (newAcl) return [{ kind: 'acl', path, acl: newAcl, aversion: there.stat.aversion }]
    tally.unchanged++
    return []
  }
  const set = sized(options, { kind: 'set', path, data: node.data, version: there.stat.version, acl })
  return newAcl ? [set, { kind: 'acl', path, acl: newAcl, aversion: there.stat.aversion }] : [set]
}

/** Bytes equal; no data at all is not the same as none of length 0. */
export const sameData = (a: Buffer | null, b: Buffer | null): boolean =>
  a === null || b === null ? a === b : a.equals(b)

const release = ({ tally, to, filter, ancestors }: DecideOptions, place: Place | undefined): Change[] => {
  const changes: Change[] = []
  for (let up = place; up?.waiting; up = up.parent) {
    changes.unshift(up.waiting)
    if (filter.includes(up.path)) unnote(tally.missing, joinPath(to.root, up.path))
    up.waiting = undefined
  }
  return [...ancestors.splice(0), ...changes]
}

const sized = ({ maxBytes }: DecideOptions, change: Extract<Change, { kind: 'create' | 'set' }>): Change => {
  const bytes = opBytes(change) + MULTI_BYTES
  if (bytes <= maxBytes) return change
  throw new KmigError(
    'ZK_OVERSIZE',
    `${change.path} needs a request of ${bytes} bytes (data: ${change.data?.length ?? 0}), the target takes ${maxBytes}`,
    {
      try: [
        'raise jute.maxbuffer on the target servers, and then --jute-maxbuffer to the same number',
        'or leave the znode out',
      ],
    },
  )
}

const hex = (n: bigint): string => BigInt.asUintN(64, n).toString(16)
