import { KmigError } from '../kit/index.ts'
import { type Acl, type Answer, CODE, joinPath, must } from '../zookeeper/index.ts'
import type { AclMode, AclTable } from './acls.ts'
import type { Change } from './change.ts'
import type { Filter } from './filter.ts'
import type { Keep } from './keep.ts'
import type { KnownAcls } from './known-acls.ts'
import { note, type Tally } from './tally.ts'
import type { Node, TreeReader } from './tree-reader.ts'
import type { Place } from './walk.ts'

export type Side = { reader: TreeReader; root: string }
export type LookOptions = {
  from: Side
  to: Side
  /** `root` is the ACL of every copy in all modes but `full`. */
  acls: { mode: AclMode; table: AclTable; root: Acl; known?: KnownAcls | undefined }
  filter: Filter
  /** Lowest modification time that is copied, ms; undefined copies all. */
  sinceMs: number | undefined
  /** All that the source had written by this zxid was copied before; undefined: nothing is known. */
  copiedBy: bigint | undefined
  /** Largest request that the target takes. */
  maxBytes: number
  tally: Tally
  /** Parents of the target root that it lacks; emptied with the first creation. */
  ancestors: Change[]
  keep: Keep
  /** Below the root: znodes whose counter of sequential children is kept. */
  counters: Set<string>
  /** Where paths that only the target has are collected, for --delete. */
  extras: string[] | undefined
}

/** One znode of the source, and what stands at its place on the target. */
export type Look = {
  place: Place
  node: Node
  /** Chosen by its path and its modification time. */
  selected: boolean
  /** What the copy must have. */
  acl: Acl
  /** Read only if it is chosen. `acl` only in mode `full`. */
  there: (Node & { acl: Acl | undefined }) | undefined
}

/** Reads a group of places on both sides, without their children. Ephemerals, and znodes that vanish meanwhile, are left out and counted. */
export const look = async (options: LookOptions, places: readonly Place[]): Promise<Look[]> => {
  const { from, to, acls, tally } = options
  const pathFrom = ({ place }: Look): string => joinPath(from.root, place.path)
  const pathTo = ({ place }: Look): string => joinPath(to.root, place.path)

  const read = await from.reader.data(places.map(({ path }) => joinPath(from.root, path)))
  const looks = places.flatMap((place, i) => sift(options, place, read[i] as Answer<Node>))

  const compared = looks.filter(({ selected, place }) => selected && place.onTarget)
  const full = acls.mode === 'full'
  const wantAcl = looks.filter(
    (found, i) =>
      (full &&
        !fromKnown(options, found) &&
        (found.selected || (!found.place.onTarget && found.node.stat.numChildren > 0))) ||
      (acls.mode === 'sample' && i === 0),
  )
  const [own, there, aclsThere] = await Promise.all([
    from.reader.acls(wantAcl.map(pathFrom)),
    to.reader.data(compared.map(pathTo)),
    to.reader.acls(full ? compared.map(pathTo) : []),
  ])

  const gone = new Set<Look>()
  const unlessGone = <T>(found: Look, answer: Answer<T> | undefined): T | undefined => {
    if (answer?.code !== CODE.NoNode) return must(answer as Answer<T>, `read ${pathFrom(found)}`)
    gone.add(found)
    return undefined
  }
  for (const [i, found] of wantAcl.entries()) {
    const acl = unlessGone(found, own[i])?.acl
    if (acl) found.acl = acls.table.internSource(acl, pathFrom(found))
    if (acl && !full && found.acl !== acls.root) throw differs(pathFrom(found), pathFrom(looks[0] as Look))
  }
  for (const [i, found] of compared.entries()) {
    const node = absentIsFine(there[i] as Answer<Node>, pathTo(found))
    const acl = full ? absentIsFine(aclsThere[i] as Answer<{ acl: Acl }>, pathTo(found))?.acl : undefined
    found.place.onTarget = node !== undefined && (acl !== undefined || !full)
    if (node && found.place.onTarget) found.there = { ...node, acl: acl && acls.table.intern(acl) }
  }

  for (const found of gone) note(tally.vanished, pathFrom(found))
  return looks.filter(found => !gone.has(found))
}

/** Whether the ACL was read before and can't have changed since; the copy's is set then. */
const fromKnown = ({ acls, from }: LookOptions, found: Look): boolean => {
  const own = acls.known?.of(found.place.path, found.node.stat)
  if (own) found.acl = acls.table.internSource(own, joinPath(from.root, found.place.path))
  return own !== undefined
}

const sift = (options: LookOptions, place: Place, answer: Answer<Node>): Look[] => {
  const { tally, from, filter } = options
  const path = joinPath(from.root, place.path)
  if (answer.code === CODE.NoNode) {
    note(tally.vanished, path)
    return []
  }
  const node = must(answer, `read ${path} of ${from.reader.address}`)
  tally.scanned++
  tally.scannedBytes += node.data?.length ?? 0
  if (node.stat.ephemeral) {
    tally.ephemerals++
    return []
  }
  const { mtimeMs } = node.stat
  tally.maxMtimeMs = Math.max(tally.maxMtimeMs, mtimeMs)
  const selected = filter.includes(place.path) && isDue(options, place, node)
  if (selected) tally.selected++
  if (place.onTarget) tally.onTarget++
  return [{ place, node, selected, acl: options.acls.root, there: undefined }]
}

/**
 * Whether a znode is to be compared. By a watermark: if it was written after it, or is absent on the target, or its ACL
 * was ever set, as setting it moves no zxid that a Stat tells.
 */
const isDue = ({ sinceMs, copiedBy, acls }: LookOptions, place: Place, { stat }: Node): boolean => {
  if (sinceMs === undefined && copiedBy === undefined) return true
  if (sinceMs !== undefined && stat.mtimeMs >= sinceMs) return true
  if (copiedBy === undefined) return false
  return !place.onTarget || stat.mzxid > copiedBy || (acls.mode === 'full' && stat.aversion > 0)
}

const absentIsFine = <T>(answer: Answer<T>, path: string): T | undefined =>
  answer.code === CODE.NoNode ? undefined : must(answer, `read ${path} of the target`)

const differs = (path: string, root: string): KmigError =>
  new KmigError('PREFLIGHT', `--acl sample: the ACL of ${path} is not that of ${root}`, {
    try: ['copy every ACL with --acl full', 'or give all copies the ACL of the root with --acl uniform'],
  })
