import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  alterTopicConfigs,
  Cluster,
  type Codec,
  commitOffsets,
  createTopics,
  describeTopicConfigs,
  encodeBatch,
  groupOffsets,
  kafkaJs,
  type NewRecord,
  Produce,
} from '../../src/kafka/index.ts'
import { parseBootstrap } from '../../src/kit/index.ts'
import { exitOf, Mirror, type MirrorEvent, type MirrorReport, runMirror } from '../../src/mirror/index.ts'
import { type Pair, pair, servers } from '../sandbox-helper.ts'
import { logOf } from '../wire-log.ts'

servers('kmig mirror', () => {
  let clusters: Pair
  let old: Cluster
  let next: Cluster
  const stateDir = mkdtempSync(join(tmpdir(), 'kmig-mirror-'))
  const signal = new AbortController().signal

  beforeAll(async () => {
    clusters = await pair()
    old = await Cluster.open({ bootstrap: parseBootstrap(clusters.old.bootstrap()), signal })
    next = await Cluster.open({ bootstrap: parseBootstrap(clusters.new.bootstrap()), signal })
  })
  afterAll(async () => {
    await old?.[Symbol.asyncDispose]()
    await next?.[Symbol.asyncDispose]()
    await clusters?.[Symbol.asyncDispose]()
    rmSync(stateDir, { recursive: true })
  })

  const options = (topic: string) => ({
    from: { name: 'old', bootstrap: old.bootstrap },
    to: { name: 'new', bootstrap: next.bootstrap },
    name: topic,
    topics: [topic],
    groups: [`${topic}-*`],
    stateDir,
    signal,
  })
  const mirror = (topic: string, on?: (event: MirrorEvent) => void): Promise<MirrorReport> =>
    runMirror({ ...options(topic), untilCaughtUp: true, on })
  const make = (name: string, partitions = 1, configs = {}) =>
    createTopics(old, [{ name, partitions, replicationFactor: 1, configs }])
  const write = async (
    cluster: Cluster,
    topic: string,
    records: NewRecord[],
    { partition = 0, codec = 0 as Codec } = {},
  ) => {
    if (!cluster.leaderOf(topic, partition)) await cluster.metadata([topic])
    const connection = await cluster.connection(
      cluster.leaderOf(topic, partition)?.nodeId ?? 0,
      'test-writer',
    )
    const topics = [{ topic, partitions: [{ partition, records: encodeBatch(records, { codec }) }] }]
    const answer = await connection.send(
      Produce,
      { acks: -1, timeoutMs: 10_000, topics },
      { timeoutMs: 20_000 },
    )
    expect(answer.topics[0]?.partitions[0]?.errorCode).toBe(0)
  }
  const values = (from: number, count: number): NewRecord[] =>
    Array.from({ length: count }, (_, i) => ({
      key: Buffer.from(`k${from + i}`),
      value: Buffer.from(`v${from + i}`),
    }))
  const expectEqual = async (topic: string, partitions = 1) => {
    for (let p = 0; p < partitions; p++)
      expect(await logOf(next, topic, p)).toEqual(await logOf(old, topic, p))
  }

  test('the copy has every record at its offset, for all codecs and batch sizes, and a second run writes nothing', async () => {
    await make('plain', 5)
    for (const codec of [0, 1, 2, 3, 4] as const) {
      await write(old, 'plain', values(0, 500), { partition: codec, codec })
      for (let i = 0; i < 30; i++) await write(old, 'plain', values(500 + i, 1), { partition: codec, codec })
      const headers = [
        { key: Buffer.from('h'), value: null },
        { key: Buffer.from('h'), value: Buffer.alloc(20_000, 1) },
      ]
      await write(
        old,
        'plain',
        [{ key: null, value: null }, { value: Buffer.alloc(900_000, 5), headers }, { timestamp: -1n }],
        { partition: codec, codec },
      )
    }
    const report = await mirror('plain')
    expect(exitOf(report)).toBe(0)
    expect(report.records).toBe(5n * 533n)
    await expectEqual('plain', 5)
    expect((await mirror('plain')).records).toBe(0n)
    await expectEqual('plain', 5)
  })

  test('a source that begins at offset 250123 gives a copy that begins there too, trimmed within a batch', async () => {
    await make('late')
    for (let i = 0; i < 251; i++)
      await write(
        old,
        'late',
        Array.from({ length: 1000 }, () => ({})),
        { codec: 4 },
      )
    await write(old, 'late', values(0, 100))
    await old.deleteRecords([{ topic: 'late', partition: 0, offset: 250_123n }])
    const report = await mirror('late')
    expect(report.partitions[0]).toMatchObject({
      start: 250_123n,
      end: 251_100n,
      padded: 250_123n,
      reencoded: 1,
    })
    await expectEqual('late')
  })

  test('settings of the topic are held while it is mirrored, and become the source’s on release', async () => {
    const own = {
      'retention.ms': '3600000',
      'cleanup.policy': 'compact,delete',
      'message.timestamp.type': 'LogAppendTime',
      'segment.bytes': '2097152',
    }
    await make('settings', 1, own)
    await write(old, 'settings', values(0, 3))
    await using running = await Mirror.open(options('settings'))
    await running.start()
    await running.caughtUp()
    const set = async () =>
      Object.fromEntries(
        (await describeTopicConfigs(next, ['settings']))
          .get('settings')
          ?.filter(c => c.source === 'dynamic-topic')
          .map(c => [c.name, c.value]) ?? [],
      )
    expect(await set()).toMatchObject({
      'retention.ms': '-1',
      'cleanup.policy': 'delete',
      'message.timestamp.type': 'CreateTime',
      'segment.bytes': '2097152',
    })
    await expectEqual('settings')
    await running.releaseTopics()
    expect(await set()).toEqual(own)
  })

  test('group offsets arrive as they are, metadata too; one beyond the copy waits, and none moves backwards', async () => {
    await make('grouped', 2)
    await write(old, 'grouped', values(0, 50))
    await commitOffsets(old, 'grouped-a', [
      { topic: 'grouped', partition: 0, offset: 17n, metadata: 'note é' },
      { topic: 'grouped', partition: 1, offset: 0n, metadata: null },
    ])
    await commitOffsets(old, 'grouped-b', [{ topic: 'grouped', partition: 0, offset: 70n, metadata: null }])
    const first = await mirror('grouped')
    expect((await groupOffsets(next, ['grouped-a'])).get('grouped-a')).toMatchObject([
      { partition: 0, offset: 17n, metadata: 'note é', leaderEpoch: -1 },
      { partition: 1, offset: 0n },
    ])
    expect((await groupOffsets(next, ['grouped-b'])).get('grouped-b') ?? []).toEqual([])
    expect(first.groups.rows.find(({ group }) => group === 'grouped-b')?.outcome).toEqual({
      kind: 'waiting',
      at: 70n,
      copied: 50n,
    })
    await commitOffsets(next, 'grouped-a', [{ topic: 'grouped', partition: 0, offset: 40n, metadata: null }])
    const second = await mirror('grouped')
    expect(
      second.groups.rows.find(({ partition, group }) => group === 'grouped-a' && partition === 0)?.outcome,
    ).toMatchObject({ kind: 'kept', at: 40n })
  })

  test('a group that lives on the target is left alone, with the reason', async () => {
    await make('lively')
    await write(old, 'lively', values(0, 10))
    await commitOffsets(old, 'lively-g', [{ topic: 'lively', partition: 0, offset: 3n, metadata: null }])
    await mirror('lively')
    const consumer = kafkaJs({ brokers: clusters.new.bootstrap().split(',') }).consumer({
      groupId: 'lively-g',
    })
    await consumer.connect()
    await consumer.subscribe({ topic: 'lively' })
    const got = Promise.withResolvers<string>()
    await consumer.run({ eachMessage: async ({ message }) => got.resolve(message.offset) })
    expect(await got.promise).toBe('3')
    const report = await mirror('lively')
    await consumer.disconnect()
    expect(report.groups.refused).toEqual([
      { group: 'lively-g', why: expect.stringContaining('members on the target') },
    ])
  })

  describe('stops by name, and what came before stays', () => {
    test('a foreign record on the target: FOREIGN_WRITE before anything follows it', async () => {
      await make('foreign', 2)
      for (const partition of [0, 1]) await write(old, 'foreign', values(0, 20), { partition })
      await mirror('foreign')
      await write(next, 'foreign', values(900, 1))
      for (const partition of [0, 1]) await write(old, 'foreign', values(20, 20), { partition })
      const report = await mirror('foreign')
      expect(exitOf(report)).toBe(7)
      expect(report.partitions.map(p => p.stopped?.code)).toEqual(['FOREIGN_WRITE', undefined])
      expect((await logOf(next, 'foreign', 0)).length).toBe(21)
      expect((await logOf(next, 'foreign', 1)).length).toBe(40)
    })

    test('a foreign record in the middle of a running copy', async () => {
      await make('meddled')
      await write(old, 'meddled', values(0, 20))
      await using running = await Mirror.open(options('meddled'))
      await running.start()
      await running.caughtUp()
      await write(next, 'meddled', values(900, 1))
      await write(old, 'meddled', values(20, 20))
      await running.reached(new Map([['meddled-0', 40n]]))
      expect(running.report().partitions[0]?.stopped?.code).toBe('FOREIGN_WRITE')
    })

    test('records that the source deleted before they were copied: SOURCE_LOST names the range', async () => {
      await make('lost')
      await write(old, 'lost', values(0, 20))
      await mirror('lost')
      await write(old, 'lost', values(20, 20))
      await old.deleteRecords([{ topic: 'lost', partition: 0, offset: 33n }])
      const report = await mirror('lost')
      expect(report.partitions[0]?.stopped).toMatchObject({
        code: 'SOURCE_LOST',
        exit: 7,
        message: expect.stringContaining('offsets 20 to 32'),
      })
    })
  })

  describe('refuses to start, and changes nothing', () => {
    test('where the target has a topic of that name with records of others: TARGET_NOT_EMPTY', async () => {
      await make('taken')
      await write(old, 'taken', values(0, 3))
      await createTopics(next, [{ name: 'taken', partitions: 1, replicationFactor: 1 }])
      await write(next, 'taken', values(100, 1))
      await expect(mirror('taken')).rejects.toMatchObject({ code: 'TARGET_NOT_EMPTY', exit: 4 })
      expect((await next.metadata(['__kmig.taken']))[0]?.error).toBe(3)
      expect((await logOf(next, 'taken', 0)).length).toBe(1)
    })

    test('where both names are one cluster: PREFLIGHT', async () => {
      await expect(
        runMirror({ ...options('x'), to: { name: 'new', bootstrap: old.bootstrap }, untilCaughtUp: true }),
      ).rejects.toMatchObject({ code: 'PREFLIGHT', exit: 4 })
    })

    test('while another process owns the mirror: LOCKED names its pid, exit 8', async () => {
      await make('owned')
      await write(old, 'owned', values(0, 3))
      await using running = await Mirror.open(options('owned'))
      await running.start()
      await expect(mirror('owned')).rejects.toMatchObject({
        code: 'LOCKED',
        exit: 8,
        message: expect.stringContaining(`process ${process.pid}`),
      })
    })

    test('where nothing answers: UNREACHABLE names the address and the time', async () => {
      const to = { name: 'new', bootstrap: [{ host: '127.250.9.9', port: 9 }] }
      const told: MirrorEvent[] = []
      const how = { ...options('x'), to, untilCaughtUp: true, patienceMs: 1_000 }
      await expect(runMirror({ ...how, on: event => told.push(event) })).rejects.toMatchObject({
        code: 'UNREACHABLE',
        exit: 10,
        message: expect.stringContaining('127.250.9.9:9'),
      })
      expect(told).toEqual([
        {
          kind: 'warning',
          where: 'new',
          text: expect.stringMatching(/127\.250\.9\.9:9.* it is tried again for up to 1 s$/),
        },
      ])
    })
  })

  test('kmig mirror --plan says what it would do and makes nothing', async () => {
    await make('planned', 3)
    await write(old, 'planned', values(0, 3))
    const { code, stdout } = await kmig([
      'mirror',
      '--plan',
      '--json',
      '--topics',
      'planned',
      '--name',
      'planned',
    ])
    expect(code).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({
      ok: true,
      command: 'mirror',
      topics: [{ topic: 'planned', action: 'create', partitions: [{ end: '3' }, {}, {}] }],
      warnings: [expect.stringContaining('producer.id.expiration.ms is 24 h on the target')],
    })
    expect((await next.metadata(['planned', '__kmig.planned'])).map(({ error }) => error)).toEqual([3, 3])
  })

  test('a retention that was set on a source topic does not delete the copy while it is mirrored', async () => {
    await make('aged', 1, {})
    await write(
      old,
      'aged',
      values(0, 5).map(record => ({ ...record, timestamp: 1_000n })),
    )
    await alterTopicConfigs(old, 'aged', { set: { 'retention.ms': '604800000' } })
    await mirror('aged')
    expect((await logOf(next, 'aged', 0)).length).toBe(5)
  })

  const kmig = async (args: string[]) => {
    const config = join(stateDir, 'kmig.yaml')
    writeFileSync(
      config,
      `clusters:\n  old: { bootstrap: ["${clusters.old.bootstrap()}"] }\n  new: { bootstrap: ["${clusters.new.bootstrap()}"] }\n`,
    )
    const child = spawn(
      process.execPath,
      ['bin/kmig.js', ...args, '--config', config, '--state-dir', stateDir],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    )
    let stdout = ''
    child.stdout.on('data', data => {
      stdout += data
    })
    const [code] = await once(child, 'close')
    return { code, stdout }
  }
})
