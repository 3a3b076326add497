import { formatConnectString, type ZkSession } from '../zookeeper/index.ts'
import { Backup } from './backup.ts'
import type { Batch } from './change.ts'
import { compareCounters } from './counters.ts'
import { Ensembles } from './ensembles.ts'
import { postflight } from './kafka-postflight.ts'
import { preflight } from './kafka-preflight.ts'
import { clusterIdFirst, withPreset } from './kafka-preset.ts'
import { lookFirst } from './look-first.ts'
import type { ZkCopyOptions } from './options.ts'
import { prepare } from './prepare.ts'
import type { Report } from './report.ts'
import { SourceWatch } from './source-watch.ts'
import { keepState, type Resumed, resume } from './state.ts'
import { tail } from './tail.ts'
import { newTally, note } from './tally.ts'
import { telling } from './telling.ts'
import { type WalkOptions, walk } from './walk.ts'
import { addWrites, committingOf, pass } from './writing.ts'

/** With --tail: an election, or a server that is started anew, must not end what runs for hours. */
const LASTING_MS = 60_000

/**
 * Copies the znodes below one root to another: only what differs is written, nothing is deleted unless asked. With
 * `tail` it then follows what changes.
 * Throws ZK_NO_NODE (no source root), ZK_OVERLAP, ZK_EPHEMERAL, ZK_OVERSIZE, ZK_MASKED_ACL, ZK_NO_AUTH, ZK_CONFLICT,
 * ZK_TOO_MANY_DELETES, UNREACHABLE; the signal's reason when it is aborted before it follows, after outstanding writes.
 */
export const zkcopy = async (given: ZkCopyOptions): Promise<Report> => {
  const options = withPreset(given)
  const { from, to, signal, on, deleteUpTo } = options
  const startedAt = performance.now()
  const withinMs = { withinMs: options.withinMs, lastingMs: options.tail ? LASTING_MS : options.withinMs }
  await using sides = await Ensembles.open(from, to, {
    ...withinMs,
    signal,
    on: (side, event) => on?.({ kind: 'connection', side, event }),
  })
  // Before the bulk reads its first znode: what changes under it is told.
  const watching = options.tail && sides.from.batched ? { signal, withinMs: LASTING_MS } : undefined
  await using watch = watching && (await SourceWatch.open(from, watching))
  const watermark = await sides.sync(signal, watch?.session.lastZxid)
  const heads = { source: sides.from.sessions[0] as ZkSession, target: sides.writer }
  const resumed = await resume(options, heads, watermark)
  if (resumed.use.kind === 'set-aside') on?.({ kind: 'state-set-aside', why: resumed.use.why })
  const plan = await prepare(sides, options, resumed.watermark)
  const warnings = await preflight(plan, options)
  for (const text of warnings) on?.({ kind: 'warning', text })
  const { tally, acls } = plan
  const nextSince = (): number => Math.max(tally.maxMtimeMs, options.sinceMs ?? 0)
  const keep = (at: bigint) => keepState(options, heads, { watermark: at, nextSince: nextSince() })
  await using backup =
    options.backup === undefined
      ? undefined
      : await Backup.open(options.backup, { to, target: sides.written })
  const committing = {
    ...committingOf(sides, plan, options),
    before: backup && ((batch: Batch) => backup.before(batch)),
  }
  {
    using _ = telling(options, { plan, source: heads.source, counts: sides.from.batched })
    if (options.check) await compare(plan)
    else {
      const changes = lookFirst(plan, { target: sides.written, login: to, by: watermark })
      await pass(plan, {
        ...{ committing, deleteUpTo },
        changes: options.preset ? clusterIdFirst(plan, changes) : changes,
      })
    }
  }
  let reached = watermark
  if (!options.check && complete(options, resumed)) await keep(watermark)
  const followed =
    options.tail &&
    (await tail({
      ...{ plan, committing, deleteUpTo, watch, watermark, on, untilQuietMs: options.tail.untilQuietMs },
      rescan: async since => {
        const at = await sides.sync(signal, watch?.session.lastZxid)
        const own = newTally()
        const start = { path: '/', parent: undefined, onTarget: true }
        const again = {
          ...plan,
          start,
          tally: own,
          copiedBy: since,
          sinceMs: undefined,
          extras: deleteUpTo && [],
          counters: new Set<string>(),
        }
        await pass(again, { committing: { ...committing, tally: own }, deleteUpTo })
        return { watermark: at, written: addWrites(tally, own) }
      },
      keep: async at => {
        reached = at
        await keep(at)
      },
    }))
  const kafka = options.preset && {
    warnings,
    postflight: options.preset.live ? null : await postflight(plan),
  }
  const { maxMtimeMs: _, onTarget: _onTarget, ...counts } = tally
  return {
    from: formatConnectString(from),
    to: formatConnectString(to),
    check: options.check ?? false,
    aclMode: acls.mode,
    since: options.sinceMs ?? null,
    nextSince: nextSince(),
    state: resumed.use.kind,
    watermark: reached,
    distinctAcls: acls.table.size,
    elapsedMs: Math.round(performance.now() - startedAt),
    tail: followed ?? null,
    backup: backup?.report ?? null,
    kafka: kafka ?? null,
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
  await compareCounters(plan)
}
