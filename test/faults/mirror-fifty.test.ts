import { expect, test } from 'vitest'
import {
  ATTRIBUTE,
  commitOffsets,
  Fetch,
  groupOffsets,
  headers,
  kafkaJs,
  type NewRecord,
  Produce,
  partitionKey,
} from '../../src/kafka/index.ts'
import { Offset, sleep } from '../../src/kit/index.ts'
import { type Command, committedOf, HOURS_48, headersOf, MirrorWorld, seeded } from '../mirror-world.ts'
import { servers } from '../sandbox-helper.ts'

const ROUNDS = 50
const GROUPS = 100
/** Each once with identical and once with translated offsets. */
const KINDS = { plain: 3, txn: 2, compact: 2 }
const MIRRORS = [
  { name: 'same', offsets: 'auto', suffix: '' },
  { name: 'moved', offsets: 'translated', suffix: '-t' },
] as const
const topicsOf = (suffix: string) => Object.keys(KINDS).map(kind => `${kind}${suffix}`)
const PARTITIONS = MIRRORS.flatMap(({ suffix }) =>
  Object.entries(KINDS).flatMap(([kind, count]) =>
    Array.from({ length: count }, (_, partition) => ({ kind, topic: `${kind}${suffix}`, partition })),
  ),
)
const FORGETFUL = {
  'producer.id.expiration.ms': '1000',
  'producer.id.expiration.check.interval.ms': '200',
}
const SMALL_SEGMENTS = { 'segment.ms': '500', 'segment.bytes': '1048576' }
const COMPACTING = {
  ...SMALL_SEGMENTS,
  'cleanup.policy': 'compact',
  'min.cleanable.dirty.ratio': '0.01',
  'min.compaction.lag.ms': '0',
  'delete.retention.ms': '500',
}

type Journal = Map<string, { offset: bigint; seen: string }[]>

/** Writes to all topics until it is stopped: batches, tombstones, transactions of which some are aborted. */
const writing = async (world: MirrorWorld, agedMs: number, random: () => number) => {
  const journal: Journal = new Map()
  const kafka = kafkaJs({ brokers: world.old.bootstrap })
  const producer = kafka.producer({ transactionalId: 'fifty', idempotent: true, maxInFlightRequests: 1 })
  await producer.connect()
  let time = 0
  const now = () => (time = Math.max(time + 1, Date.now() - agedMs)) // each once, so that a record is known by it
  const batch = async (kind: string, topic: string, partition: number, count: number) => {
    const records = Array.from({ length: count }, (): NewRecord & { text: string } => {
      const timestamp = now()
      const key = kind === 'compact' ? `${Math.floor(random() * 40)}` : `${timestamp}`
      const value =
        kind === 'compact' && random() < 0.1 ? null : `${topic}-${partition} ${timestamp}`.padEnd(200)
      return {
        timestamp: BigInt(timestamp),
        key: Buffer.from(key),
        value: value === null ? null : Buffer.from(value),
        text: `${timestamp} ${key} ${value}`,
      }
    })
    const base = await world.write(world.old, topic, records, { partition })
    const rows = records.map(({ text }, i) => ({ offset: base + BigInt(i), seen: text }))
    const where = partitionKey(topic, partition)
    journal.set(where, [...(journal.get(where) ?? []), ...rows])
  }
  const transaction = async (n: number) => {
    const open = await producer.transaction()
    for (const { kind, topic, partition } of PARTITIONS) {
      if (kind !== 'txn' || random() < 0.3) continue
      const messages = Array.from({ length: 1 + Math.floor(random() * 4) }, () => {
        const timestamp = `${now()}`
        return { key: timestamp, value: `${topic} ${n} ${timestamp}`, timestamp, partition }
      })
      await open.send({ topic, messages })
    }
    await (random() < 0.3 ? open.abort() : open.commit())
  }
  let on = true
  const running = (async () => {
    for (let n = 0; on; n++) {
      await Promise.all([
        transaction(n),
        ...PARTITIONS.filter(({ kind }) => kind !== 'txn').map(({ kind, topic, partition }) =>
          batch(kind, topic, partition, kind === 'plain' ? 10 : 6),
        ),
      ])
      await sleep(150)
    }
  })()
  running.catch(() => {})
  const stop = async () => {
    on = false
    await running
    await producer.disconnect()
  }
  return { journal, stop }
}

/** The last data batch of a target partition as the broker holds it, with its offset taken out. */
const lastBatch = async (world: MirrorWorld, topic: string, partition: number): Promise<Buffer> => {
  const last = (await headersOf(world.next, topic, partition)).findLast(
    ({ attributes }) => !(attributes & ATTRIBUTE.control),
  )
  const leader = world.next.leaderOf(topic, partition)?.nodeId ?? 0
  const connection = await world.next.connection(leader, 'test')
  const fetchOffset = Offset(last?.baseOffset ?? 0n)
  const topics = [{ topic, partitions: [{ partition, fetchOffset, partitionMaxBytes: 1 << 20 }] }]
  const answer = await connection.send(
    Fetch,
    { maxWaitMs: 100, minBytes: 1, maxBytes: 1 << 20, isolationLevel: 0, topics },
    { timeoutMs: 10_000 },
  )
  const records = answer.topics[0]?.partitions[0]?.records ?? Buffer.alloc(0)
  const [found] = headers(records)
  const batch = Buffer.from(records.subarray(0, found?.header.size))
  batch.writeBigInt64BE(0n, 0)
  return batch
}
const send = async (world: MirrorWorld, topic: string, partition: number, records: Buffer) => {
  const leader = world.next.leaderOf(topic, partition)?.nodeId ?? 0
  const connection = await world.next.connection(leader, 'test')
  const topics = [{ topic, partitions: [{ partition, records }] }]
  const answer = await connection.send(
    Produce,
    { acks: -1, timeoutMs: 10_000, topics },
    { timeoutMs: 20_000 },
  )
  expect(answer.topics[0]?.partitions[0]?.errorCode).toBe(0)
  return answer.topics[0]?.partitions[0]?.baseOffset
}

servers('kmig mirror killed fifty times beside writers', () => {
  for (const [age, agedMs, config] of [
    ['of now', 0, {}],
    ['of two days ago, to brokers that forget', HOURS_48, FORGETFUL],
  ] as const)
    test(`plain, transactional and compacted topics with records ${age} end equal, 100 groups at exactly their next record`, {
      timeout: 1_800_000,
    }, async () => {
      const random = seeded()
      await using world = await MirrorWorld.open({
        old: { listeners: ['link'], config: { 'log.cleaner.backoff.ms': '500' } },
        new: { config },
      })
      for (const { suffix } of MIRRORS) {
        await world.make(`plain${suffix}`, KINDS.plain, SMALL_SEGMENTS)
        await world.make(`txn${suffix}`, KINDS.txn, SMALL_SEGMENTS)
        await world.make(`compact${suffix}`, KINDS.compact, COMPACTING)
      }
      const writer = await writing(world, agedMs, random)
      const start = ({ name, offsets, suffix }: (typeof MIRRORS)[number], ...more: string[]): Command =>
        world.command(name, topicsOf(suffix), '--offsets', offsets, ...more)
      let [kills, inCopy] = [0, 0]
      const round = async (mirror: (typeof MIRRORS)[number]) => {
        const topics = topicsOf(mirror.suffix)
        const { process: child, ended } = start(mirror)
        const copied = () => world.total(world.next, topics)
        const before = await copied()
        const deadline = performance.now() + (random() < 0.25 ? 3_000 * random() : 30_000)
        while ((await copied()) === before && performance.now() < deadline) await sleep(10)
        if ((await copied()) > before) {
          inCopy++
          await sleep(random() ** 2 * 1_500)
        }
        child.kill('SIGKILL')
        const { signal, code } = await ended
        expect({ signal, code }).toEqual({ signal: 'SIGKILL', code: null })
        kills++
      }
      for (let n = 0; n < ROUNDS; n++) {
        await Promise.all(MIRRORS.map(round))
        await sleep(random() * 500)
      }
      expect(kills).toBe(ROUNDS * MIRRORS.length)
      expect(inCopy, 'fault not injected').toBeGreaterThan(ROUNDS)
      await writer.stop()

      const ends = await world.ends(
        world.old,
        PARTITIONS.map(({ topic }) => topic),
      )
      const wanted = new Map<string, { topic: string; partition: number; offset: bigint }[]>()
      for (let n = 0; n < GROUPS; n++) {
        const rows = PARTITIONS.map(({ topic, partition }) => {
          const end = ends.get(partitionKey(topic, partition)) ?? 0n
          const lag = BigInt(Math.floor(random() ** 3 * Number(end)))
          return { topic, partition, offset: end - lag }
        })
        wanted.set(`fifty-${n}`, rows)
        await commitOffsets(
          world.old,
          `fifty-${n}`,
          rows.map(row => ({ ...row, metadata: null })),
        )
      }
      const last = await Promise.all(
        MIRRORS.map(async mirror => {
          const command = start(mirror, '--until-caught-up', '--json')
          expect((await command.ended).code).toBe(0)
          return JSON.parse(command.stdout) as {
            partitions: { topic: string; partition: number; mode: string; holes: string; filled: string }[]
          }
        }),
      )
      const report = last.flatMap(({ partitions }) => partitions)
      const names = [...wanted.keys()]
      const committed = await groupOffsets(world.next, names)
      for (const { kind, topic, partition } of PARTITIONS) {
        const where = partitionKey(topic, partition)
        const theirs = await committedOf(world.old, topic, partition)
        const ours = await committedOf(world.next, topic, partition)
        const known = kind === 'txn' ? theirs : (writer.journal.get(where) ?? [])
        const sources = new Map(known.map(({ offset, seen }) => [seen, offset]))
        // each once, in order, nothing that was not written
        const placed = ours.map(({ offset, seen }) => ({ offset, source: sources.get(seen) ?? -1n }))
        const disordered = placed.filter(({ source }, i) => source <= (placed[i - 1]?.source ?? -1n))
        expect(disordered.slice(0, 5), where).toEqual([])
        // what the source has, the target has; what compaction took meanwhile may be there too
        const copied = new Set(ours.map(({ seen }) => seen))
        expect(theirs.filter(({ seen }) => !copied.has(seen)).slice(0, 5), where).toEqual([])
        if (kind !== 'compact') expect(ours.length, where).toBe(theirs.length)
        const found = report.find(each => each.topic === topic && each.partition === partition)
        const moved = topic.endsWith('-t')
        expect(found?.mode, where).toBe(moved ? 'translated' : 'identical')
        if (kind !== 'plain')
          expect(BigInt(found?.holes ?? 0), `${where}: fault not injected`).toBeGreaterThan(20n)
        // a translated record stands at its ordinal, after the control records by which producers were shut out before it
        const shut = moved
          ? (await headersOf(world.next, topic, partition)).flatMap(({ attributes, baseOffset }) =>
              attributes & ATTRIBUTE.control ? [baseOffset] : [],
            )
          : []
        if (kind !== 'compact') expect(shut, where).toEqual([])
        const meant = (offset: bigint, i: number) => BigInt(i + shut.filter(marker => marker < offset).length)
        const elsewhere = placed.filter(
          ({ offset, source }, i) => offset !== (moved ? meant(offset, i) : source),
        )
        expect(elsewhere.slice(0, 5), where).toEqual([])
        for (const group of names) {
          const row = wanted.get(group)?.find(each => each.topic === topic && each.partition === partition)
          const at = committed.get(group)?.find(each => each.topic === topic && each.partition === partition)
          const wrong = placed.filter(
            ({ offset, source }) => offset >= (at?.offset ?? -1n) !== source >= (row?.offset ?? -1n),
          )
          expect(wrong.slice(0, 5), `${group} on ${where}: ${row?.offset} became ${at?.offset}`).toEqual([])
        }
      }
      if (agedMs === 0) return

      await sleep(2_000)
      const struck = ['plain-0', 'txn-0', 'compact-0', 'plain-t-0', 'txn-t-0', 'compact-t-0']
      const after = new Map<string, bigint>()
      for (const topic of struck.map(where => where.slice(0, -2))) {
        const before = (await world.ends(world.next, [topic])).get(`${topic}-0`)
        expect(await send(world, topic, 0, await lastBatch(world, topic, 0)), 'fault not injected').toBe(
          before,
        )
        after.set(`${topic}-0`, (await world.ends(world.next, [topic])).get(`${topic}-0`) ?? 0n)
      }
      for (const { topic, partition } of PARTITIONS)
        await world.write(world.old, topic, [{ key: Buffer.from('z'), value: Buffer.from('z') }], {
          partition,
        })
      for (const mirror of MIRRORS) {
        const command = start(mirror, '--until-caught-up', '--json')
        expect((await command.ended).code).toBe(7)
        const { partitions } = JSON.parse(command.stdout) as {
          partitions: { topic: string; partition: number; stopped?: { code: string } }[]
        }
        for (const { topic, partition, stopped } of partitions)
          expect(stopped?.code, `${topic}-${partition}`).toBe(partition === 0 ? 'FOREIGN_WRITE' : undefined)
      }
      for (const [where, end] of after)
        expect((await world.ends(world.next, [where.slice(0, -2)])).get(where), where).toBe(end)
    })
})
