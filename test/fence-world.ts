import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { expect } from 'vitest'
import { Secret, type Security } from '../src/config/index.ts'
import {
  type Acl,
  type Cluster,
  createAcls,
  describeTopicConfigs,
  kafkaJs,
  listAcls,
} from '../src/kafka/index.ts'
import { parseBootstrap, retry } from '../src/kit/index.ts'
import { checkPartition, checkReads, faults, newRun, placeKey, readBack, totals } from '../src/load/index.ts'
import type { ListenerName, SandboxCluster, User } from '../src/sandbox/index.ts'
import { Crowd } from '../src/story/crowd.ts'
import { HookBridge, type Hooks } from '../src/story/hook-bridge.ts'
import { discoveryText } from './discovery/cases.ts'
import { MirrorWorld } from './mirror-world.ts'
import { authorizer, type pair } from './sandbox-helper.ts'

type Sides = Parameters<typeof pair>[0]

export const TOPICS = ['orders', 'payments'] as const
const PARTITIONS = 2
const BIN = new URL('../bin/kmig.js', import.meta.url).pathname

export type FenceWorldOptions = {
  listener?: 'plaintext' | 'sasl'
  /** How patient the writers are. */
  writers?: { retries?: number }
}

export const aclOf = (more: Partial<Acl>): Acl => ({
  ...{ resource: 'topic', pattern: 'literal', name: '*', principal: 'User:kmig', host: '*' },
  ...{ operation: 'all', permission: 'allow' },
  ...more,
})
export const READS = TOPICS.map(name => aclOf({ name, operation: 'read' }))
export const WRITES = TOPICS.map(name => aclOf({ name, operation: 'write' }))
/** What the clients need: without an ACL nobody but a super user may do anything. */
export const ACLS: readonly Acl[] = [
  ...[...READS, ...WRITES, aclOf({ resource: 'group', operation: 'read' })],
  aclOf({ resource: 'cluster', name: 'kafka-cluster', operation: 'idempotent-write' }),
]
export const sortedAcls = (acls: readonly Acl[] | undefined) => acls?.map(each => JSON.stringify(each)).sort()

/** A command that runs on, and what it says. */
export class Runner {
  readonly child: ChildProcess
  readonly ended: Promise<number | null>
  said = ''
  stdout = ''
  constructor(args: readonly string[]) {
    this.child = spawn(process.execPath, [BIN, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
    this.child.stderr?.on('data', data => (this.said += data))
    this.child.stdout?.on('data', data => (this.stdout += data))
    this.ended = once(this.child, 'close').then(([code]) => code)
  }
  /** Resolves once it has said that; throws with all that it said if it ends before. */
  async says(text: string): Promise<void> {
    let over = false
    this.ended.then(() => {
      over = true
    })
    while (!this.said.includes(text)) {
      if (over) throw new Error(`ended without '${text}':\n${this.said}`)
      await wait(20)
    }
  }
  /** Ends well, or throws with all that it said. */
  async well(): Promise<void> {
    const code = await this.ended
    if (code !== 0) throw new Error(`ended with ${code}:\n${this.said}`)
  }
}

/** Two clusters, writers and readers that follow a discovery file, and the commands that move them. */
export class FenceWorld implements AsyncDisposable {
  readonly world: MirrorWorld
  readonly crowd: Crowd
  readonly home: string
  readonly file: string
  readonly #listener: ListenerName
  #bridge: HookBridge | undefined
  private constructor(world: MirrorWorld, crowd: Crowd, home: string, file: string, listener: ListenerName) {
    this.world = world
    this.crowd = crowd
    this.home = home
    this.file = file
    this.#listener = listener
  }

  /** With `sasl` the clients log in as 'kmig', who may do what ACLs say; the commands as 'admin', a super user. */
  static async open(
    sides: Sides,
    { listener = 'plaintext', writers = {} }: FenceWorldOptions = {},
  ): Promise<FenceWorld> {
    const world = await MirrorWorld.open(sides)
    const { clusters } = world
    const home = mkdtempSync(join(tmpdir(), 'kmig-fences-'))
    const file = join(home, 'srv-configs/standard.yaml')
    mkdirSync(join(home, 'srv-configs'))
    mkdirSync(join(home, 'journals'))
    writeFileSync(file, discoveryText({ devc: [clusters.old.bootstrap(listener)] }))
    const rows = (['old', 'new'] as const).map(side => {
      const cluster = clusters[side]
      const properties = join(home, `${side}.properties`)
      writeFileSync(properties, cluster.clientProperties(listener, { user: 'admin' }), { mode: 0o600 })
      const secured = listener === 'plaintext' ? '' : `, properties: ${properties}`
      return `  ${side}: { bootstrap: ["${cluster.bootstrap(listener)}"]${secured} }\n`
    })
    writeFileSync(join(home, 'kmig.yaml'), `clusters:\n${rows.join('')}`)
    for (const topic of TOPICS) await world.make(topic, PARTITIONS, { 'retention.ms': '7200000' })
    const locate = async () => {
      const [, bootstrap = ''] = /- (\S+:\d+)/.exec(readFileSync(file, 'utf8')) ?? []
      const at = bootstrap === clusters.old.bootstrap(listener) ? clusters.old : clusters.new
      return { bootstrap: parseBootstrap(bootstrap), security: securityOf(at, listener, 'kmig') }
    }
    const places = TOPICS.flatMap(topic =>
      Array.from({ length: PARTITIONS }, (_, partition) => ({ topic, partition })),
    )
    const crowd = await Crowd.open(
      {
        writers: (['none', 'gzip'] as const).map(codec => ({ places, codec, locate, ...writers })),
        readers: [{ group: 'billing', topics: TOPICS, locate }],
      },
      { run: newRun(), journals: join(home, 'journals') },
    )
    return new FenceWorld(world, crowd, home, file, listener)
  }

  /** Both clusters with authorizers, clients that log in and write, and what the new cluster has of ACLs. */
  static async secured(onNew: readonly Acl[]): Promise<FenceWorld> {
    const spec = (kind: 'kafka-zk' | 'kraft') => ({
      listeners: ['sasl' as const],
      config: {
        ...authorizer(kind),
        'super.users': 'User:ANONYMOUS;User:admin',
        'allow.everyone.if.no.acl.found': 'false',
      },
    })
    const f = await FenceWorld.open({ old: spec('kafka-zk'), new: spec('kraft') }, { listener: 'sasl' })
    try {
      await allow(f.world.old, ACLS)
      await allow(f.world.next, onNew)
      await f.crowd.start()
      await f.written()
      return f
    } catch (e) {
      await f[Symbol.asyncDispose]()
      throw e
    }
  }

  get text(): string {
    return readFileSync(this.file, 'utf8')
  }
  get stateDir(): string {
    return join(this.home, 'state')
  }
  bootstrap(side: 'old' | 'new'): string {
    return this.world.clusters[side].bootstrap(this.#listener)
  }

  /** A cluster as one of the clients talks to it, whatever the file says. */
  client(side: 'old' | 'new') {
    const security = securityOf(this.world.clusters[side], this.#listener, 'kmig')
    return { brokers: parseBootstrap(this.bootstrap(side)), security }
  }

  /** One record by an ordinary client of a cluster, whatever the file says; throws what its broker says. */
  async send(side: 'old' | 'new'): Promise<void> {
    const producer = kafkaJs(this.client(side)).producer({ retry: { retries: 0 } })
    await producer.connect()
    try {
      await producer.send({ topic: TOPICS[0], messages: [{ value: 'late' }] })
    } finally {
      await producer.disconnect()
    }
  }

  /** Programs of the operator, whose work is done here; `--hooks` and their directory. */
  async hooks(hooks: Hooks): Promise<string[]> {
    this.#bridge = await HookBridge.open(this.home, hooks)
    return ['--hooks', this.#bridge.directory]
  }

  kmig(...args: string[]): Runner {
    const own = [
      '--config',
      join(this.home, 'kmig.yaml'),
      '--state-dir',
      this.stateDir,
      '--progress',
      'plain',
    ]
    return new Runner([...args, ...own])
  }
  cutover(...args: string[]): Runner {
    const own = ['--discovery', join(this.home, 'srv-configs'), '--still-for', '1s', '--execute', '--yes']
    return this.kmig('cutover', ...own, ...args)
  }

  /** Clients begin anew, and find their cluster in the file. */
  async restart(): Promise<void> {
    await this.crowd.stopWriters()
    await this.crowd.reload()
  }
  /** Resolves once so many records more were acknowledged. */
  async written(more = 200): Promise<void> {
    const from = this.crowd.acknowledged
    while (this.crowd.acknowledged < from + more) await wait(20)
  }

  /** All that a fence may leave behind on a cluster, in an order of its own. */
  async traces(cluster: Cluster): Promise<{ configs: string[]; acls: string[] }> {
    const found = await describeTopicConfigs(cluster, TOPICS)
    return {
      configs: [...found].flatMap(([topic, rows]) => rows.map(row => JSON.stringify([topic, row]))).sort(),
      acls: ((await listAcls(cluster)) ?? []).map(each => JSON.stringify(each)).sort(),
    }
  }
  /** Resolves once a cluster shows what it showed before: brokers learn of ACLs one after the other. */
  async sameTraces(cluster: Cluster, before: { configs: string[]; acls: string[] }): Promise<void> {
    await expect.poll(() => this.traces(cluster), { timeout: 60_000 }).toEqual(before)
  }

  /** Ends the clients, readers once they have read all, and holds the logs of a cluster against what they know. */
  async judge(
    cluster: Cluster,
  ): Promise<{ lost: number; repeated: number; faults: string[]; records: number }> {
    const { crowd } = this
    await crowd.stopWriters()
    const ends = await this.world.ends(cluster, TOPICS)
    const reader = crowd.readers[0]
    for (const [where, end] of ends) while ((reader?.next(where) ?? 0n) < end) await wait(50)
    await crowd.stopReaders()
    const logs = await readBack({
      ...{ bootstrap: cluster.bootstrap, topics: TOPICS },
      signal: AbortSignal.timeout(120_000),
    })
    const found = logs.map(log => checkPartition({ ...log, run: crowd.run, accounts: crowd.accounts(log) }))
    const reads = crowd.readers.flatMap(({ group, entries }) => checkReads(group, entries))
    const odd = reads.flatMap(({ skipped, reread, ...place }) => [
      ...skipped.map(range => `skipped ${range} of ${placeKey(place)}`),
      ...reread.map(range => `read ${range} of ${placeKey(place)} twice`),
    ])
    const { lost, repeated } = totals(found)
    return { lost, repeated, faults: [...faults(found), ...odd], records: crowd.acknowledged }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#bridge?.[Symbol.asyncDispose]()
    await this.crowd[Symbol.asyncDispose]()
    await this.world[Symbol.asyncDispose]()
    rmSync(this.home, { recursive: true, force: true })
  }
}

const securityOf = (
  { credentials }: SandboxCluster,
  listener: ListenerName,
  user: User,
): Security | undefined =>
  listener === 'plaintext'
    ? undefined
    : {
        protocol: 'SASL_PLAINTEXT',
        sasl: { mechanism: 'SCRAM-SHA-512', user, password: new Secret(credentials.users[user]) },
      }

/** Lets a user do this, and waits until every broker knows. */
export const allow = async (cluster: Cluster, acls: readonly Acl[]): Promise<void> => {
  await createAcls(cluster, acls, {
    refused: (_, error) => {
      throw error
    },
  })
  const known = async () => expect(await listAcls(cluster)).toEqual(expect.arrayContaining([...acls]))
  await retry(known, { withinMs: 60_000, retriable: () => true })
}
