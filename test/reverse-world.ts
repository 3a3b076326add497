import { expect, onTestFailed } from 'vitest'
import { type Cluster, commitOffsets, groupOffsets, partitionKey, partitionOf } from '../src/kafka/index.ts'
import { Offset, parseBootstrap } from '../src/kit/index.ts'
import { eventText, type MirrorEvent, ReverseMirror, type ReverseOptions } from '../src/mirror/index.ts'
import type { MirrorWorld } from './mirror-world.ts'

/** What each lane of a way back does: where one that never ends stands. */
export const lanesText = ({ lanes }: ReverseMirror): string =>
  lanes
    .map(lane => {
      const { where, phase, acked, wanted, sourceEnd, sourceStable, flying, held, idle, keeps, fillable } =
        lane
      const at = phase.at === 'doubt' ? `doubt (${phase.why})` : phase.at
      const ends = `acked ${acked}, wanted ${wanted} of ${sourceStable}/${sourceEnd}, target ${lane.place.target}`
      const work = `flying ${flying}, held ${held}, idle ${idle}, keeps ${keeps}, fillable ${fillable}`
      return `${where}: ${at}, ${ends}, ${work}, setbacks ${lane.setbacks}`
    })
    .join('\n')

/** The way back of a mirror of this world, in this process. A test that fails tells what its lanes did, and what it said last. */
export const wayBack = async (
  world: MirrorWorld,
  name: string,
  run: string,
  more: Partial<ReverseOptions> = {},
): Promise<ReverseMirror> => {
  const said: string[] = []
  const tell = (event: MirrorEvent) => {
    world.events.push(event)
    if (event.kind === 'lapsed' || event.kind === 'share') said.push(`${clock()} ${JSON.stringify(event)}`)
    else if (event.kind !== 'progress') said.push(`${clock()} ${eventText(event) ?? event.kind}`)
  }
  const { signal = AbortSignal.timeout(240_000) } = more
  const reverse = await ReverseMirror.open({
    from: { name: 'new', bootstrap: parseBootstrap(world.bootstrap('new')) },
    to: { name: 'old', bootstrap: parseBootstrap(world.bootstrap('old')) },
    name,
    run,
    groups: [`${name}-*`],
    stateDir: world.stateDir,
    on: tell,
    ...more,
    signal,
  })
  // as they were then: closing connections makes them doubt
  signal.addEventListener('abort', () => said.push(`${clock()} called off: ${lanesText(reverse)}`), {
    once: true,
  })
  onTestFailed(() => {
    const lines = [lanesText(reverse), ...said.slice(-60)]
    process.stderr.write(`way back of ${name} at ${clock()}:\n${lines.join('\n')}\n`)
  })
  return reverse
}

const clock = (): string => new Date().toISOString().slice(11, 23)

/** Where the old cluster ends, as a cut; nobody writes. */
export const cutOf = async (world: MirrorWorld, topics: readonly string[]) =>
  new Map([...(await world.ends(world.old, topics))].map(([where, end]) => [where, { old: Offset(end) }]))

/** Sets a group that has no members, on one side. */
export const commit = async (
  cluster: Cluster,
  groupId: string,
  at: Readonly<Record<string, bigint>>,
): Promise<void> => {
  const rows = Object.entries(at).map(([where, offset]) => ({
    ...partitionOf(where),
    offset,
    metadata: null,
  }))
  const results = await commitOffsets(cluster, groupId, rows)
  expect(results.every(({ errorCode }) => errorCode === 0)).toBe(true)
}

/** What a group has committed, by `topic-partition`. */
export const committed = async (cluster: Cluster, groupId: string): Promise<Record<string, bigint>> => {
  const rows = (await groupOffsets(cluster, [groupId])).get(groupId) ?? []
  return Object.fromEntries(
    rows.map(({ topic, partition, offset }) => [partitionKey(topic, partition), offset]),
  )
}
