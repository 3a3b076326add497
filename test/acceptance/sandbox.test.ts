import { existsSync, globSync, readFileSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { Kafka, KafkaJSProtocolError, logLevel } from 'kafkajs'
import { describe, expect, onTestFinished, test } from 'vitest'
import { retry, startOf } from '../../src/kit/index.ts'
import { Sandbox, type SandboxCluster, type Spec, startProgram } from '../../src/sandbox/index.ts'
import { linesOf } from '../lines-of.ts'
import { NEW, OLD, pair, sandboxOptions, servers } from '../sandbox-helper.ts'
import { temporary } from '../temporary.ts'

const client = (cluster: SandboxCluster, listener: 'plaintext' | 'link' = 'plaintext') =>
  new Kafka({
    brokers: cluster.bootstrap(listener).split(','),
    logLevel: logLevel.NOTHING,
    retry: { retries: 10 },
  })

const write = async (cluster: SandboxCluster, topic: string, value: string) => {
  const producer = client(cluster).producer()
  await producer.connect()
  await producer.send({ topic, messages: [{ value }] })
  await producer.disconnect()
}

const readFirst = async (cluster: SandboxCluster, topic: string) => {
  const consumer = client(cluster).consumer({ groupId: 'reader' })
  await consumer.connect()
  await retry(() => consumer.subscribe({ topic, fromBeginning: true }), {
    withinMs: 20_000,
    retriable: e => e instanceof KafkaJSProtocolError,
  })
  const value = await new Promise(resolve => {
    consumer.run({ eachMessage: async ({ message }) => resolve(String(message.value)) })
  })
  await consumer.disconnect()
  return value
}

const createTopic = async (cluster: SandboxCluster, topic: string) => {
  const admin = client(cluster).admin()
  await admin.connect()
  await admin.createTopics({ topics: [{ topic, numPartitions: 1 }], waitForLeaders: true })
  await admin.disconnect()
}

const refused = (host: string, port: number) =>
  new Promise<boolean>(resolve => {
    const socket = connect({ host, port })
    socket.once('connect', () => resolve(false)).once('error', () => resolve(true))
    socket.unref()
  })

type Held = { pids: number[]; host: string; directory: string }
const pidsOf = (cluster: SandboxCluster) => cluster.nodes.map(node => node.pid ?? 0)
const gone = (pids: number[]) => pids.every(pid => startOf(pid) === undefined)

servers('the sandbox', () => {
  test('an old and a new cluster come up, keep their records over kill and restart, and leave nothing', async () => {
    const clusters = await pair()
    const { directory } = clusters.sandbox
    const pids: number[] = []
    {
      await using _ = clusters
      await Promise.all(
        [clusters.old, clusters.new].map(async cluster => {
          await createTopic(cluster, 't')
          await write(cluster, 't', 'before')
          const broker = cluster.node(1)
          const [address, pid] = [cluster.bootstrap(), broker.pid ?? 0]
          await broker.stop('kill')
          expect(broker.pid).toBeUndefined()
          expect(gone([pid])).toBe(true)
          await broker.start()
          expect(cluster.bootstrap()).toBe(address)
          expect(await readFirst(cluster, 't')).toBe('before')
        }),
      )
      pids.push(...pidsOf(clusters.old), ...pidsOf(clusters.new))
      expect(pids).toHaveLength(4)
    }
    expect(gone(pids)).toBe(true)
    expect(existsSync(directory)).toBe(false)
  })

  test('a program that is no server runs on jars of its own, its output in a log beside it', async () => {
    const directory = temporary()
    const coordinates = ['org.apache.kafka:kafka_2.13:4.3.1', 'org.slf4j:slf4j-simple:1.7.36']
    const run = { name: 'broker-4.3.1', coordinates, profile: 'fast', directory } as const
    const main = 'kafka.tools.StorageTool'
    await using good = await startProgram({ ...run, main, args: ['random-uuid'] }, sandboxOptions())
    expect(await good.exited).toBe(0)
    expect(readFileSync(`${directory}/broker-4.3.1.log`, 'utf8')).toMatch(/^[\w-]{22}$/m)
    await using bad = await startProgram({ ...run, main: 'no.such.Main', args: [] }, sandboxOptions())
    expect(await bad.exited).toBe(1)
  })

  test('a cluster ends with a process that is killed by SIGKILL', async () => {
    const script = new URL('../sandbox/holder.ts', import.meta.url).pathname
    const { child, next } = linesOf([script, JSON.stringify(OLD), JSON.stringify(sandboxOptions().root)])
    const { pids, host, directory } = JSON.parse(await next()) as Held
    onTestFinished(() => rmSync(directory, { recursive: true }))
    expect(pids).toHaveLength(2)
    expect(gone(pids)).toBe(false)
    child.kill('SIGKILL')
    await expect.poll(() => gone(pids), { timeout: 20_000 }).toBe(true)
    expect(await refused(host, 9092)).toBe(true)
  })

  test('a broker that ends at start-up is an error with the last lines of its log, which is kept; all else ends too', async () => {
    const kept: string[] = []
    const sandbox = await Sandbox.open({ ...sandboxOptions(), on: event => kept.push(event.directory) })
    onTestFinished(() => rmSync(sandbox.directory, { recursive: true }))
    const spec: Spec = { ...NEW, ensemble: 0, config: { 'num.io.threads': 'many' } }
    const other = sandbox.start({ kind: 'zookeeper', version: '3.9.2', brokers: 0 })
    await expect(sandbox.start(spec)).rejects.toThrow(/many/)
    await sandbox[Symbol.asyncDispose]()
    await other.catch(() => {})
    const pids = globSync(`${sandbox.directory}/cluster-*/*/pid`).map(path => Number(readFileSync(path)))
    expect(pids.length).toBeGreaterThan(0)
    expect(gone(pids)).toBe(true)
    expect(kept).toEqual([sandbox.directory])
    expect(readFileSync(`${sandbox.directory}/cluster-1/spec.json`, 'utf8')).toContain('many')
  })

  test('a paused broker answers nobody until it is resumed', async () => {
    await using sandbox = await Sandbox.open(sandboxOptions())
    const cluster = await sandbox.start({ ...NEW, ensemble: 0 })
    await createTopic(cluster, 't')
    cluster.node(1).pause()
    const writing = write(cluster, 't', 'late')
    await expect(Promise.race([writing, new Promise(r => setTimeout(r, 500, 'silent'))])).resolves.toBe(
      'silent',
    )
    cluster.node(1).resume()
    await writing
  })

  test('clients of the link pass through it after Metadata too, and wait while it is cut', async () => {
    await using sandbox = await Sandbox.open(sandboxOptions())
    const cluster = await sandbox.start({ ...NEW, listeners: ['link'] })
    await createTopic(cluster, 't')
    const link = cluster.link(1)
    const producer = client(cluster, 'link').producer()
    await producer.connect()
    await producer.send({ topic: 't', messages: [{ value: 'through' }] })
    const { bytes } = (await link.counters()).up
    await producer.send({ topic: 't', messages: [{ value: 'x'.repeat(100_000) }] })
    expect((await link.counters()).up.bytes).toBeGreaterThan(bytes + 100_000)
    await link.cut()
    const sending = producer.send({ topic: 't', messages: [{ value: 'held' }] })
    await expect.poll(async () => (await link.counters()).up.held).toBeGreaterThan(0)
    await link.heal()
    await sending
    await producer.disconnect()
    expect(cluster.linkedZookeeper).not.toBe(cluster.zookeeper)
  })

  describe('three nodes', () => {
    test('a KRaft cluster of three goes on while one broker is killed and takes it back', async () => {
      await using sandbox = await Sandbox.open(sandboxOptions())
      const cluster = await sandbox.start({ kind: 'kraft', version: '4.3.1', brokers: 3 })
      await createTopic(cluster, 't')
      await write(cluster, 't', 'before')
      await cluster.node(2).stop('kill')
      await retry(() => write(cluster, 't', 'between'), { withinMs: 30_000, retriable: () => true })
      await cluster.node(2).start()
      expect(await readFirst(cluster, 't')).toBe('before')
    })

    test('a ZooKeeper ensemble of three with Kafka 2.8.2 comes up', async () => {
      await using sandbox = await Sandbox.open(sandboxOptions())
      const spec: Spec = { kind: 'kafka-zk', version: '2.8.2', brokers: 1, ensemble: 3 }
      const cluster = await sandbox.start(spec)
      expect(cluster.zookeeper?.split(',')).toHaveLength(3)
      await createTopic(cluster, 't')
      await write(cluster, 't', 'old')
      expect(await readFirst(cluster, 't')).toBe('old')
    })
  })
})
