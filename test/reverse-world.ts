import { expect } from 'vitest'
import { kafkaJs, partitionOf } from '../src/kafka/index.ts'
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
  bootstrap: string,
  groupId: string,
  at: Readonly<Record<string, bigint>>,
): Promise<void> => {
  const admin = kafkaJs({ brokers: parseBootstrap(bootstrap) }).admin()
  await admin.connect()
  for (const [where, offset] of Object.entries(at)) {
    const { topic, partition } = partitionOf(where)
    await admin.setOffsets({ groupId, topic, partitions: [{ partition, offset: String(offset) }] })
  }
  await admin.disconnect()
}

/** What a group has committed, by `topic-partition`. */
export const committed = async (bootstrap: string, groupId: string): Promise<Record<string, string>> => {
  const admin = kafkaJs({ brokers: parseBootstrap(bootstrap) }).admin()
  await admin.connect()
  const found = await admin.fetchOffsets({ groupId })
  await admin.disconnect()
  return Object.fromEntries(
    found.flatMap(({ topic, partitions }) =>
      partitions.flatMap(({ partition, offset }) =>
        offset === '-1' ? [] : [[`${topic}-${partition}`, offset] as const],
      ),
    ),
  )
}

export const expectNoWarning = (world: MirrorWorld): void => expect(world.warnings).toEqual([])
