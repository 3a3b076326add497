import { type During, inFlight } from '../kit/index.ts'
import { type Answer, ancestorsOf, CODE, isWithin, joinPath, must, OPEN_ACL } from '../zookeeper/index.ts'
import { AclTable } from './acls.ts'
import type { Change } from './change.ts'
import { type CommitOptions, commit } from './commit.ts'
import { decide } from './decide.ts'
import type { Dumped } from './dump-format.ts'
import type { End } from './ensembles.ts'
import { pathFilter } from './filter.ts'
import { KEEP_NOTHING } from './keep.ts'
import { OneEnsemble } from './one-ensemble.ts'
import { JUTE_MAXBUFFER } from './options.ts'
import { type RestoreSource, removable, sourceOf } from './restore-source.ts'
import { newTally, note, type Paths, paths, type Tally } from './tally.ts'
import type { Node, TreeReader } from './tree-reader.ts'

export type RestoreReport = {
  file: string
  kind: 'dump' | 'backup'
  /** Where the dump was taken, with its root. */
  dumped: { from: string; root: string; at: string; zxid: string | null; znodes: number }
  to: string
  check: boolean
  created: number
  updated: number
  aclsSet: number
  unchanged: number
  /** Znodes that the copy had made, by `deleteCreated`. */
  deleted: number
  /** Znodes that the copy had made and that are still there. */
  left: Paths
  /** Of the dump; never restored. */
  ephemerals: number
  /** Would lie in /zookeeper of the target ensemble. */
  excluded: number
  multis: number
  repaired: number
  foreign: Paths
  /** Read back and not as in the dump; with `check`: what a restore would write. */
  differing: Paths
  elapsedMs: number
}
export type RestoreEvent = { kind: 'progress'; pass: 'write' | 'read back'; done: number; all: number }
export type RestoreOptions = During<RestoreEvent> & {
  file: string
  to: End
  /** Only compares: writes nothing. */
  check?: boolean | undefined
  /** Of a backup: removes what the copy had made. */
  deleteCreated?: boolean | undefined
  /** Operations per multi, 1-1000. Default 500. */
  batch?: number | undefined
  /** Default 1,048,575. */
  juteMaxBuffer?: number | undefined
  withinMs?: number | undefined
}
const READ_AHEAD = 4
/** As in a copy: the server's own proposal is larger than the request. */
const MULTI_BYTES_LIMIT = 512 << 10

/**
 * Brings the znodes of a dump back below a root: creates what lacks, sets what differs, deletes nothing, leaves
 * ephemerals alone, and reads all of it back. The file is read to its end before anything is written.
 * Throws USAGE, ZK_DUMP_DAMAGED, ZK_EPHEMERAL, ZK_OVERSIZE, ZK_MASKED_ACL, ZK_NO_AUTH, ZK_CONFLICT, UNREACHABLE.
 */
export const restore = async (options: RestoreOptions): Promise<RestoreReport> => {
  const { file, to, check = false, signal, withinMs } = options
  const startedAt = performance.now()
  const from = await sourceOf(options)
  await using ensemble = await OneEnsemble.open(to, { signal, withinMs })
  await ensemble.sync(signal)
  const work = newWork(ensemble, options, from)
  const gone = { left: paths() }
  if (!check) {
    const maxBytes = options.juteMaxBuffer ?? JUTE_MAXBUFFER
    const committing: CommitOptions = {
      session: ensemble.writer,
      target: ensemble.written,
      // A parent that somebody deletes meanwhile is not made again: what lies below it fails by name.
      source: {
        from: { reader: ensemble.written, root: to.chroot },
        toRoot: to.chroot,
        aclFor: own => own,
        keep: KEEP_NOTHING,
      },
      acls: work.table,
      limits: { ops: options.batch ?? 500, bytes: Math.min(MULTI_BYTES_LIMIT, maxBytes) },
      tally: work.tally,
      signal,
    }
    await commit(writing(work), committing)
    const going = await removable(ensemble, from.created, options)
    if (options.deleteCreated) await commit([going.changes], committing)
    gone.left = options.deleteCreated ? going.kept : going.all
    await ensemble.sync(signal)
  }
  const read = await readBack(work)
  if (check) {
    const going = await removable(ensemble, from.created, options)
    gone.left = going.all
    if (options.deleteCreated) for (const { path } of going.changes) note(work.differing, `delete ${path}`)
  }
  const { created, updated, aclsSet, unchanged, multis, repaired, foreign } = check ? read : work.tally
  return {
    file,
    kind: from.kind,
    dumped: from.dumped,
    to: ensemble.name,
    check,
    ...{ created, updated, aclsSet, unchanged, ephemerals: work.ephemerals, excluded: work.excluded },
    ...{ multis, repaired, foreign, differing: work.differing, deleted: work.tally.deleted, left: gone.left },
    elapsedMs: Math.round(performance.now() - startedAt),
  }
}

const newWork = (ensemble: OneEnsemble, options: RestoreOptions, from: RestoreSource) => ({
  ensemble,
  options,
  from,
  all: from.dumped.znodes,
  root: options.to.chroot,
  table: new AclTable(),
  tally: newTally(),
  differing: paths(),
  ephemerals: 0,
  excluded: 0,
})
type Work = ReturnType<typeof newWork>

/** Groups of the dump's znodes that are to be restored, as many as one read takes. */
async function* groups(work: Work, pass: 'write' | 'read back'): AsyncGenerator<Dumped[], void> {
  const { options, root, all } = work
  let [group, done]: [Dumped[], number] = [[], 0]
  work.ephemerals = 0
  work.excluded = 0
  for await (const node of work.from.nodes()) {
    options.signal.throwIfAborted()
    done++
    if (node.stat.ephemeral) work.ephemerals++
    else if (isWithin('/zookeeper', joinPath(root, node.path))) work.excluded++
    else group.push(node)
    if (group.length < work.ensemble.reader.batch) continue
    options.on?.({ kind: 'progress', pass, done, all })
    yield group
    group = []
  }
  options.on?.({ kind: 'progress', pass, done, all })
  if (group.length > 0) yield group
}

/** What the target has at the places of these znodes. */
const look = async (
  { root, table }: Work,
  { reader, nodes }: { reader: TreeReader; nodes: readonly Dumped[] },
) => {
  const places = nodes.map(({ path }) => joinPath(root, path))
  const absentIsFine = <T>(answer: Answer<T>, path: string): T | undefined =>
    answer.code === CODE.NoNode ? undefined : must(answer, `read ${path} of the target`)
  const data = await reader.data(places)
  const present = places.filter((_, i) => data[i]?.code === CODE.Ok) // a request per ACL: not for what is not there
  const read = await reader.acls(present)
  const acls = new Map(present.map((path, i) => [path, read[i] as (typeof read)[number]]))
  return nodes.map((node, i) => {
    const path = places[i] as string
    const found = absentIsFine(data[i] as Answer<Node>, path)
    const answer = acls.get(path)
    const acl = answer && absentIsFine(answer, path)?.acl
    return { node, there: found && acl ? { ...found, acl: table.intern(acl) } : undefined }
  })
}

type Looks = Awaited<ReturnType<typeof look>>

/** Groups are read ahead of the one that is decided on. */
const looksOf = (work: Work, pass: 'write' | 'read back') => {
  const { reader } = work.ensemble
  return inFlight(groups(work, pass), READ_AHEAD, nodes => look(work, { reader, nodes }), work.options.signal)
}

/** Made by what decides in a copy, with the dump in the place of the source. */
const changesOf = (work: Work, { looks, tally }: { looks: Looks; tally: Tally }): Change[] => {
  const { root, table, options } = work
  const maxBytes = options.juteMaxBuffer ?? JUTE_MAXBUFFER
  const deciding = {
    to: { reader: work.ensemble.reader, root },
    filter: pathFilter(),
    keep: KEEP_NOTHING,
    counters: new Set<string>(),
    tally,
    maxBytes,
    extras: undefined,
    ancestors: [],
  }
  return looks.flatMap(({ node: { path, data, stat, acl }, there }) =>
    decide(deciding, {
      place: { path, parent: undefined, onTarget: there !== undefined },
      node: { data, stat },
      selected: true,
      acl: table.intern(acl),
      there,
    }),
  )
}

async function* writing(work: Work): AsyncGenerator<Change[], void> {
  const { ensemble, root } = work
  const above = ancestorsOf(root)
  const there = await ensemble.written.data(above)
  yield above
    .filter((_, i) => there[i]?.code === CODE.NoNode)
    .map(path => ({ kind: 'create', path, data: null, acl: OPEN_ACL }))
  for await (const looks of looksOf(work, 'write')) {
    yield changesOf(work, { looks, tally: work.tally })
  }
}

/** Notes what is not as in the dump, and gives what was counted meanwhile. */
const readBack = async (work: Work): Promise<Tally> => {
  const tally = newTally()
  for await (const looks of looksOf(work, 'read back')) {
    for (const { kind, path } of changesOf(work, { looks, tally })) note(work.differing, `${kind} ${path}`)
  }
  return tally
}
