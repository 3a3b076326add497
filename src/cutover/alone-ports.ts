import { yamlDirectory } from '../discovery/index.ts'
import { type Cluster, groupOffsets, listGroups, partitionKey } from '../kafka/index.ts'
import { chooser, type During } from '../kit/index.ts'
import { takenBack } from '../mirror/index.ts'
import type { AlonePorts } from './back-alone.ts'
import { readDocument } from './document.ts'
import { hookDriver } from './driver-hook.ts'
import { manualDriver } from './driver-manual.ts'
import type { CutoverEvent } from './events.ts'
import { liveClock } from './live.ts'
import type { OpenRunOptions } from './open-run.ts'
import { releaseAlone } from './release-alone.ts'
import type { Run } from './run-directory.ts'
import { runHooks } from './run-hooks.ts'
import { type SeenNext, seenNext } from './seen-next.ts'
import { endsOf, type Switched } from './states.ts'

/** The old cluster and real files, for a way back with the new cluster gone. */
export const alonePorts = (
  { run, old }: { run: Run; old: Cluster },
  options: OpenRunOptions & During<CutoverEvent>,
): AlonePorts => {
  const { hooks: own, hookTimeoutMs, env = {}, signal, on } = options
  const { directory, header } = run
  const document = readDocument(directory)
  const hooks = runHooks(run, {
    directory: own ?? document?.hooksDirectory ?? undefined,
    ...{ timeoutMs: hookTimeoutMs, env, signal, on },
  })
  const topics = [...new Set(document?.topics.map(({ topic }) => topic) ?? [])]
  // ACLs and settings are made on the cluster that is gone
  const driver =
    document?.strategy.driver === 'hook' ? hookDriver('new', topics, hooks) : manualDriver('new', topics)
  return {
    clock: liveClock(signal),
    hooks,
    discovery: yamlDirectory(header.discovery, { journalDir: directory }),
    fences: {
      plan: () => driver.plan(),
      engage: async plan => {
        if (plan.driver === driver.name) await driver.engage(plan)
      },
      release: async plans => {
        const gone = plans.filter(plan => plan.side === 'new' && !ANYWHERE.has(plan.driver))
        await releaseAlone(
          plans.filter(plan => !gone.includes(plan)),
          run.record,
          options,
        )
        return gone.flatMap(({ actions }) => actions.map(({ inverse }) => `on the new cluster: ${inverse}`))
      },
    },
    missing: async was => {
      const of = { target: old, name: header.mirror, run: run.id, signal }
      const there = was.reverse ? await takenBack(of) : new Map()
      const switchedMs = run.states.findLast(({ state }) => state.at === 'files-written')?.atMs
      return missingText(was, there, seenNext(directory) ?? { atMs: switchedMs ?? Date.now(), ends: {} })
    },
    groups: async was => ({
      groups: 0,
      partitions: 0,
      left: await groupsThatStay(old, was, header.groups, { signal }),
    }),
  }
}

/** Drivers that need no cluster. */
const ANYWHERE: ReadonlySet<string> = new Set(['manual', 'hook'])

/** What the old cluster lacks of each partition: what was seen of it, and that nobody knows what came after. */
export const missingText = (
  { next }: Pick<Switched, 'next'>,
  there: ReadonlyMap<string, bigint>,
  { atMs, ends }: SeenNext,
): string[] => {
  const at = new Date(atMs).toISOString()
  return [...endsOf(next)].map(([where, cut]) => {
    const from = there.get(where) ?? cut
    const to = BigInt(ends[where] ?? 0)
    return to > from
      ? `${where}: ${from}-${to - 1n} (seen there at ${at}; whatever came after is not known)`
      : `${where}: from ${from} on (nothing was seen there up to ${at}; whatever came after is not known)`
  })
}

/** Groups of partitions that moved: what they have read on the new cluster is not known. */
const groupsThatStay = async (
  old: Cluster,
  { cut }: Pick<Switched, 'cut'>,
  chosen: readonly string[],
  { signal }: During,
): Promise<{ group: string; why: string }[]> => {
  const is = chooser(chosen)
  const found = (await listGroups(old, { signal })).filter(
    ({ groupId, protocolType }) => is(groupId) && (protocolType === 'consumer' || protocolType === ''),
  )
  const committed = await groupOffsets(
    old,
    found.map(({ groupId }) => groupId),
    { signal, refused: () => {} },
  )
  const why =
    'it goes on where it stood at the cut, and reads again what it has read on the new cluster since'
  return [...committed].flatMap(([group, rows]) =>
    rows.some(({ topic, partition }) => partitionKey(topic, partition) in cut) ? [{ group, why }] : [],
  )
}
