import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Cluster, deleteTopics } from '../../src/kafka/index.ts'
import { sleep } from '../../src/kit/index.ts'
import { type Program, startProgram } from '../../src/sandbox/index.ts'
import { sandboxOptions } from '../sandbox-helper.ts'
import { heldBy } from './ends.ts'
import { cpuOf } from './measure.ts'

const VERSION = '4.3.1'
const PARTS = ['kafka_2.13', 'kafka-tools', 'connect-mirror', 'connect-runtime']
const LOOK_MS = 50
/** A start, with its group rebalances, and a copy on a busy machine. */
const PATIENCE_MS = 10 * 60_000

export type Mm2Options = {
  from: string
  to: string
  old: Cluster
  next: Cluster
  topic: string
  records: number
  compression: string
  directory: string
}

/** `startMs`: from the process's start to the first record on the target; `copyMs`: from there to the last. */
export type Mm2Taken = { startMs: number; copyMs: number; cpuMs: number; rssBytes: number }

/**
 * MirrorMaker 2 in its dedicated mode, tuned: what it sends is as large as the source's batches of 64 KB allow, and as
 * compressed as the source is. Only what copies records is switched on.
 */
const settings = ({
  from,
  to,
  topic,
  compression,
}: Mm2Options): Record<string, string | number | boolean> => ({
  clusters: 'old, new',
  'old.bootstrap.servers': from,
  'new.bootstrap.servers': to,
  'old->new.enabled': true,
  'new->old.enabled': false,
  'old->new.topics': topic,
  'replication.policy.class': 'org.apache.kafka.connect.mirror.IdentityReplicationPolicy',
  'tasks.max': 4,
  'replication.factor': 1,
  'offset-syncs.topic.replication.factor': 1,
  'config.storage.replication.factor': 1,
  'offset.storage.replication.factor': 1,
  'status.storage.replication.factor': 1,
  'emit.heartbeats.enabled': false,
  'emit.checkpoints.enabled': false,
  'sync.topic.acls.enabled': false,
  'old.consumer.fetch.max.bytes': 64 << 20,
  'old.consumer.max.partition.fetch.bytes': 16 << 20,
  'old.consumer.max.poll.records': 10_000,
  'old.consumer.receive.buffer.bytes': 4 << 20,
  'new.producer.batch.size': 320 << 10,
  'new.producer.linger.ms': 20,
  'new.producer.max.in.flight.requests.per.connection': 5,
  'new.producer.buffer.memory': 64 << 20,
  'new.producer.compression.type': compression,
})

const program = (directory: string, file: string): Program => ({
  name: `mm2-${VERSION}`,
  coordinates: [...PARTS.map(part => `org.apache.kafka:${part}:${VERSION}`), 'org.slf4j:slf4j-simple:1.7.36'],
  main: 'org.apache.kafka.connect.mirror.MirrorMaker',
  args: [file],
  profile: 'bench',
  directory,
})

/** Copies a topic by MirrorMaker 2 and takes away what it made. Throws with its log's end if it does not get there. */
export const mm2Copy = async (options: Mm2Options): Promise<Mm2Taken> => {
  const { old, next, topic, records, directory } = options
  const namesOf = async (cluster: Cluster) => (await cluster.metadata('all')).map(({ name }) => name)
  mkdirSync(directory, { recursive: true })
  const file = join(directory, 'mm2.properties')
  const lines = Object.entries(settings(options)).map(([key, value]) => `${key}=${value}`)
  writeFileSync(file, `${lines.join('\n')}\n`)
  const before = [old, next].map(namesOf)
  const began = performance.now()
  let taken: Mm2Taken
  {
    await using child = await startProgram(program(directory, file), sandboxOptions())
    let first: number | undefined
    for (;;) {
      const held = Number(await heldBy(next, [topic]))
      const now = performance.now()
      if (held > 0) first ??= now
      if (first !== undefined && held >= records) {
        taken = { startMs: first - began, copyMs: now - first, ...cpuOf(child.pid) }
        break
      }
      if (!child.alive || now - began > PATIENCE_MS) {
        const log = readFileSync(join(directory, `mm2-${VERSION}.log`), 'utf8')
        throw new Error(`MirrorMaker 2 copied ${held} of ${records} records:\n${log.slice(-3000)}`)
      }
      await sleep(LOOK_MS)
    }
  }
  for (const [cluster, names] of [
    [old, await before[0]],
    [next, await before[1]],
  ] as const) {
    const made = (await namesOf(cluster)).filter(name => !names?.includes(name))
    await deleteTopics(cluster, made)
  }
  return taken
}
