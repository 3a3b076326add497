import { join } from 'node:path'
import type { ClusterAddresses } from '../discovery/index.ts'
import { Cluster } from '../kafka/index.ts'
import { type During, plural } from '../kit/index.ts'
import type { SandboxOptions } from '../sandbox/index.ts'
import { type Cloned, cloneOnto, type RealTopics } from './clone.ts'
import type { Cast } from './crowd.ts'
import type { PlayEvent } from './play.ts'
import { copyFiles, locateOnStage, sendToStage } from './rehearse-files.ts'
import { openWorld, VERSIONS, type World } from './world.ts'

/** Where a rehearsal is played, with everything in its place before the first client starts. */
export type Stage = AsyncDisposable & {
  world: World
  cloned: Cloned
  /** Versions of both clusters. */
  versions: { old: string; new: string }
  /** Group of the reader. */
  group: string
  /** Group of whoever reads everything back; default one of its own name that goes. */
  readBack?: string | undefined
}

export type StageOptions = During<PlayEvent> & {
  sandbox: SandboxOptions
  /** The real files, and by what they name the real old cluster. */
  discovery: string
  followSymlinks?: boolean | undefined
  old: ClusterAddresses
  keep: boolean
}

/** Throw-away clusters of this machine that hold a clone of the real topics; copied files that name them. */
export const cloneStage = async (real: Cluster, found: RealTopics, options: StageOptions): Promise<Stage> => {
  const { sandbox, discovery, followSymlinks, old, signal } = options
  const tell = (text: string) => options.on?.({ kind: 'step', text })
  tell(`starting Kafka ${VERSIONS.old} (old) and ${VERSIONS.new} (new), to be thrown away`)
  await using opened = new AsyncDisposableStack()
  const world = opened.use(
    await openWorld({
      ...sandbox,
      signal,
      prefix: 'kmig-rehearsal-',
      on: event => {
        if (event.kind === 'fetching') tell(`fetching servers through Maven, once: ${event.directory}`)
        if (event.kind === 'kept') tell(`logs and data of the servers are kept in ${event.directory}`)
      },
    }),
  )
  if (options.keep) tell(`files are kept in ${world.keep()}`)
  await copyFiles(discovery, world.discovery)
  const copy = { discovery: world.discovery, followSymlinks, old, signal }
  await sendToStage(copy, world.old, join(world.state, 'to-the-stage'))
  await using stage = await Cluster.open({ bootstrap: world.old.bootstrap, signal })
  const cloned = await cloneOnto(stage, real, found, { signal })
  tell(`cloned ${plural(cloned.partitions, 'partition')} with ${plural(cloned.records, 'real record')}`)
  const rest = opened.move()
  return {
    ...{ world, cloned, versions: VERSIONS, group: 'kmig-rehearsal' },
    [Symbol.asyncDispose]: () => rest.disposeAsync(),
  }
}

/** How many partitions the writers write to, all together. */
const WRITTEN = 48

/** Three writers and a reader that find their brokers in the copied files. */
export const castOf = ({ world, cloned: { topics }, group }: Stage): Cast => {
  const writable = topics.filter(topic => topic.writable)
  const widest = Math.max(0, ...writable.map(({ partitions }) => partitions))
  const places = Array.from({ length: widest }, (_, partition) =>
    writable
      .filter(({ partitions }) => partition < partitions)
      .map(({ name }) => ({ topic: name, partition })),
  )
    .flat()
    .slice(0, WRITTEN)
  const codecs = ['none', 'gzip', 'zstd'] as const
  const followed = [...new Set(places.map(({ topic }) => topic))]
  return {
    // The first partition has all of them: the order of each must hold there too.
    writers: codecs.map((codec, i) => ({
      places: [...places.slice(0, 1), ...places.slice(1).filter((_, n) => n % codecs.length === i)],
      codec,
      locate: locateOnStage(world, i),
    })),
    readers: [{ group, topics: followed, locate: locateOnStage(world, 0) }],
  }
}
