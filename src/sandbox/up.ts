import { rmdir } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'
import { anySignal, type During, LockFile, onAbort } from '../kit/index.ts'
import type { SandboxCluster } from './cluster.ts'
import { checkOwn, writeClusters } from './clusters-file.ts'
import { CHROOT } from './configs.ts'
import { ask, Control } from './control.ts'
import type { SandboxEvent, SandboxOptions } from './options.ts'
import { Sandbox } from './sandbox.ts'
import type { Profile, Spec } from './spec.ts'

export type NodeStatus = { id: number; role: string; host: string; pid: number | null; log: string }
export type ClusterStatus = {
  name: string
  version: string
  bootstrap: string
  /** The same by way of links, if they were asked for. */
  link: string | null
  zookeeper: string
  nodes: NodeStatus[]
}
export type Status = {
  state: 'starting' | 'up' | 'ending'
  /** Process that holds it. */
  pid: number
  directory: string
  /** The kmig.yaml that names the clusters. */
  config: string
  clusters: ClusterStatus[]
}

export type UpEvent = SandboxEvent | { kind: 'up'; status: Status }
export type UpReport = { endedBy: 'down' | 'signal'; status: Status }
export type UpOptions = Omit<SandboxOptions, 'signal' | 'on'> & {
  brokers: 1 | 3
  links: boolean
  profile: Profile
  /** Where the kmig.yaml goes. */
  config: string
}

const lockOf = (root: string) => join(root, '.kmig', 'sandbox', 'up.lock')
/** Relative to the working directory, as a socket's path must be short. */
const socketOf = (root: string) => relative('', join(root, '.kmig', 'sandbox', 'up.sock'))

const statusOf = (name: string, cluster: SandboxCluster): ClusterStatus => ({
  name,
  version: cluster.spec.version,
  bootstrap: cluster.bootstrap(),
  link: cluster.spec.listeners.includes('link') ? cluster.bootstrap('link') : null,
  // the ZooKeeper beside a KRaft cluster is empty: its users get a place of the same name as on the old side
  zookeeper: `${cluster.zookeeper}${cluster.spec.kind === 'kraft' ? CHROOT : ''}`,
  nodes: cluster.nodes.map(({ id, role, host, pid, log }) => ({ id, role, host, pid: pid ?? null, log })),
})

/**
 * An old and a new cluster that stay until the signal is aborted or `down` asks for their end. One per directory.
 * Throws PREFLIGHT (a kmig.yaml of somebody else), LOCKED (one is up here), NO_PROVIDER, SANDBOX.
 */
export const up = async (options: UpOptions & During<UpEvent>): Promise<UpReport> => {
  const { root, config, brokers, profile, signal, on } = options
  await checkOwn(config)
  const asked = new AbortController()
  const all = anySignal(signal, asked.signal)
  const clusters = new Map<string, SandboxCluster>()
  let state: Status['state'] = 'starting'
  let directory = ''
  const status = (): Status => ({
    state: all.aborted ? 'ending' : state,
    pid: process.pid,
    directory,
    config,
    clusters: [...clusters].map(([name, cluster]) => statusOf(name, cluster)),
  })
  await using _end = { [Symbol.asyncDispose]: () => removeEmpty(root) }
  await using _lock = await LockFile.take(lockOf(root), `the sandbox of ${root}`)
  await using _control = await Control.listen(socketOf(root), question => {
    if (question === 'down') asked.abort()
    return status()
  })
  await using sandbox = await Sandbox.open({ ...options, signal: all, on })
  directory = sandbox.directory
  const common = { brokers, profile, listeners: options.links ? (['link'] as const) : [] }
  const start = async (name: string, spec: Spec) => clusters.set(name, await sandbox.start(spec))
  try {
    await Promise.all([
      start('old', { kind: 'kafka-zk', version: '3.9.2', ...common }),
      start('new', { kind: 'kraft', version: '4.3.1', ensemble: 1, ...common }),
    ])
  } catch (e) {
    if (!asked.signal.aborted) throw e
    return { endedBy: 'down', status: status() }
  }
  const named = ['old', 'new'].flatMap(name => status().clusters.filter(cluster => cluster.name === name))
  await using _file = await writeClusters(config, named)
  state = 'up'
  on?.({ kind: 'up', status: status() })
  await new Promise<void>(resolve => {
    if (!all.aborted) onAbort(all, () => resolve())
    else resolve()
  })
  return { endedBy: signal.aborted ? 'signal' : 'down', status: status() }
}

type Place = { root: string; signal: AbortSignal }
/** What is up in this directory; undefined if nothing is. */
export const statusAt = ({ root, signal }: Place): Promise<Status | undefined> =>
  ask<Status>(socketOf(root), 'status', { signal })
/** Ends what is up in this directory and waits until all of it is gone; undefined if nothing was. */
export const down = ({ root, signal }: Place): Promise<Status | undefined> =>
  ask<Status>(socketOf(root), 'down', { signal, untilEnd: true })

const removeEmpty = async (root: string): Promise<void> => {
  const directory = dirname(lockOf(root))
  for (const path of [directory, dirname(directory)]) await rmdir(path).catch(() => {})
}
