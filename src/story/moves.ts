import { join } from 'node:path'
import { yamlDirectory } from '../discovery/index.ts'
import { formatHostPort } from '../kit/index.ts'
import { Mirror } from '../mirror/index.ts'
import { kafkaChroot, type Side, type World } from './world.ts'

type Options = { signal: AbortSignal }
const addressesOf = (side: Side) => ({
  brokers: side.bootstrap.map(formatHostPort),
  zookeeper: kafkaChroot(side),
})
const storeOf = (world: World, { signal }: Options) =>
  yamlDirectory(world.discovery, { journalDir: join(world.state, 'discovery'), signal })
const mirrorOf = (world: World, { signal }: Options) =>
  Mirror.open({ from: world.old, to: world.next, stateDir: world.state, signal })

/** Drains, sets the group offsets, rewrites the files. */
export const cutOver = async (world: World, options: Options): Promise<string[]> => {
  await using mirror = await mirrorOf(world, options)
  await mirror.start()
  await mirror.caughtUp()
  await mirror.syncGroups()
  const store = storeOf(world, options)
  const plan = await store.plan({ old: addressesOf(world.old), next: addressesOf(world.next), ...options })
  return (await store.commit(plan)).changed
}

/** Puts the files back. */
export const goBack = async (world: World, options: Options): Promise<string[]> =>
  (await storeOf(world, options).revert()).changed
