import { expect } from 'vitest'
import { type Cluster, commitOffsets, groupOffsets, partitionKey, partitionOf } from '../src/kafka/index.ts'
import { Offset, parseBootstrap } from '../src/kit/index.ts'
import { type MirrorEvent, ReverseMirror, type ReverseOptions } from '../src/mirror/index.ts'
import type { MirrorWorld } from './mirror-world.ts'

/** The way back of a mirror of this world, in this process. */
export const wayBack = (
  world: MirrorWorld,
  name: string,
  run: string,
  more: Partial<ReverseOptions> = {},
): Promise<ReverseMirror> =>
  ReverseMirror.open({
    from: { name: 'new', bootstrap: parseBootstrap(world.bootstrap('new')) },
    to: { name: 'old', bootstrap: parseBootstrap(world.bootstrap('old')) },
    name,
    run,
    groups: [`${name}-*`],
    stateDir: world.stateDir,
    signal: AbortSignal.timeout(240_000),
    on: (event: MirrorEvent) => world.events.push(event),
    ...more,
  })

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
