import type { During } from '../kit/index.ts'
import { type Acl, getAcl, joinPath, must, OPEN_ACL } from '../zookeeper/index.ts'
import { AclTable } from './acls.ts'
import type { End } from './ensembles.ts'
import { bucketOf, type Digest, digestOf, Fingerprint } from './fingerprint.ts'
import { KEEP_NOTHING, type Keep, nextSequence } from './keep.ts'
import { OneEnsemble } from './one-ensemble.ts'
import { type Scanned, scan } from './scan.ts'
import { note, type Paths, paths } from './tally.ts'
import { unmasked } from './unmasked.ts'

/**
 * full: each znode's own ACL. uniform, open: what a copy by that mode must have on the target; the source's are unread.
 * ignore: none.
 */
export const VERIFY_ACL_MODES = ['full', 'uniform', 'open', 'ignore'] as const
export type VerifyAclMode = (typeof VERIFY_ACL_MODES)[number]

export type VerifySide = {
  address: string
  znodes: number
  bytes: number
  /** Not compared. */
  ephemerals: number
  fingerprint: string
  /** Znodes written after the comparison began: what was found for them is no proof. */
  written: number
}
export type VerifyReport = {
  acl: VerifyAclMode
  from: VerifySide
  to: VerifySide
  equal: boolean
  /** On both sides, with other data or another ACL. */
  differing: Paths
  /** On the source only. */
  missing: Paths
  /** On the target only. */
  extra: Paths
  elapsedMs: number
}
export type VerifyEvent = { kind: 'progress'; from: number; to: number }
export type VerifyOptions = During<VerifyEvent> & {
  from: End
  to: End
  acl: VerifyAclMode
  /** What is compared besides data and ACL: versions, counters. Default nothing. */
  keep?: Keep | undefined
  withinMs?: number | undefined
}

type Side = {
  ensemble: OneEnsemble
  /** The credentials' flag. */
  flag: string
  /** zxid when the comparison began. */
  began: bigint
  readAcls: boolean
  /** What stands for ACLs that are not read. */
  given: Acl | undefined
  keep: Keep
}
type Seen = Omit<VerifySide, 'address' | 'fingerprint'> & { fingerprint: Fingerprint }

/**
 * Reads both trees, each by itself and not by what the other has, and compares path, data and ACL of every znode that is
 * no ephemeral. Shares no code with what decides in a copy. Throws ZK_NO_NODE, ZK_NO_AUTH,
 * ZK_MASKED_ACL, UNREACHABLE.
 */
export const verify = async (options: VerifyOptions): Promise<VerifyReport> => {
  const { acl, signal, withinMs, on, keep = KEEP_NOTHING } = options
  const startedAt = performance.now()
  await using source = await OneEnsemble.open(options.from, { signal, withinMs })
  await using target = await OneEnsemble.open(options.to, { signal, withinMs })
  await Promise.all([source.mustHaveRoot(), target.mustHaveRoot()])
  const [begun, begunThere] = await Promise.all([source.sync(signal), target.sync(signal)])
  const given = acl === 'uniform' ? await rootAcl(source) : acl === 'open' ? OPEN_ACL : undefined
  const readAcls = acl === 'full'
  const from: Side = { ensemble: source, flag: '--from-auth', began: begun, readAcls, given, keep }
  const to: Side = {
    ensemble: target,
    flag: '--to-auth',
    began: begunThere,
    readAcls: acl !== 'ignore',
    given: undefined,
    keep,
  }
  const progress = { from: 0, to: 0 }
  const tell = (side: 'from' | 'to') => (count: number) => {
    progress[side] = count
    on?.({ kind: 'progress', ...progress })
  }
  const seen = await both(read(from, { signal, tell: tell('from') }), read(to, { signal, tell: tell('to') }))
  const buckets = seen[0].fingerprint.differing(seen[1].fingerprint)
  const found = await name(from, to, { buckets, signal })
  return {
    acl,
    from: sideReport(source, seen[0]),
    to: sideReport(target, seen[1]),
    equal: buckets.size === 0,
    ...found,
    elapsedMs: Math.round(performance.now() - startedAt),
  }
}

/** The ACL, and behind it what else of a znode is compared. */
const kept = ({ path, stat }: Scanned, acl: Acl | undefined, keep: Keep): Acl | undefined => {
  if (keep.name === '') return acl
  const more = Buffer.alloc(8)
  if (keep.versions(path)) more.writeInt32BE(stat.version, 0)
  if (keep.sequence(path)) more.writeInt32BE(nextSequence(stat), 4)
  return Buffer.concat([acl ?? Buffer.alloc(0), more]) as Acl
}

const sideReport = ({ name: address }: OneEnsemble, { fingerprint, ...seen }: Seen): VerifySide => ({
  address,
  ...seen,
  fingerprint: fingerprint.toString(),
})

/** Both, or the first failure once both have ended: their sessions are closed then. */
const both = async <A, B>(a: Promise<A>, b: Promise<B>): Promise<[A, B]> => {
  await Promise.allSettled([a, b])
  return [await a, await b]
}

const read = async (
  { ensemble, flag, began, readAcls, given, keep }: Side,
  { signal, tell }: { signal: AbortSignal; tell(znodes: number): void },
): Promise<Seen> => {
  const seen: Seen = { znodes: 0, bytes: 0, ephemerals: 0, written: 0, fingerprint: new Fingerprint() }
  const { reader, end } = ensemble
  const table = new AclTable()
  for await (const group of scan({ reader, root: end.chroot, withAcls: readAcls, signal })) {
    for (const node of group) {
      if (node.stat.ephemeral) {
        seen.ephemerals++
        continue
      }
      seen.znodes++
      seen.bytes += node.data?.length ?? 0
      if (node.stat.mzxid > began) seen.written++
      const path = joinPath(end.chroot, node.path)
      const acl = node.acl ? unmasked(table, node.acl, { path, flag }) : given
      seen.fingerprint.add(node.path, digestOf(node, kept(node, acl, keep)))
    }
    tell(seen.znodes)
  }
  return seen
}

/** The paths that make two sums differ: only their buckets are kept in memory. */
const name = async (
  from: Side,
  to: Side,
  { buckets, signal }: { buckets: ReadonlySet<number>; signal: AbortSignal },
): Promise<Pick<VerifyReport, 'differing' | 'missing' | 'extra'>> => {
  const found = { differing: paths(), missing: paths(), extra: paths() }
  if (buckets.size === 0) return found
  const collect = async ({ ensemble: { reader, end }, readAcls, given, keep }: Side) => {
    const digests = new Map<string, Digest>()
    for await (const group of scan({ reader, root: end.chroot, withAcls: readAcls, signal })) {
      for (const node of group) {
        if (node.stat.ephemeral || !buckets.has(bucketOf(node.path))) continue
        digests.set(node.path, digestOf(node, kept(node, node.acl ?? given, keep)))
      }
    }
    return digests
  }
  const [here, there] = await both(collect(from), collect(to))
  for (const path of [...new Set([...here.keys(), ...there.keys()])].sort()) {
    const [a, b] = [here.get(path), there.get(path)]
    if (!b) note(found.missing, path)
    else if (!a) note(found.extra, path)
    else if (a !== b) note(found.differing, path)
  }
  return found
}

const rootAcl = async ({ writer, end }: OneEnsemble): Promise<Acl> => {
  const answer = await writer.call(getAcl, { path: end.chroot })
  return Buffer.from(must(answer, `read the ACL of ${end.chroot}`).acl) as Acl
}
