import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { ClusterAddresses, NamedCluster } from '../discovery/index.ts'
import {
  brokerVersions,
  type Cluster,
  commitOffsets,
  createTopics,
  describeConfigs,
  isAtLeast,
} from '../kafka/index.ts'
import { type During, isKmigError, KmigError, messageOf, parseBootstrap, plural } from '../kit/index.ts'
import { backOf } from '../mirror/index.ts'
import { stateTopicOf } from '../offsets/index.ts'
import { keptConfigs, type RealTopics } from './clone.ts'
import {
  type Cleaned,
  lockMade,
  type Made,
  madeText,
  mirrorOf,
  prefixOf,
  unmake,
  workOf,
  writeMade,
} from './made.ts'
import type { PlayEvent } from './play.ts'
import { copyFiles } from './rehearse-files.ts'
import { type Asked, aclsDiffer, refuseDenied, refuseUnasked } from './shadow-rights.ts'
import type { Stage } from './stage.ts'
import type { Side } from './world.ts'

/** Real clusters carry what else they have to: a rehearsal adds no more than this. */
const MOST_PARTITIONS = 1_000
/** Of the reader with numbered records, and of the one that reads everything back. */
const READER = 'kmig-reader'
const READ_BACK = 'kmig-read-back'

export type ShadowOptions = During<PlayEvent> & {
  id: string
  stateDir: string
  from: NamedCluster
  to: NamedCluster
  real: Cluster
  target: Cluster
  /** The real files, and by what they name the real old cluster. */
  discovery: string
  old: ClusterAddresses
  keep: boolean
  /** Throws where nobody agrees that this is made. */
  agree(text: string): Promise<void>
}

/** Everything by its exact name. Throws PREFLIGHT where it is too much, or a name is too long. */
export const madeOf = (found: RealTopics, options: ShadowOptions): Made => {
  const { id, from, to, real, target } = options
  const partitions = found.topics.reduce((sum, topic) => sum + topic.partitions, 0)
  if (partitions > MOST_PARTITIONS) {
    throw new KmigError(
      'PREFLIGHT',
      `${partitions} partitions are chosen; on real clusters a rehearsal makes ${MOST_PARTITIONS} at most`,
      { try: ['choose topics: --topics, --exclude'] },
    )
  }
  const topics = found.topics.map(({ name }) => shadowOf(id, name))
  const long = topics.find(name => name.length > LONGEST)
  if (long)
    throw new KmigError('PREFLIGHT', `${long} is longer than a topic's name can be`, {
      try: ['leave that topic out: --exclude'],
    })
  const groups = [...found.groups.map(({ group }) => group), READER, READ_BACK].map(group =>
    shadowOf(id, group),
  )
  const [state, back] = [stateTopicOf(mirrorOf(id)), stateTopicOf(backOf(mirrorOf(id)))]
  const side = ({ name = '' }: NamedCluster, { clusterId }: Cluster, own: string) => ({
    ...{ name, clusterId, topics: [...topics, own, probeOf(id)], groups: [...groups, own] },
  })
  return { schemaVersion: 1, id, old: side(from, real, back), new: side(to, target, state) }
}
const LONGEST = 249
/** The topic that asks for rights; no shadow has its name. */
const probeOf = (id: string): string => prefixOf(id).slice(0, -1)
const shadowOf = (id: string, name: string): string => `${prefixOf(id)}${name}`

/** How it was played, and what of the real clusters went with it. */
export type Shadowed<T> = { played: T; shadow: Omit<Made, 'schemaVersion' | 'id'> & { deleted: Cleaned } }

/**
 * Has `play` act on shadow topics and groups of the real clusters: empty, with partitions and settings of the real ones;
 * copied files name the real old cluster as the real files do. What is made is told and agreed to, written down, and
 * deleted at the end, however that comes. Throws PARTIAL where it could not be.
 */
export const onShadow = async <T>(
  found: RealTopics,
  options: ShadowOptions,
  play: (stage: Stage) => Promise<T>,
): Promise<Shadowed<T>> => {
  const { id, stateDir, real, target, signal } = options
  const { schemaVersion: _, id: __, ...names } = madeOf(found, options)
  const made: Made = { schemaVersion: 1, id, ...names }
  for (const cluster of [real, target]) await refuseUndeletable(cluster, signal)
  await refuseThere(made, options)
  await options.agree(madeText(made))
  const asked = askedOf(made, found, options)
  await refuseUnasked(asked, { signal })
  await using lock = await lockMade(stateDir, id)
  void lock
  await writeMade(stateDir, made)
  let played: T
  try {
    await refuseDenied(asked, { signal })
    played = await play(await shadowStage(found, options))
  } catch (e) {
    try {
      await unmakeAll(made, options)
    } catch (second) {
      throw stillThere(id, `${messageOf(e)}; ${messageOf(second)}`, e)
    }
    throw e
  }
  try {
    return { played, shadow: { ...names, deleted: await unmakeAll(made, options) } }
  } catch (e) {
    throw stillThere(id, messageOf(e), e)
  }
}

const askedOf = (
  made: Made,
  { topics }: RealTopics,
  { id, from, to, real, target }: ShadowOptions,
): Asked[] => {
  const factor = Math.max(...topics.map(({ replicationFactor }) => replicationFactor))
  return [
    { side: made.old, cluster: real, access: from, probe: probeOf(id), factor },
    {
      ...{ side: made.new, cluster: target, access: to, probe: probeOf(id) },
      factor: Math.min(factor, target.brokers.size),
    },
  ]
}

const stillThere = (id: string, why: string, cause: unknown): KmigError =>
  new KmigError('PARTIAL', `not everything that the rehearsal made on the real clusters is deleted: ${why}`, {
    try: [`kmig rehearse --clean ${id}, with the same --from, --to and --state-dir`],
    cause,
  })

const shadowStage = async (found: RealTopics, options: ShadowOptions): Promise<Stage> => {
  const { id, stateDir, from, to, real, target, signal } = options
  const work = workOf(stateDir, id)
  const [discovery, state, journals] = [
    join(work, 'srv-configs'),
    join(work, 'state'),
    join(work, 'journals'),
  ]
  for (const path of [work, discovery, state, journals]) await mkdir(path, { mode: 0o700 })
  await copyFiles(options.discovery, discovery)
  const topics = found.topics.map(topic => ({ ...topic, kept: keptConfigs(ownOf(topic.configs)) }))
  await createTopics(
    real,
    topics.map(({ name, kept: { configs }, partitions, replicationFactor }) => ({
      ...{ name: shadowOf(id, name), partitions, replicationFactor, configs },
    })),
    { signal },
  )
  for (const { group, positions } of found.groups) {
    const rows = positions.map(({ topic, partition }) => ({
      ...{ topic: shadowOf(id, topic), partition, offset: 0n, metadata: '' },
    }))
    await commitOffsets(real, shadowOf(id, group), rows, { signal })
  }
  const versions = { old: await oldest(real, signal), new: await oldest(target, signal) }
  const side = ({ name = '', ...more }: NamedCluster, version: string): Side => ({ name, version, ...more })
  return {
    world: {
      old: { ...side(from, versions.old), bootstrap: parseBootstrap(options.old.brokers.join(',')) },
      next: side(to, versions.new),
      ...{ discovery, state, journals },
      scope: {
        ...{ name: mirrorOf(id), topics: [`${prefixOf(id)}*`], groups: [`${prefixOf(id)}*`] },
        // of the real topics: doctor tells, and none of them is moved
        ...((await aclsDiffer(real, target, { signal })) && { accept: ['acl-diff' as const] }),
      },
      [Symbol.asyncDispose]: async () => {},
    },
    cloned: {
      topics: topics.map(({ name, partitions, kept: { writable } }) => ({
        ...{ name: shadowOf(id, name), partitions, writable },
      })),
      partitions: topics.reduce((sum, { partitions }) => sum + partitions, 0),
      ...{ ends: new Map(), records: 0, bytes: 0, groups: found.groups.length, short: [] },
      refused: topics.flatMap(({ name, kept }) => kept.leftOut.map(each => ({ topic: name, ...each }))),
    },
    versions,
    group: shadowOf(id, READER),
    readBack: shadowOf(id, READ_BACK),
    [Symbol.asyncDispose]: async () => {},
  }
}

/** Settings that a topic does not have from its cluster. */
const ownOf = (configs: RealTopics['topics'][number]['configs']): Record<string, string> =>
  Object.fromEntries(
    configs.flatMap(({ name, value, source }) =>
      source === 'dynamic-topic' && value !== null ? [[name, value]] : [],
    ),
  )

const oldest = async (cluster: Cluster, signal: AbortSignal): Promise<string> => {
  const all = [...(await brokerVersions(cluster, { signal })).values()]
  return all.reduce((least, each) => (isAtLeast(least, each) ? each : least), all[0] ?? '')
}

/** Nothing may be made that can't be deleted again. */
const refuseUndeletable = async (cluster: Cluster, signal: AbortSignal): Promise<void> => {
  const [node = 0] = cluster.brokers.keys()
  const resource = { kind: 'broker' as const, name: String(node) }
  const found = await describeConfigs(cluster, [resource], { signal }).catch(e => {
    if (isKmigError(e, 'AUTHORIZATION')) return undefined // a deletion that fails is told
    throw e
  })
  const value = found?.get(resource.name)?.find(({ name }) => name === 'delete.topic.enable')?.value
  if (value !== 'false') return
  throw new KmigError(
    'PREFLIGHT',
    `cluster ${cluster.clusterId} deletes no topics (delete.topic.enable=false)`,
    {
      try: ['without --shadow it runs on throw-away clusters of this machine'],
    },
  )
}

const refuseThere = async (
  { old, new: next }: Made,
  { real, target, signal }: ShadowOptions,
): Promise<void> => {
  if (real.clusterId === target.clusterId)
    throw new KmigError(
      'PREFLIGHT',
      `'${old.name}' and '${next.name}' are the same cluster, ${real.clusterId}`,
      {
        try: ['name two different clusters with --from and --to'],
      },
    )
  for (const [side, cluster] of [
    [old, real],
    [next, target],
  ] as const) {
    const there = (await cluster.metadata('all', { signal })).find(({ name }) => side.topics.includes(name))
    if (there)
      throw new KmigError('PREFLIGHT', `topic ${there.name} is there already`, { try: ['start again'] })
  }
}

/** Not the operator's signal: what was made is to be gone also where that ended the rehearsal. */
const DELETED_WITHIN_MS = 180_000

const unmakeAll = async (made: Made, { stateDir, from, to, keep, on }: ShadowOptions): Promise<Cleaned> => {
  const signal = AbortSignal.timeout(DELETED_WITHIN_MS)
  const tell = (text: string) => on?.({ kind: 'step', text })
  const cleaned = await unmake(made, { stateDir, from, to, keep, signal, on: tell })
  tell(
    `deleted ${plural(cleaned.topics, 'topic')} and ${plural(cleaned.groups, 'group')} that were made on both clusters`,
  )
  return cleaned
}
