import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  alterTopicConfigs,
  Cluster,
  commitOffsets,
  createPartitions,
  createTopics,
  deleteTopics,
  describeConfigs,
  describeGroups,
  describeTopicConfigs,
  EARLIEST,
  ERROR,
  encodeBatch,
  Fetch,
  groupOffsets,
  headers,
  InitProducerId,
  LATEST,
  listAcls,
  listGroups,
  Produce,
  recordsOf,
  tryTopics,
} from '../../src/kafka/index.ts'
import { parseBootstrap } from '../../src/kit/index.ts'
import { type Pair, pair, servers } from '../sandbox-helper.ts'

const run = promisify(execFile)
const code = (expected: string, message: RegExp = /./) =>
  expect.objectContaining({ code: expected, message: expect.stringMatching(message) })

servers('a real cluster', () => {
  let clusters: Pair
  beforeAll(async () => {
    clusters = await pair()
  })
  afterAll(() => clusters?.[Symbol.asyncDispose]())

  for (const end of ['old', 'new'] as const) {
    describe(`${end === 'old' ? '3.9.2 with ZooKeeper' : '4.3.1 with KRaft'}`, () => {
      const open = () => Cluster.open({ bootstrap: parseBootstrap(clusters[end].bootstrap()) })

      test('topics are made, grown, described, changed and deleted', async () => {
        await using cluster = await open()
        const spec = {
          name: 'life',
          partitions: 2,
          replicationFactor: 1,
          configs: { 'retention.ms': '9000000' },
        }
        const [made] = await createTopics(cluster, [spec])
        expect(made).toMatchObject({ name: 'life', error: 0, topicId: expect.stringMatching(/^[\w-]{22}$/) })
        await expect(createTopics(cluster, [spec])).rejects.toEqual(code('BROKER', /TOPIC_ALREADY_EXISTS/))
        expect(await tryTopics(cluster, [spec])).toEqual(new Map()) // somebody else made it: nothing to refuse
        const odd = { name: 'odd', partitions: 1, replicationFactor: 1, configs: { 'no.such': '1' } }
        await expect(createTopics(cluster, [odd])).rejects.toEqual(
          code('BROKER', /'odd': INVALID_CONFIG.*no\.such/),
        )

        const [grown] = await createPartitions(cluster, [{ name: 'life', partitions: 5 }])
        expect(grown?.partitions.map(({ leader }) => leader)).toEqual([1, 1, 1, 1, 1])

        await alterTopicConfigs(cluster, 'life', {
          set: { 'max.message.bytes': '2000000' },
          delete: ['retention.ms'],
        })
        const configs = (await describeTopicConfigs(cluster, ['life'])).get('life')
        expect(configs?.filter(({ source }) => source === 'dynamic-topic')).toEqual([
          {
            name: 'max.message.bytes',
            value: '2000000',
            source: 'dynamic-topic',
            readOnly: false,
            sensitive: false,
          },
        ])
        await expect(alterTopicConfigs(cluster, 'absent', { delete: ['retention.ms'] })).rejects.toEqual(
          code('TOPIC_MISSING'),
        )
        const broker = (await describeConfigs(cluster, [{ kind: 'broker', name: '1' }])).get('1')
        expect(broker?.find(({ name }) => name === 'log.dirs')?.source).toBe('static')

        await deleteTopics(cluster, ['life'])
        await expect(deleteTopics(cluster, ['life'])).rejects.toEqual(code('TOPIC_MISSING', /'life'/))
      })

      test('batches are produced, fetched as views, and deleted up to an offset', async () => {
        await using cluster = await open()
        await createTopics(cluster, [{ name: 'data', partitions: 2, replicationFactor: 1 }])
        const at = await cluster.connection(1, 'test')
        const limits = { timeoutMs: 20_000 }
        const records = Array.from({ length: 100 }, (_, i) => ({
          key: Buffer.from(`k${i}`),
          value: Buffer.alloc(1_000, i),
        }))
        const produce = async (partition: number) => {
          const partitions = [{ partition, records: [encodeBatch(records)] }]
          const answer = await at.send(
            Produce,
            { acks: -1, timeoutMs: 9_000, topics: [{ topic: 'data', partitions }] },
            limits,
          )
          return answer.topics[0]?.partitions[0]
        }
        expect(await Promise.all([produce(0), produce(0), produce(1)])).toMatchObject([
          { errorCode: 0, baseOffset: 0n },
          { errorCode: 0, baseOffset: 100n },
          { errorCode: 0, baseOffset: 0n },
        ])
        expect(await produce(7)).toMatchObject({ errorCode: ERROR.UNKNOWN_TOPIC_OR_PARTITION })

        const both = (timestamp: bigint) => [0, 1].map(partition => ({ topic: 'data', partition, timestamp }))
        const offsets = async (timestamp: bigint) =>
          [...(await cluster.listOffsets(both(timestamp)))].map(([key, { offset }]) => [key, offset]).sort()
        expect(await offsets(LATEST)).toEqual([
          ['data-0', 200n],
          ['data-1', 100n],
        ])
        expect(await offsets(BigInt(Date.now() + 3_600_000))).toEqual([
          ['data-0', -1n],
          ['data-1', -1n],
        ])
        const part = { partition: 0, fetchOffset: 100n, partitionMaxBytes: 1 << 20 }
        const fetched = await at.send(
          Fetch,
          {
            maxWaitMs: 500,
            minBytes: 1,
            maxBytes: 1 << 20,
            isolationLevel: 1,
            topics: [{ topic: 'data', partitions: [part] }],
          },
          limits,
        )
        const body = fetched.topics[0]?.partitions[0]?.records ?? Buffer.alloc(0)
        const [batch] = [...headers(body)]
        expect(batch?.header).toMatchObject({ baseOffset: 100n, count: 100 })
        expect([...recordsOf(body, batch?.at ?? 0)].map(({ value }) => value?.[0])).toEqual(
          records.map((_, i) => i),
        )

        const leaderEpoch = cluster.leaderOf('data', 0)?.leaderEpoch ?? -1
        const ends = await cluster.epochEnds([
          { topic: 'data', partition: 0, leaderEpoch, currentLeaderEpoch: leaderEpoch },
          { topic: 'data', partition: 1, leaderEpoch: leaderEpoch + 5, currentLeaderEpoch: leaderEpoch + 5 },
        ])
        expect(ends.get('data-0')).toEqual({ kind: 'end', endOffset: 200n, leaderEpoch })
        expect(ends.get('data-1')).toMatchObject({ kind: 'error', errorCode: ERROR.UNKNOWN_LEADER_EPOCH })

        expect(await cluster.deleteRecords([{ topic: 'data', partition: 0, offset: 150n }])).toEqual(
          new Map([['data-0', 150n]]),
        )
        expect(await offsets(EARLIEST)).toEqual([
          ['data-0', 150n],
          ['data-1', 0n],
        ])
        await expect(cluster.deleteRecords([{ topic: 'data', partition: 0, offset: 999n }])).rejects.toEqual(
          code('BROKER', /data-0: OFFSET_OUT_OF_RANGE/),
        )
        await expect(
          cluster.listOffsets([{ topic: 'absent', partition: 0, timestamp: LATEST }]),
        ).rejects.toEqual(code('TOPIC_MISSING', /absent-0/))
      })

      test('producer ids are handed out, each once', async () => {
        await using cluster = await open()
        const ids = await Promise.all([1, 2, 3].map(() => cluster.any(InitProducerId, {})))
        expect(new Set(ids.map(({ producerId }) => producerId)).size).toBe(3)
      })

      test('offsets of groups are committed from outside and read back, metadata and all', async () => {
        await using cluster = await open()
        await createTopics(cluster, [{ name: 'read', partitions: 2, replicationFactor: 1 }])
        const rows = [
          { topic: 'read', partition: 0, offset: 7n, leaderEpoch: -1, metadata: 'note' },
          { topic: 'read', partition: 1, offset: 0n, leaderEpoch: -1, metadata: '' },
        ]
        const results = await commitOffsets(cluster, 'g', [
          ...rows,
          { topic: 'absent', partition: 0, offset: 1n, metadata: null },
        ])
        expect(results.map(({ topic, errorCode }) => [topic, errorCode]).sort()).toEqual([
          ['absent', 3],
          ['read', 0],
          ['read', 0],
        ])
        const found = await groupOffsets(cluster, ['g', 'nobody'])
        expect(found.get('g')?.sort((a, b) => a.partition - b.partition)).toEqual(rows)
        expect(found.get('nobody')).toEqual([])
        expect(await listGroups(cluster)).toContainEqual({
          groupId: 'g',
          protocolType: '',
          state: 'Empty',
          type: 'classic',
        })
        expect((await describeGroups(cluster, ['g', 'nobody'])).map(({ state }) => state)).toEqual([
          'Empty',
          'Dead',
        ])
      })

      test('without an authorizer there are no ACLs, and that is told from having none', async () => {
        await using cluster = await open()
        expect(await listAcls(cluster)).toBeUndefined()
      })

      test('an ordinary client reads all five codecs, prints nothing, and costs nothing while idle', async () => {
        await using cluster = await open()
        await createTopics(cluster, [{ name: 'idle', partitions: 1, replicationFactor: 1 }])
        const script = new URL('../kafka/idle-client.ts', import.meta.url).pathname
        const { stdout, stderr } = await run(process.execPath, [script, clusters[end].bootstrap(), 'idle'])
        expect(stderr).toBe('')
        const { read, idleCpuMsPerS } = JSON.parse(stdout)
        expect(read).toEqual([0, 1, 2, 3, 4].map(codec => `codec ${codec}`))
        expect(idleCpuMsPerS).toBeLessThan(12)
      })
    })
  }

  test('an open cluster with nothing to do uses no processor time and holds no timer', async () => {
    await using cluster = await Cluster.open({ bootstrap: parseBootstrap(clusters.new.bootstrap()) })
    await cluster.metadata('all')
    const cpu = process.cpuUsage()
    await new Promise(done => setTimeout(done, 1_000))
    const { user, system } = process.cpuUsage(cpu)
    expect((user + system) / 1_000).toBeLessThan(50)
  })

  test('a broker that stops and comes back is found again by whoever asks', async () => {
    await using cluster = await Cluster.open({ bootstrap: parseBootstrap(clusters.new.bootstrap()) })
    await createTopics(cluster, [{ name: 'back', partitions: 1, replicationFactor: 1 }])
    const held = await cluster.connection(1, 'held')
    await clusters.new.node(1).stop('kill')
    expect(await held.ended).toEqual(code('DISCONNECTED'))
    const asked = cluster.listOffsets([{ topic: 'back', partition: 0, timestamp: LATEST }])
    await clusters.new.node(1).start()
    expect((await asked).get('back-0')?.offset).toBe(0n)
  })
})
