import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { rehearsalsOf } from '../cutover/index.ts'
import {
  brokerError,
  Cluster,
  type ClusterAddress,
  deleteTopics,
  ERROR,
  kafkaJs,
  listGroups,
} from '../kafka/index.ts'
import { type During, formatHostPort, KmigError, LockFile, sleep, writeFileAtomic } from '../kit/index.ts'

/** What a rehearsal makes on one real cluster, each by its exact name. Nothing else is ever deleted. */
export type MadeOn = { name: string; clusterId: string; topics: string[]; groups: string[] }
/** Everything that a rehearsal on shadow topics makes. Written down before the first of them is. */
export type Made = { schemaVersion: 1; id: string; old: MadeOn; new: MadeOn }

const fileOf = (stateDir: string, id: string): string => join(rehearsalsOf(stateDir), id, 'made.json')
/** Files of a rehearsal that go with what it made. */
export const workOf = (stateDir: string, id: string): string => join(rehearsalsOf(stateDir), id, 'work')

export const writeMade = async (stateDir: string, made: Made): Promise<void> => {
  await writeFileAtomic(fileOf(stateDir, made.id), `${JSON.stringify(made, undefined, 2)}\n`)
}

/** Whoever plays a rehearsal, or cleans up behind it, holds this. */
export const lockMade = async (stateDir: string, id: string): Promise<LockFile> =>
  await LockFile.take(join(rehearsalsOf(stateDir), id, 'lock'), `rehearsal ${id}`)

/** Rehearsals that have left something on real clusters, or are being played. */
export const madeIn = (stateDir: string): string[] =>
  existsSync(rehearsalsOf(stateDir))
    ? readdirSync(rehearsalsOf(stateDir))
        .filter(id => existsSync(fileOf(stateDir, id)))
        .sort()
    : []

/** Throws USAGE where this rehearsal has left nothing, STATE_DAMAGED. */
export const readMade = (stateDir: string, id: string): Made => {
  const known = madeIn(stateDir)
  if (!known.includes(id)) {
    throw new KmigError('USAGE', `rehearsal ${id} has left nothing that is known in ${stateDir}`, {
      try: known.length > 0 ? known.map(each => `--clean ${each}`) : ['name its directory: --state-dir'],
    })
  }
  try {
    const made = JSON.parse(readFileSync(fileOf(stateDir, id), 'utf8')) as Made
    if (made.schemaVersion === 1 && made.id === id) return made
  } catch {}
  throw new KmigError('STATE_DAMAGED', `${fileOf(stateDir, id)} does not tell what was made`, {
    try: [`delete topics and groups that begin with ${prefixOf(id)} or __kmig.${mirrorOf(id)} by hand`],
  })
}

/** Names of a rehearsal's shadow topics and groups, and of its mirror. */
export const prefixOf = (id: string): string => `__kmig-rehearsal.${id}.`
export const mirrorOf = (id: string): string => `kmig-rehearsal.${id}`

const sideText = ({ name, topics, groups }: MadeOn): string[] => [
  `  topics on '${name}': ${topics.join(', ')}`,
  `  groups on '${name}': ${groups.join(', ')}`,
]
/** By name, for whoever has to agree. */
export const madeText = (made: Made): string => [...sideText(made.old), ...sideText(made.new)].join('\n')

/** What was found and deleted. */
export type Cleaned = { topics: number; groups: number }

export type CleanOptions = During<string> & {
  stateDir: string
  from: ClusterAddress
  to: ClusterAddress
  /** Leaves its files. */
  keep?: boolean | undefined
}

/**
 * Deletes what a rehearsal made and that is still there, waits until it is gone, and forgets it. The caller holds the
 * rehearsal's lock. Throws PREFLIGHT (other clusters), BROKER, AUTHORIZATION, TIMEOUT; doing it again goes on.
 */
export const unmake = async (made: Made, options: CleanOptions): Promise<Cleaned> => {
  const { stateDir, from, to, signal } = options
  await using old = await Cluster.open({ ...from, signal })
  await using next = await Cluster.open({ ...to, signal })
  refuseOther(made.old, old)
  refuseOther(made.new, next)
  const cleaned = [
    await unmakeOn(made.old, old, { ...options, access: from }),
    await unmakeOn(made.new, next, { ...options, access: to }),
  ]
  if (!options.keep) rmSync(workOf(stateDir, made.id), { recursive: true, force: true })
  rmSync(fileOf(stateDir, made.id), { force: true })
  return {
    topics: cleaned.reduce((sum, { topics }) => sum + topics, 0),
    groups: cleaned.reduce((sum, { groups }) => sum + groups, 0),
  }
}

const refuseOther = ({ name, clusterId }: MadeOn, cluster: Cluster): void => {
  if (clusterId === cluster.clusterId) return
  throw new KmigError('PREFLIGHT', `'${name}' was cluster ${clusterId}, this is ${cluster.clusterId}`, {
    try: ['give the same --from and --to as the rehearsal had'],
  })
}

const unmakeOn = async (
  { name, topics, groups }: MadeOn,
  cluster: Cluster,
  { access, signal, on }: During<string> & { access: ClusterAddress },
): Promise<Cleaned> => {
  const there = async () => {
    const all = await cluster.metadata('all', { signal })
    return all.filter(topic => topics.includes(topic.name) && topic.error === 0).map(topic => topic.name)
  }
  const found = await there()
  if (found.length > 0) await deleteTopics(cluster, found, { signal })
  for (let left = await there(); left.length > 0; left = await there()) await sleep(AGAIN_MS, signal)
  const known = (await listGroups(cluster, { signal })).map(({ groupId }) => groupId)
  const mine = groups.filter(group => known.includes(group))
  await deleteGroups(mine, access, { signal, on: text => on?.(`${text} on '${name}'`) })
  return { topics: found.length, groups: mine.length }
}

const AGAIN_MS = 250
/** A process that died is a member of its group for so long, at most; kafkajs asks for 30 s, kmig's own for less. */
const MEMBERS_MS = 90_000

type NotDeleted = { code?: unknown; groups?: { groupId: string; errorCode: number; error: Error }[] }
/** A coordinator that loads, is not there, or has moved; members that are not gone yet. */
const PASSING: readonly number[] = [14, 15, 16, 68]
const GROUP_ID_NOT_FOUND = 69

const denied = (group = ''): KmigError =>
  brokerError(
    ERROR.GROUP_AUTHORIZATION_FAILED,
    `deletion of group '${group}'`,
    null,
    `Delete on group ${group}`,
  )

/** Deletes those that are there, and waits for members that died. Throws AUTHORIZATION, BROKER, TIMEOUT. */
export const deleteGroups = async (
  groups: readonly string[],
  { bootstrap, security, clientId }: ClusterAddress,
  { signal, on }: During<string>,
): Promise<void> => {
  if (groups.length === 0) return
  const admin = kafkaJs({ brokers: bootstrap.map(formatHostPort), security, clientId }).admin()
  await admin.connect()
  try {
    const end = performance.now() + MEMBERS_MS
    let told = false
    for (let left = [...groups]; left.length > 0; ) {
      signal.throwIfAborted()
      const refused = await admin.deleteGroups(left).then(
        () => [],
        (e: NotDeleted) => {
          if (e.code === ERROR.GROUP_AUTHORIZATION_FAILED) throw denied(left[0]) // nobody tells its coordinator
          if (e.groups === undefined) throw e
          return e.groups.filter(({ errorCode }) => errorCode !== GROUP_ID_NOT_FOUND && errorCode !== 0)
        },
      )
      const [wrong] = refused.filter(({ errorCode }) => !PASSING.includes(errorCode))
      if (wrong?.errorCode === ERROR.GROUP_AUTHORIZATION_FAILED) throw denied(wrong.groupId)
      if (wrong)
        throw new KmigError('BROKER', `group '${wrong.groupId}' can't be deleted: ${wrong.error.message}`)
      left = refused.map(({ groupId }) => groupId)
      if (left.length === 0) return
      if (performance.now() > end)
        throw new KmigError('TIMEOUT', `groups ${left.join(', ')} still have members`, {
          try: ['end their processes, then clean up again'],
        })
      if (!told) on?.(`waiting until members of a process that died are gone from ${left.join(', ')}`)
      told = true
      await sleep(1_000, signal)
    }
  } finally {
    await admin.disconnect()
  }
}

export type CleanReport = Cleaned & { id: string }

/** Deletes what a rehearsal that died has left on real clusters. Throws LOCKED while it is being played. */
export const cleanShadow = async (
  id: string,
  options: CleanOptions & { agree(text: string): Promise<void> },
): Promise<CleanReport> => {
  const made = readMade(options.stateDir, id)
  await using _ = await lockMade(options.stateDir, id)
  await options.agree(madeText(made))
  return { id, ...(await unmake(made, options)) }
}
