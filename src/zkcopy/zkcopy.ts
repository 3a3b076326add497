import { type Acl, belowPath, formatConnectString, type ZkSession } from '../zookeeper/index.ts'
import { commit } from './commit.ts'
import { deletions, guardDeletes } from './delete.ts'
import { Ensembles } from './ensembles.ts'
import type { ZkCopyOptions } from './options.ts'
import { paced } from './pace.ts'
import { prepare } from './prepare.ts'
import type { Report } from './report.ts'
import { keepState, type Resumed, resume } from './state.ts'
import { note } from './tally.ts'
import { type WalkOptions, walk } from './walk.ts'

/** The server's own proposal is larger than the request, and has a limit of 1 MiB too. */
const MULTI_LIMIT = 512 << 10
const PROGRESS_MS = 200

/**
 * Copies the znodes below one root to another: only what differs is written, nothing is deleted unless asked.
 * Throws ZK_NO_NODE (no source root), ZK_OVERLAP, ZK_EPHEMERAL, ZK_OVERSIZE, ZK_MASKED_ACL, ZK_NO_AUTH, ZK_CONFLICT,
 * ZK_TOO_MANY_DELETES, UNREACHABLE; the signal's reason when it is aborted, after outstanding writes.
 */
export const zkcopy = async (options: ZkCopyOptions): Promise<Report> => {
  const { from, to, signal, withinMs, on } = options
  const startedAt = performance.now()
  await using sides = await Ensembles.open(from, to, {
    signal,
    withinMs,
    on: (side, event) => on?.({ kind: 'connection', side, event }),
  })
  const watermark = await sides.sync()
  const heads = { source: sides.from.sessions[0] as ZkSession, target: sides.writer }
  const resumed = await resume(options, heads, watermark)
  if (resumed.use.kind === 'set-aside') on?.({ kind: 'state-set-aside', why: resumed.use.why })
  const plan = await prepare(sides, options, resumed.watermark)
  const { tally, acls } = plan
  using _ = telling(options, plan)
  if (options.check) await compare(plan)
  else await copy(sides, plan, options)
  const { maxMtimeMs, onTarget: _onTarget, ...counts } = tally
  const nextSince = Math.max(maxMtimeMs, options.sinceMs ?? 0)
  if (!options.check && complete(options, resumed)) await keepState(options, heads, { watermark, nextSince })
  return {
    from: formatConnectString(from),
    to: formatConnectString(to),
    check: options.check ?? false,
    aclMode: acls.mode,
    since: options.sinceMs ?? null,
    nextSince,
    state: resumed.use.kind,
    watermark,
    distinctAcls: acls.table.size,
    elapsedMs: Math.round(performance.now() - startedAt),
    ...counts,
  }
}

/** Whether all that the source had is on the target now: not after a first pass that --since had cut short. */
const complete = ({ sinceMs }: ZkCopyOptions, { watermark }: Resumed): boolean =>
  sinceMs === undefined || watermark !== undefined

const compare = async (plan: WalkOptions): Promise<void> => {
  for await (const changes of walk(plan)) {
    for (const { kind, path } of changes) note(plan.tally.differing, `${kind} ${path}`)
  }
}

const copy = async (sides: Ensembles, plan: WalkOptions, options: ZkCopyOptions): Promise<void> => {
  const { from, to, tally, signal } = plan
  const { mode, table, root } = plan.acls
  const committing = {
    session: sides.writer,
    target: sides.written,
    source: {
      from,
      toRoot: to.root,
      aclFor: (own: Acl, path: string): Acl => (mode === 'full' ? table.internSource(own, path) : root),
    },
    acls: mode === 'full' ? table : undefined,
    pace: paced(options.rate),
    limits: {
      ops: Math.min(options.batch ?? 500, options.rate ?? 1_000),
      bytes: Math.min(MULTI_LIMIT, plan.maxBytes),
    },
    tally,
    signal,
  }
  await commit(walk(plan), committing)
  if (!options.deleteUpTo || !plan.extras) return
  const spares = (path: string): boolean => {
    const below = belowPath(to.root, path)
    return plan.filter.excludes(below) || !plan.filter.includes(below)
  }
  const going = await deletions(sides.written, plan.extras, { spares, signal })
  guardDeletes(going.length, options.deleteUpTo, tally)
  await commit([going], committing)
}

/** Tells where the work stands, a few times a second. */
const telling = ({ on }: ZkCopyOptions, { tally }: WalkOptions): Disposable => {
  const tell = (): void => {
    const { scanned, created, updated, unchanged } = tally
    on?.({ kind: 'progress', scanned, created, updated, unchanged })
  }
  const timer = setInterval(tell, PROGRESS_MS)
  return {
    [Symbol.dispose]() {
      clearInterval(timer)
      tell()
    },
  }
}
