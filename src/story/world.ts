import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Env } from '../config/index.ts'
import type { CutoverOptions } from '../cutover/index.ts'
import { Cluster, createTopics, kafkaJs, type Security } from '../kafka/index.ts'
import { type HostPort, parseBootstrap } from '../kit/index.ts'
import { Sandbox, type SandboxOptions, type Spec, sandboxEnvironment } from '../sandbox/index.ts'
import { writeFiles } from './discovery-files.ts'

/** A cluster of the story, as commands name it. */
export type Side = {
  name: string
  version: string
  bootstrap: readonly HostPort[]
  /** Default PLAINTEXT. */
  security?: Security | undefined
  clientId?: string | undefined
  /** What a discovery entry says under `zookeeper`, chroot included. */
  zookeeper?: string | undefined
}
/** One that was started for the story; `ensemble`: connect string of the ZooKeeper beside it, without chroot. */
export type Served = Side & { ensemble: string }
/** What of the clusters a story is of; nothing is all. */
export type Scope = {
  name?: string
  topics?: readonly string[]
  groups?: readonly string[]
  /** Checks of the cutover whose findings are no matter of the story. */
  accept?: CutoverOptions['accept']
}

/** Everything that the story plays on. */
export type World = AsyncDisposable & {
  old: Side
  next: Side
  /** Default all. */
  scope?: Scope | undefined
  /** Root of the discovery files. */
  discovery: string
  /** Locks, journals. */
  state: string
  /** The journals of writers and readers. */
  journals: string
}
/** On throw-away clusters. `keep` leaves everything where it is. */
export type ServedWorld = World & { old: Served; next: Served; keep(): string }

const OLD: Spec = { kind: 'kafka-zk', version: '3.9.2', brokers: 1 }
/** A KRaft cluster needs no ZooKeeper; the one beside it is where the application's znodes go. */
const NEXT: Spec = { kind: 'kraft', version: '4.3.1', brokers: 1, ensemble: 1 }

export const VERSIONS = { old: OLD.version, new: NEXT.version }

/** Topics of the application. */
export const TOPICS = [
  { name: 'orders', partitions: 4 },
  { name: 'payments', partitions: 2 },
  { name: 'clicks', partitions: 2 },
] as const

/** Partitions whose first records are deleted before the story begins: the copy must start at the same offset. */
const AGED = [
  { topic: 'clicks', partition: 0 },
  { topic: 'clicks', partition: 1 },
]
const AGED_RECORDS = 500

export type WorldOptions = SandboxOptions & { signal: AbortSignal; prefix: string }

/** Starts both clusters at once, with empty directories beside them. */
export const openWorld = async (options: WorldOptions): Promise<ServedWorld> => {
  await using opened = new AsyncDisposableStack()
  await Sandbox.check([OLD, NEXT], options)
  const sandbox = opened.use(await Sandbox.open(options))
  const directory = await mkdtemp(join(options.root, options.prefix))
  let kept = false
  opened.defer(async () => {
    if (!kept) await rm(directory, { recursive: true, force: true })
  })
  const start = async (spec: Spec, name: string): Promise<Served> => {
    const cluster = await sandbox.start(spec)
    const ensemble = (cluster.zookeeper ?? '').split('/')[0] ?? ''
    const bootstrap = parseBootstrap(cluster.bootstrap())
    return { name, version: spec.version, bootstrap, ensemble, zookeeper: `${ensemble}/kafka` }
  }
  const [old, next] = await Promise.all([start(OLD, 'old'), start(NEXT, 'new')])
  const [discovery, state, journals] = ['srv-configs', 'state', 'journals'].map(name => join(directory, name))
  for (const path of [discovery, state, journals]) await mkdir(path ?? '', { mode: 0o700 })
  const rest = opened.move()
  return {
    old,
    next,
    discovery: discovery ?? '',
    state: state ?? '',
    journals: journals ?? '',
    keep() {
      kept = true
      sandbox.keep()
      return directory
    },
    [Symbol.asyncDispose]: () => rest.disposeAsync(),
  }
}

/** What the demo plays with: discovery files of the old cluster, and its topics. */
export const furnish = async ({ old, discovery }: World, signal: AbortSignal): Promise<void> => {
  await writeFiles(discovery, { bootstrap: old.bootstrap, zookeeper: old.zookeeper ?? '' })
  await makeTopics(old, signal)
}

/** Makes the topics; the last one's log begins late, as retention leaves it. */
const makeTopics = async ({ bootstrap }: Side, signal: AbortSignal): Promise<void> => {
  await using cluster = await Cluster.open({ bootstrap, signal })
  await createTopics(
    cluster,
    TOPICS.map(({ name, partitions }) => ({ name, partitions, replicationFactor: 1 })),
    { signal },
  )
  const producer = kafkaJs({ brokers: bootstrap }).producer()
  await producer.connect()
  for (const place of AGED) {
    const messages = Array.from({ length: AGED_RECORDS }, () => ({
      partition: place.partition,
      value: 'expired',
    }))
    await producer.send({ topic: place.topic, messages })
  }
  await producer.disconnect()
  await cluster.deleteRecords(
    AGED.map(place => ({ ...place, offset: BigInt(AGED_RECORDS) })),
    { signal },
  )
}

/** What the sandbox takes from the environment; its state goes below `root`. */
export const sandboxOptions = (env: Env, root: string): SandboxOptions => ({
  root,
  ...sandboxEnvironment(env),
})
