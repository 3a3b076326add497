import { KmigError } from '../kit/index.ts'
import { joinPath, MULTI_BYTES } from '../zookeeper/index.ts'
import { type Change, opCount, stepBytes } from './change.ts'
import { formOf, RAISE_MOST } from './keep.ts'
import type { Look, LookOptions } from './look.ts'
import { note, unnote } from './tally.ts'
import type { Place } from './walk.ts'

type DecideOptions = Pick<
  LookOptions,
  'to' | 'tally' | 'filter' | 'maxBytes' | 'ancestors' | 'keep' | 'counters'
>

/**
 * What must change on the target for one znode, with the parents that waited for it. Throws ZK_EPHEMERAL, ZK_OVERSIZE.
 */
export const decide = (options: DecideOptions, found: Look): Change[] => {
  const { to, tally } = options
  const { place, node, selected, acl, there } = found
  const path = joinPath(to.root, place.path)
  if (options.keep.sequence(place.path)) options.counters.add(place.path)
  if (!place.onTarget) {
    const form = formOf(options.keep, place.path, node.stat)
    if (form.upTo !== undefined && form.upTo !== node.stat.version) note(tally.versionsLeft, path)
    const create = sized(options, { kind: 'create', path, data: node.data, acl, ...form })
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
  const step = writeOf(options, found, there)
  const acls: Change[] = newAcl ? [{ kind: 'acl', path, acl: newAcl, aversion: there.stat.aversion }] : []
  if (!step && !newAcl) tally.unchanged++
  if (!step) return acls
  return step.kind === 'remake' ? [sized(options, step)] : [sized(options, step), ...acls]
}

/** What brings data, and where it is kept the version, to what the source has; undefined if they are. */
const writeOf = (
  { to, tally, keep }: DecideOptions,
  { place, node, acl }: Look,
  there: NonNullable<Look['there']>,
): Sizable | undefined => {
  const path = joinPath(to.root, place.path)
  const { version } = there.stat
  const same = sameData(node.data, there.data)
  const want = node.stat.version
  const set = { kind: 'set', path, data: node.data, version, acl } as const
  if (!keep.versions(place.path)) return same ? undefined : set
  if (same && version === want) return undefined
  if (version >= 0 && version < want) {
    const upTo = Math.min(want, version + RAISE_MOST)
    if (upTo !== want) note(tally.versionsLeft, path)
    return { ...set, upTo }
  }
  if (want >= 0 && want <= RAISE_MOST && there.stat.numChildren === 0) {
    return { ...set, kind: 'remake', ...formOf(keep, place.path, node.stat) }
  }
  note(tally.versionsLeft, path)
  return same ? undefined : set
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

type Sizable = Extract<Change, { kind: 'create' | 'set' | 'remake' }>
const sized = ({ maxBytes }: DecideOptions, change: Sizable): Change => {
  const alone = opCount(change) === 1 ? change : { ...change, kind: 'create' as const, upTo: 0 }
  const bytes = stepBytes(alone) + MULTI_BYTES
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
