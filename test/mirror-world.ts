import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFailed, onTestFinished } from 'vitest'
import {
  ATTRIBUTE,
  type BatchHeader,
  Cluster,
  type Codec,
  createTopics,
  EARLIEST,
  ERROR,
  encodeBatch,
  Fetch,
  headers,
  type KafkaRecord,
  kafkaJs,
  LATEST,
  type NewRecord,
  Produce,
  partitionKey,
  recordsOf as rawRecordsOf,
} from '../src/kafka/index.ts'
import { parseBootstrap, sleep } from '../src/kit/index.ts'
import { readBack, unequal } from '../src/load/index.ts'
import {
  eventText,
  type MirrorEvent,
  type MirrorOptions,
  type MirrorReport,
  runMirror,
} from '../src/mirror/index.ts'
import type { Spec } from '../src/sandbox/index.ts'
import { type Pair, pair } from './sandbox-helper.ts'

export const HOURS_48 = 48 * 3_600_000
const seed = Number(process.env['KMIG_SEED'] ?? Date.now() % 1_000_000)

/** Numbers in [0, 1) that a seed repeats; the seed is printed. */
export const seeded = (): (() => number) => {
  process.stderr.write(`KMIG_SEED=${seed}\n`)
  let state = seed
  return () => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648
    return state / 2_147_483_648
  }
}

/** Nothing was written, and a look at the metadata tells where to. */
const NOT_TAKEN = new Set<number>([
  ERROR.UNKNOWN_TOPIC_OR_PARTITION,
  ERROR.LEADER_NOT_AVAILABLE,
  ERROR.NOT_LEADER_OR_FOLLOWER,
])

export type Fill = {
  partitions?: number
  /** Batches per partition. */
  batches: number
  /** Records per batch. */
  records?: number
  /** Bytes of a value. */
  size?: number
  codec?: Codec
  /** ms that the records' times lie back. */
  agedMs?: number
}

type MirrorMore = Partial<Pick<MirrorOptions, 'signal' | 'offsets' | 'fillingLimitMs' | 'exclusive'>> & {
  untilCaughtUp?: boolean
}

/** Two clusters, what is written to the old one, and mirrors between them that run in this process or as the command. */
export class MirrorWorld implements AsyncDisposable {
  readonly clusters: Pair
  readonly old: Cluster
  readonly next: Cluster
  readonly stateDir = mkdtempSync(join(tmpdir(), 'kmig-mirror-'))
  readonly events: MirrorEvent[] = []
  readonly #via: { old: boolean; new: boolean }
  private constructor(clusters: Pair, old: Cluster, next: Cluster) {
    this.clusters = clusters
    this.old = old
    this.next = next
    this.#via = {
      old: clusters.old.spec.listeners.includes('link'),
      new: clusters.new.spec.listeners.includes('link'),
    }
  }

  static async open(specs: { old?: Partial<Spec>; new?: Partial<Spec> } = {}): Promise<MirrorWorld> {
    const clusters = await pair(specs)
    const open = (bootstrap: string) => Cluster.open({ bootstrap: parseBootstrap(bootstrap) })
    return new MirrorWorld(
      clusters,
      await open(clusters.old.bootstrap()),
      await open(clusters.new.bootstrap()),
    )
  }

  bootstrap(side: 'old' | 'new'): string {
    return this.clusters[side].bootstrap(this.#via[side] ? 'link' : 'plaintext')
  }

  async make(topic: string, partitions = 1, configs: Record<string, string> = {}): Promise<void> {
    const replicationFactor = this.old.brokers.size
    await createTopics(this.old, [{ name: topic, partitions, replicationFactor, configs }])
  }

  /** One batch to one partition, sent again while its broker does not lead it (yet, or any more); throws unless it is taken. */
  async write(
    cluster: Cluster,
    topic: string,
    records: readonly NewRecord[],
    { partition = 0, codec = 0 as Codec, stamp = undefined as Parameters<typeof encodeBatch>[1] } = {},
  ): Promise<bigint> {
    const batch = encodeBatch(records, { codec, ...stamp })
    const topics = [{ topic, partitions: [{ partition, records: batch }] }]
    for (let attempt = 0; ; attempt++) {
      if (attempt > 0 || !cluster.leaderOf(topic, partition)) await cluster.metadata([topic])
      const leader = cluster.leaderOf(topic, partition)
      const connection = await cluster.connection(leader?.nodeId ?? 0, 'test-writer')
      const answer = await connection.send(
        Produce,
        { acks: -1, timeoutMs: 10_000, topics },
        { timeoutMs: 20_000 },
      )
      const part = answer.topics[0]?.partitions[0]
      if (NOT_TAKEN.has(part?.errorCode ?? 0) && attempt < 100) {
        await sleep(100)
        continue
      }
      expect(part?.errorCode).toBe(0)
      return part?.baseOffset ?? -1n
    }
  }

  /** Makes a topic on the old cluster and fills it. */
  async fill(topic: string, { partitions = 1, ...more }: Fill): Promise<void> {
    await this.make(topic, partitions)
    await Promise.all(Array.from({ length: partitions }, (_, partition) => this.more(topic, partition, more)))
  }
  async more(
    topic: string,
    partition: number,
    { batches, records = 1, size = 1_000, codec = 0, agedMs = 0 }: Omit<Fill, 'partitions'>,
  ): Promise<void> {
    const sent: Promise<bigint>[] = []
    for (let batch = 0; batch < batches; batch++) {
      const time = BigInt(Date.now() - agedMs)
      const all = Array.from({ length: records }, (_, i) => ({
        timestamp: time + BigInt(i),
        key: Buffer.from(`${batch}/${i}`),
        value: Buffer.alloc(size, `${topic} ${partition} ${batch}/${i} `),
      }))
      sent.push(this.write(this.old, topic, all, { partition, codec }))
      if (sent.length % 50 === 0) await Promise.all(sent)
    }
    await Promise.all(sent)
  }

  async ends(cluster: Cluster, topics: readonly string[]): Promise<Map<string, bigint>> {
    const found = (await cluster.metadata(topics)).filter(({ error }) => error === 0)
    const asks = found.flatMap(({ name, partitions }) =>
      partitions.map(({ partition }) => ({ topic: name, partition, timestamp: LATEST })),
    )
    const offsets = await cluster.listOffsets(asks)
    return new Map([...offsets].map(([where, { offset }]) => [where, offset]))
  }
  async total(cluster: Cluster, topics: readonly string[]): Promise<bigint> {
    return [...(await this.ends(cluster, topics)).values()].reduce((sum, end) => sum + end, 0n)
  }
  /** Resolves when the copy holds this part of the source's offsets. */
  async copied(topics: readonly string[], part: number): Promise<void> {
    const goal = BigInt(Math.floor(Number(await this.total(this.old, topics)) * part))
    while ((await this.total(this.next, topics)) < goal) await sleep(30)
  }

  /** A mirror in this process. */
  mirror(
    name: string,
    topics: readonly string[],
    { signal = new AbortController().signal, untilCaughtUp = true, ...more }: MirrorMore = {},
  ): Promise<MirrorReport> {
    const tell = () => {
      const said = this.events.flatMap(event => eventText(event) ?? []).slice(-50)
      process.stderr.write(`mirror ${name}:\n${said.join('\n')}\n`)
    }
    try {
      onTestFailed(tell)
    } catch {} // in a hook there is no test that could fail
    const running = runMirror({
      from: { name: 'old', bootstrap: parseBootstrap(this.bootstrap('old')) },
      to: { name: 'new', bootstrap: parseBootstrap(this.bootstrap('new')) },
      name,
      topics,
      groups: [`${name}-*`],
      stateDir: this.stateDir,
      signal,
      untilCaughtUp,
      ...more,
      on: event => this.events.push(event),
    })
    running.catch(() => {})
    return running
  }

  /** A mirror as the command. */
  command(name: string, topics: readonly string[], ...more: string[]): Command {
    const stateDir = more.includes('--state-dir') ? [] : ['--state-dir', this.stateDir]
    const args = [
      ...['mirror', '--from', this.bootstrap('old'), '--to', this.bootstrap('new')],
      ...topics.flatMap(topic => ['--topics', topic]),
      ...['--name', name, ...stateDir, ...more],
    ]
    return this.run(...args)
  }
  /** Any command. */
  run(...args: string[]): Command {
    return new Command(spawn(process.execPath, ['bin/kmig.js', ...args], { stdio: 'pipe' }))
  }

  get warnings(): string[] {
    return this.events.flatMap(event => (event.kind === 'warning' ? [`${event.where}: ${event.text}`] : []))
  }

  /** Reads both sides with an ordinary client and compares every record and offset. */
  async expectEqual(topics: readonly string[]): Promise<void> {
    const signal = AbortSignal.timeout(120_000)
    // a broker that has just started leads nothing yet, and kafkajs gives up at that
    await Promise.all([this.old, this.next].map(cluster => this.ends(cluster, topics)))
    const [theirs, ours] = await Promise.all(
      [this.old, this.next].map(async ({ bootstrap }) => {
        // the first group of a cluster waits until its brokers have made a topic for that: on a busy machine not soon
        const logs = await readBack({ bootstrap, topics, signal, stallMs: 60_000 })
        return new Map(logs.map(log => [partitionKey(log.topic, log.partition), log] as const))
      }),
    )
    expect(theirs?.size).toBeGreaterThan(0)
    for (const [where, log] of theirs ?? []) {
      const copy = ours?.get(where)
      const form = ({ start, end, records }: typeof log) => ({ start, end, count: records.length })
      expect(copy && { where, ...form(copy) }).toEqual({ where, ...form(log) })
      expect(copy && unequal(log, copy)).toEqual([])
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.old[Symbol.asyncDispose]()
    await this.next[Symbol.asyncDispose]()
    await this.clusters[Symbol.asyncDispose]()
    rmSync(this.stateDir, { recursive: true, force: true })
  }
}

type RawBatch = { header: BatchHeader; records: KafkaRecord[] }

/** Every batch of a partition's log, control batches and aborted ones too. */
async function* batchesOf(
  cluster: Cluster,
  topic: string,
  partition: number,
): AsyncGenerator<RawBatch, void> {
  await cluster.metadata([topic])
  const asks = (timestamp: bigint) => cluster.listOffsets([{ topic, partition, timestamp }])
  const where = partitionKey(topic, partition)
  const end = (await asks(LATEST)).get(where)?.offset ?? 0n
  for (let at = (await asks(EARLIEST)).get(where)?.offset ?? 0n; at < end; ) {
    const connection = await cluster.connection(cluster.leaderOf(topic, partition)?.nodeId ?? 0, 'test-raw')
    const topics = [{ topic, partitions: [{ partition, fetchOffset: at, partitionMaxBytes: 8 << 20 }] }]
    const answer = await connection.send(
      Fetch,
      { maxWaitMs: 100, minBytes: 1, maxBytes: 8 << 20, isolationLevel: 0, topics },
      { timeoutMs: 10_000 },
    )
    const set = answer.topics[0]?.partitions[0]?.records ?? Buffer.alloc(0)
    for (const { at: from, header } of headers(set)) {
      if (header.lastOffset < at) continue
      yield { header, records: header.count > 0 ? [...rawRecordsOf(set, from)] : [] }
      at = header.lastOffset + 1n
    }
  }
}

/** Every header of a partition's log, control batches too. */
export const headersOf = async (
  cluster: Cluster,
  topic: string,
  partition: number,
): Promise<BatchHeader[]> => {
  const found: BatchHeader[] = []
  for await (const { header } of batchesOf(cluster, topic, partition)) found.push(header)
  return found
}

/**
 * What is committed in a partition, by its raw log alone: what each transaction's own marker says. (kafkajs gives now and
 * then a record of an aborted transaction, so it is no judge of a log that has such.)
 */
export const committedOf = async (
  cluster: Cluster,
  topic: string,
  partition: number,
): Promise<{ offset: bigint; seen: string }[]> => {
  const committed: { offset: bigint; seen: string }[] = []
  const open = new Map<bigint, typeof committed>()
  for await (const { header, records } of batchesOf(cluster, topic, partition)) {
    const { attributes, producerId } = header
    if (attributes & ATTRIBUTE.control) {
      const ended = open.get(producerId) ?? []
      open.delete(producerId)
      if (records[0]?.key?.readInt16BE(2) === 1) committed.push(...ended)
      continue
    }
    const found = records.map(({ offset, key, value, timestamp }) => ({
      offset,
      seen: `${timestamp} ${key} ${value}`,
    }))
    if (attributes & ATTRIBUTE.transactional)
      open.set(producerId, [...(open.get(producerId) ?? []), ...found])
    else committed.push(...found)
  }
  return committed.sort((a, b) => (a.offset < b.offset ? -1 : 1))
}

/** What an ordinary read_committed consumer sees of a partition: value, key and timestamp by offset. */
export const recordsOf = async (
  { bootstrap }: Pick<Cluster, 'bootstrap'>,
  topic: string,
  partition: number,
): Promise<{ offset: bigint; seen: string }[]> => {
  const kafka = kafkaJs({ brokers: bootstrap })
  const admin = kafka.admin()
  await admin.connect()
  const high = (await admin.fetchTopicOffsets(topic)).find(each => each.partition === partition)?.high ?? '0'
  const found: { offset: bigint; seen: string }[] = []
  const groupId = `read-${topic}-${partition}-${Math.random()}`
  const consumer = kafka.consumer({ groupId, readUncommitted: false, maxWaitTimeInMs: 100 })
  const ended = Promise.withResolvers<void>()
  await consumer.connect()
  await consumer.subscribe({ topics: [topic], fromBeginning: true })
  await consumer.run({
    eachBatchAutoResolve: false,
    autoCommit: false,
    eachBatch: async ({ batch, resolveOffset }) => {
      if (batch.partition !== partition) {
        resolveOffset(batch.lastOffset())
        return
      }
      for (const { offset, key, value, timestamp } of batch.messages)
        found.push({ offset: BigInt(offset), seen: `${timestamp} ${key} ${value}` })
      resolveOffset(batch.lastOffset())
      if (BigInt(batch.lastOffset()) + 1n >= BigInt(high)) ended.resolve()
    },
  })
  const timer = setTimeout(
    () => ended.reject(new Error(`${topic}-${partition} is not read to ${high}`)),
    30_000,
  )
  try {
    await ended.promise
  } finally {
    clearTimeout(timer)
    await consumer.disconnect()
    await admin.disconnect()
  }
  return found
}

/** Writes transactions to a topic, of the old cluster or another: committed, aborted, two at a time, and one that stays open for long. */
export const transactions = async (
  world: MirrorWorld,
  topic: string,
  { partitions = 1, rounds = 10, from = 0, size = 0, agedMs = 0, on = world.old } = {},
): Promise<void> => {
  const kafka = kafkaJs({ brokers: on.bootstrap })
  const producers = await Promise.all(
    ['a', 'b', 'c'].map(async id => {
      const producer = kafka.producer({
        transactionalId: `${topic}-${id}-${from}`,
        idempotent: true,
        maxInFlightRequests: 1,
      })
      await producer.connect()
      return producer
    }),
  )
  const [a, b, c] = producers
  if (!a || !b || !c) throw new Error('no producer')
  const messages = (n: number, who: string) =>
    Array.from({ length: 1 + (n % 4) }, (_, i) => ({
      key: `k${n}`,
      value: `${topic} ${who} ${n}/${i}`.padEnd(size),
      partition: n % partitions,
      timestamp: `${Date.now() - agedMs}`,
    }))
  const long = await c.transaction()
  await long.send({ topic, messages: messages(from, 'long') })
  for (let n = from; n < from + rounds; n++) {
    const [one, other] = [await a.transaction(), await b.transaction()]
    await one.send({ topic, messages: messages(n, 'a') })
    await other.send({ topic, messages: messages(n, 'b') })
    await one.send({ topic, messages: messages(n + 1, 'a again') })
    await (n % 3 === 0 ? one.abort() : one.commit())
    await (n % 5 === 0 ? other.abort() : other.commit())
    if (n === from + Math.floor(rounds / 2)) await long.commit()
  }
  await Promise.all(producers.map(producer => producer.disconnect()))
}

/** Makes a compacted topic on the old cluster, and waits until its cleaner has taken records out of it. */
export const compacted = async (world: MirrorWorld, topic: string): Promise<void> => {
  await world.make(topic, 1, {
    'cleanup.policy': 'compact',
    'segment.ms': '200',
    'min.cleanable.dirty.ratio': '0.001',
    'min.compaction.lag.ms': '0',
  })
  const records = (n: number) =>
    Array.from({ length: 12 }, (_, k) => ({ key: Buffer.from(`${k % 9}`), value: Buffer.from(`${n}/${k}`) }))
  for (let n = 0; n < 20; n++) await world.write(world.old, topic, records(n))
  const holes = async () =>
    (await headersOf(world.old, topic, 0)).some(({ count, lastOffsetDelta }) => count !== lastOffsetDelta + 1)
  for (let n = 20; !(await holes()); n++) {
    if (n > 100) throw new Error('fault not injected: nothing is compacted')
    await sleep(1_000)
    await world.write(world.old, topic, records(n).slice(0, 2))
  }
}

export class Command {
  readonly process: ChildProcess
  readonly ended: Promise<{ code: number | null; signal: NodeJS.Signals | null; ms: number }>
  stdout = ''
  stderr = ''
  constructor(child: ChildProcess) {
    this.process = child
    onTestFinished(() => void child.kill('SIGKILL'))
    child.stdout?.on('data', data => (this.stdout += data))
    child.stderr?.on('data', data => (this.stderr += data))
    onTestFailed(
      () => void process.stderr.write(`${child.spawnargs.join(' ')}\n${this.stderr}${this.stdout}\n`),
    )
    const started = performance.now()
    this.ended = once(child, 'close').then(([code, signal]) => ({
      code,
      signal,
      ms: performance.now() - started,
    }))
  }
}
