import { KmigError } from '../kit/index.ts'
import { ancestorsOf, CODE, exists, getAcl, must, OPEN_ACL } from '../zookeeper/index.ts'
import { AclTable } from './acls.ts'
import type { Change } from './change.ts'
import type { Ensembles } from './ensembles.ts'
import { pathFilter } from './filter.ts'
import { KEEP_NOTHING } from './keep.ts'
import { JUTE_MAXBUFFER, type ZkCopyOptions } from './options.ts'
import { newTally } from './tally.ts'
import type { WalkOptions } from './walk.ts'

/** Looks at both roots, and gives what the walk starts from. Throws ZK_NO_NODE, PREFLIGHT. Nothing is written. */
export const prepare = async (
  sides: Ensembles,
  options: ZkCopyOptions,
  copiedBy: bigint | undefined,
): Promise<WalkOptions> => {
  const { from, to, acl: mode = 'full', signal, deleteUpTo, overlapMs = 120_000 } = options
  const [source] = sides.from.sessions
  const [target] = sides.to.sessions
  if (!source || !target) throw new KmigError('BUG', 'an ensemble without a session')
  const rootStat = await source.call(exists, { path: from.chroot })
  if (rootStat.code === CODE.NoNode) {
    throw new KmigError('ZK_NO_NODE', `the source has no ${from.chroot} (${source.address})`, {
      try: ['check the chroot of --from: it is what follows the last port'],
    })
  }
  const stat = must(rootStat, `read ${from.chroot} of ${source.address}`)
  const own = from.chroot === '/' ? 1 : 0 // /zookeeper
  if (deleteUpTo && stat.numChildren <= own) {
    throw new KmigError(
      'PREFLIGHT',
      `the source has nothing below ${from.chroot}: --delete would empty the target`,
      {
        try: ['check --from; to empty a target on purpose, delete its root by hand'],
      },
    )
  }
  const table = new AclTable(options.aclMap)
  const readRootAcl = async () =>
    table.internSource(
      must(await source.call(getAcl, { path: from.chroot }), `read the ACL of ${from.chroot}`).acl,
      from.chroot,
    )
  const chain = [...ancestorsOf(to.chroot), to.chroot]
  const there = await Promise.all(chain.map(path => target.call(exists, { path })))
  const present = there.map(
    (answer, i) =>
      answer.code !== CODE.NoNode && must(answer, `read ${chain[i]} of ${target.address}`) !== null,
  )
  const ancestors: Change[] = chain
    .filter((path, i) => !present[i] && path !== to.chroot)
    .map(path => ({ kind: 'create', path, data: null, acl: OPEN_ACL }))
  return {
    from: { reader: sides.from, root: from.chroot },
    to: { reader: sides.to, root: to.chroot },
    start: { path: '/', parent: undefined, onTarget: present.at(-1) ?? false },
    acls: { mode, table, root: mode === 'open' ? OPEN_ACL : await readRootAcl() },
    filter: options.filter ?? pathFilter(),
    keep: options.keep ?? KEEP_NOTHING,
    counters: new Set(),
    sinceMs: options.sinceMs === undefined ? undefined : options.sinceMs - overlapMs,
    copiedBy,
    maxBytes: options.juteMaxBuffer ?? JUTE_MAXBUFFER,
    tally: newTally(),
    ancestors,
    extras: deleteUpTo && [],
    signal,
  }
}
