import { describe, expect, test } from 'vitest'
import {
  Cluster,
  commitOffsets,
  createTopics,
  ERROR,
  groupOffsets,
  InitProducerId,
  LATEST,
  listGroups,
  NO_TOPIC_ID,
} from '../../src/kafka/index.ts'
import { type Asked, apiVersions, FakeBroker, type Handler } from './fake-broker.ts'

const code = (expected: string, message: RegExp = /./) =>
  expect.objectContaining({ code: expected, message: expect.stringMatching(message) })

type Offsets = { topics: { topic: string; partitions: { partition: number }[] }[] }
const offsetsFrom =
  (verdict: (asked: Asked, partition: number) => { errorCode?: number; offset?: bigint }): Handler =>
  asked => {
    const { topics } = asked.request as Offsets
    asked.reply({
      throttleTimeMs: 0,
      topics: topics.map(({ topic, partitions }) => ({
        topic,
        partitions: partitions.map(({ partition }) => {
          const { errorCode = 0, offset = -1n } = verdict(asked, partition)
          return { partition, errorCode, timestamp: -1n, offset, leaderEpoch: 0 }
        }),
      })),
    })
  }

type Part = { leader: number; leaderEpoch?: number; errorCode?: number }
/** A cluster of fake brokers, numbered from 1, whose topics a test may change. */
class FakeCluster implements AsyncDisposable {
  brokers: FakeBroker[] = []
  clusterId = 'fake'
  controllerId = 1
  topics: Record<string, Part[]> = {}
  topicId = NO_TOPIC_ID

  static async listen(size: number, handlers: Record<string, Handler> = {}): Promise<FakeCluster> {
    const cluster = new FakeCluster()
    const Metadata: Handler = ({ request, reply }) => reply(cluster.#metadata(request))
    const ListOffsets = offsetsFrom(() => ({ offset: 0n }))
    for (let i = 0; i < size; i++)
      cluster.brokers.push(await FakeBroker.listen({ Metadata, ListOffsets, ...handlers }))
    return cluster
  }
  handle(api: string, handler: Handler): void {
    for (const broker of this.brokers) broker.handlers[api] = handler
  }
  nodeId(broker: FakeBroker): number {
    return this.brokers.indexOf(broker) + 1
  }
  broker(nodeId: number): FakeBroker {
    const found = this.brokers[nodeId - 1]
    if (!found) throw new Error(`no broker ${nodeId}`)
    return found
  }
  get bootstrap() {
    return this.brokers.map(({ address }) => address)
  }
  open(): Promise<Cluster> {
    return Cluster.open({ bootstrap: this.bootstrap })
  }
  asked(api: string): number {
    return this.brokers.flatMap(({ asked }) => asked).filter(name => name === api).length
  }

  #metadata(request: unknown) {
    const { topics } = request as { topics: { name: string }[] | null }
    const names = topics?.map(({ name }) => name) ?? Object.keys(this.topics)
    return {
      throttleTimeMs: 0,
      brokers: this.brokers.map((broker, i) => ({ nodeId: i + 1, ...broker.address, rack: null })),
      clusterId: this.clusterId,
      controllerId: this.controllerId,
      topics: names.map(name => ({
        errorCode: this.topics[name] ? 0 : ERROR.UNKNOWN_TOPIC_OR_PARTITION,
        name,
        topicId: this.topicId,
        isInternal: false,
        partitions: (this.topics[name] ?? []).map(({ leader, leaderEpoch = 0, errorCode = 0 }, partition) => {
          return { errorCode, partition, leader, leaderEpoch, replicas: [leader], isr: [leader] }
        }),
      })),
    }
  }
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.brokers.map(broker => broker[Symbol.asyncDispose]()))
  }
}

const latest = (partitions: number[]) =>
  partitions.map(partition => ({ topic: 't', partition, timestamp: LATEST }))

describe('a cluster is opened', () => {
  test('by the first address that answers', async () => {
    await using fake = await FakeCluster.listen(1)
    const nobody = { host: '127.0.0.1', port: 1 }
    await using cluster = await Cluster.open({ bootstrap: [nobody, ...fake.bootstrap] })
    expect(cluster.clusterId).toBe('fake')
    expect([...cluster.brokers.keys()]).toEqual([1])
  })
  test('or is UNREACHABLE, with every address and why', async () => {
    const web = await FakeBroker.listen({ ApiVersions: ({ socket }) => void socket.write('HTTP/1.1 400 ') })
    await using _ = web
    const bootstrap = [{ host: '127.0.0.1', port: 1 }, web.address]
    await expect(Cluster.open({ bootstrap })).rejects.toEqual(
      code('UNREACHABLE', new RegExp(`127.0.0.1:1: connection refused.*127.0.0.1:${web.address.port}.*HTTP`)),
    )
  })
})

describe('many partitions are asked of their leaders', () => {
  test('with one request per broker', async () => {
    await using fake = await FakeCluster.listen(2, {
      ListOffsets: offsetsFrom(({ broker }, partition) => ({
        offset: BigInt(100 * fake.nodeId(broker) + partition),
      })),
    })
    fake.topics = { t: [{ leader: 1 }, { leader: 2 }, { leader: 1 }, { leader: 2 }] }
    await using cluster = await fake.open()
    const found = await cluster.listOffsets(latest([0, 1, 2, 3]))
    expect([...found].sort()).toEqual(
      [100n, 201n, 102n, 203n].map((offset, i) => [`t-${i}`, { offset, timestamp: -1n, leaderEpoch: 0 }]),
    )
    expect(fake.asked('ListOffsets')).toBe(2)
  })

  test('and again, those alone that moved, of the new leader', async () => {
    const partitions: number[] = []
    await using fake = await FakeCluster.listen(2, {
      ListOffsets: offsetsFrom(({ broker }, partition) => {
        partitions.push(partition)
        const leader = partition === 1 ? 2 : 1
        return fake.nodeId(broker) === leader ? { offset: 7n } : { errorCode: ERROR.NOT_LEADER_OR_FOLLOWER }
      }),
    })
    fake.topics = { t: [{ leader: 1 }, { leader: 1 }] }
    await using cluster = await fake.open()
    await cluster.metadata(['t'])
    fake.topics = { t: [{ leader: 1 }, { leader: 2, leaderEpoch: 1 }] }
    const found = await cluster.listOffsets(latest([0, 1]))
    expect(found.get('t-1')?.offset).toBe(7n)
    expect(partitions).toEqual([0, 1, 1])
    expect(cluster.leaderOf('t', 1)).toEqual({ nodeId: 2, leaderEpoch: 1 })
  })

  test('also when a leader dies with the request', async () => {
    await using fake = await FakeCluster.listen(2, {
      ListOffsets: asked => {
        if (fake.nodeId(asked.broker) === 1) {
          fake.topics = { t: [{ leader: 2, leaderEpoch: 1 }] }
          asked.socket.destroy()
        } else offsetsFrom(() => ({ offset: 5n }))(asked)
      },
    })
    fake.topics = { t: [{ leader: 1 }] }
    await using cluster = await fake.open()
    expect((await cluster.listOffsets(latest([0]))).get('t-0')?.offset).toBe(5n)
  })

  test('an error that does not pass is thrown by its name and partition', async () => {
    await using fake = await FakeCluster.listen(1, { ListOffsets: offsetsFrom(() => ({ errorCode: 29 })) })
    fake.topics = { t: [{ leader: 1 }] }
    await using cluster = await fake.open()
    await expect(cluster.listOffsets(latest([0]))).rejects.toEqual(
      code('AUTHORIZATION', /offsets of t-0: TOPIC_AUTHORIZATION_FAILED \(29\)/),
    )
  })

  test('an error that could pass is thrown when the time is over', async () => {
    await using fake = await FakeCluster.listen(1, { ListOffsets: offsetsFrom(() => ({ errorCode: 78 })) })
    fake.topics = { t: [{ leader: 1 }] }
    await using cluster = await fake.open()
    await expect(cluster.listOffsets(latest([0]), { withinMs: 200 })).rejects.toEqual(
      code('BROKER', /OFFSET_NOT_AVAILABLE/),
    )
    expect(fake.asked('ListOffsets')).toBeGreaterThan(1)
  })

  test('an abort ends it at once', async () => {
    await using fake = await FakeCluster.listen(1)
    fake.topics = { t: [{ leader: -1, errorCode: 5 }] }
    await using cluster = await fake.open()
    const signal = AbortSignal.timeout(50)
    await expect(cluster.listOffsets(latest([0]), { signal })).rejects.toThrow(/timeout/i)
  })
})

describe('epoch ends', () => {
  const answering =
    (errorCode: number, endOffset = -1n): Handler =>
    asked =>
      asked.reply({
        throttleTimeMs: 0,
        topics: [{ topic: 't', partitions: [{ errorCode, partition: 0, leaderEpoch: 3, endOffset }] }],
      })
  const rows: [string, Handler, object][] = [
    ['an end', answering(0, 9n), { kind: 'end', endOffset: 9n, leaderEpoch: 3 }],
    ['an epoch that the leader does not know', answering(0), { kind: 'unknown' }],
    ['a fenced epoch, at once', answering(74), { kind: 'error', errorCode: 74 }],
    ['a leader that was deposed, at once', answering(6), { kind: 'error', errorCode: 6 }],
  ]
  for (const [name, handler, expected] of rows) {
    test(`${name} is an outcome`, async () => {
      await using fake = await FakeCluster.listen(1, { OffsetForLeaderEpoch: handler })
      fake.topics = { t: [{ leader: 1 }] }
      await using cluster = await fake.open()
      const ends = await cluster.epochEnds([
        { topic: 't', partition: 0, leaderEpoch: 3, currentLeaderEpoch: 3 },
      ])
      expect(ends.get('t-0')).toMatchObject(expected)
      expect(fake.asked('OffsetForLeaderEpoch')).toBe(1)
    })
  }
})

describe('who leads is remembered', () => {
  const rows: [string, string, Part, number][] = [
    ['a higher epoch is taken', 'AAAAAAAAAAAAAAAAAAAAAQ', { leader: 2, leaderEpoch: 6 }, 2],
    ['a lower epoch is an old answer', 'AAAAAAAAAAAAAAAAAAAAAQ', { leader: 2, leaderEpoch: 4 }, 1],
    [
      'a lower epoch of a topic made anew is taken',
      'AAAAAAAAAAAAAAAAAAAAAg',
      { leader: 2, leaderEpoch: 0 },
      2,
    ],
  ]
  for (const [name, topicId, part, leader] of rows) {
    test(name, async () => {
      await using fake = await FakeCluster.listen(2)
      fake.topics = { t: [{ leader: 1, leaderEpoch: 5 }] }
      fake.topicId = 'AAAAAAAAAAAAAAAAAAAAAQ'
      await using cluster = await fake.open()
      await cluster.metadata(['t'])
      fake.topics = { t: [part] }
      fake.topicId = topicId
      await cluster.metadata('all')
      expect(cluster.leaderOf('t', 0)?.nodeId).toBe(leader)
    })
  }
  test('another cluster behind the same addresses is refused', async () => {
    await using fake = await FakeCluster.listen(1)
    await using cluster = await fake.open()
    fake.clusterId = 'other'
    await expect(cluster.metadata('all')).rejects.toEqual(
      code('PREFLIGHT', /fake now answer as cluster other/),
    )
  })
})

describe('connections', () => {
  test('are one per broker and purpose, shared by callers at the same time, and opened again after their end', async () => {
    await using fake = await FakeCluster.listen(1)
    await using cluster = await fake.open()
    const [a, b, c] = await Promise.all([
      cluster.connection(1, 'fetch'),
      cluster.connection(1, 'fetch'),
      cluster.connection(1, 'produce'),
    ])
    expect(a).toBe(b)
    expect(c).not.toBe(a)
    a.reset()
    await a.ended
    const d = await cluster.connection(1, 'fetch')
    expect(d).not.toBe(a)
    expect(d.closed).toBe(false)
  })
  test('end with the cluster', async () => {
    await using fake = await FakeCluster.listen(1)
    const cluster = await fake.open()
    const connection = await cluster.connection(1, 'fetch')
    await cluster[Symbol.asyncDispose]()
    expect(connection.closed).toBe(true)
    await expect(cluster.connection(1, 'fetch')).rejects.toEqual(code('DISCONNECTED'))
    await expect(cluster.any(InitProducerId, {})).rejects.toEqual(code('DISCONNECTED'))
    await expect(cluster.listOffsets(latest([0]))).rejects.toThrow()
  })
})

describe('requests find who can answer', () => {
  test('any: the next broker after one that is gone', async () => {
    let asked = 0
    await using fake = await FakeCluster.listen(2, {
      InitProducerId: ({ reply, socket }) =>
        ++asked === 1
          ? void socket.destroy()
          : reply({ throttleTimeMs: 0, errorCode: asked === 2 ? 14 : 0, producerId: 5n, producerEpoch: 0 }),
    })
    await using cluster = await fake.open()
    expect((await cluster.any(InitProducerId, {})).producerId).toBe(5n)
    expect(asked).toBe(3)
  })

  test('controller: looked up anew when it has moved', async () => {
    await using fake = await FakeCluster.listen(2, {
      CreateTopics: ({ broker, reply }) => {
        const right = fake.nodeId(broker) === 2
        if (right) fake.topics = { t: [{ leader: 1 }] }
        else fake.controllerId = 2
        reply({
          throttleTimeMs: 0,
          topics: [{ name: 't', errorCode: right ? 0 : 41, errorMessage: null, configs: null }],
        })
      },
    })
    await using cluster = await fake.open()
    const [topic] = await createTopics(cluster, [{ name: 't', partitions: 1, replicationFactor: 1 }])
    expect(topic).toMatchObject({ name: 't', error: 0 })
  })

  test('a topic whose creation was cut off is not mistaken for somebody else’s', async () => {
    await using fake = await FakeCluster.listen(1, {
      CreateTopics: ({ socket, reply }) => {
        const there = fake.topics['t'] !== undefined
        fake.topics = { t: [{ leader: 1 }] }
        if (there) reply({ throttleTimeMs: 0, topics: [{ name: 't', errorCode: 36, errorMessage: 'there' }] })
        else socket.destroy()
      },
    })
    await using cluster = await fake.open()
    const made = { name: 't', partitions: 1, replicationFactor: 1 }
    expect(await createTopics(cluster, [made])).toHaveLength(1)
    await expect(createTopics(cluster, [made])).rejects.toEqual(code('BROKER', /TOPIC_ALREADY_EXISTS/))
  })

  test('coordinator: looked up anew when it has moved', async () => {
    let home = 1
    await using fake = await FakeCluster.listen(2, {
      FindCoordinator: ({ reply }) => {
        const { host, port } = fake.broker(home).address
        const found = { key: 'g', nodeId: home, host, port, errorCode: 0, errorMessage: null }
        reply({ throttleTimeMs: 0, coordinators: [found] })
      },
      OffsetCommit: ({ broker, reply }) => {
        home = 2
        const errorCode = fake.nodeId(broker) === 2 ? 0 : ERROR.NOT_COORDINATOR
        reply({ throttleTimeMs: 0, topics: [{ topic: 't', partitions: [{ partition: 0, errorCode }] }] })
      },
    })
    await using cluster = await fake.open()
    const rows = [{ topic: 't', partition: 0, offset: 1n, metadata: null }]
    expect(await commitOffsets(cluster, 'g', rows)).toEqual([{ topic: 't', partition: 0, errorCode: 0 }])
  })

  test('groups are asked of every broker', async () => {
    await using fake = await FakeCluster.listen(2, {
      ListGroups: ({ broker, reply }) => {
        const groupId = `g${fake.nodeId(broker)}`
        reply({
          throttleTimeMs: 0,
          errorCode: 0,
          groups: [{ groupId, protocolType: 'consumer', state: 'Empty' }],
        })
      },
    })
    await using cluster = await fake.open()
    expect((await listGroups(cluster)).map(({ groupId }) => groupId)).toEqual(['g1', 'g2'])
  })
})

describe('many groups are asked of their coordinators', () => {
  const names = Array.from({ length: 700 }, (_, i) => `g${i}`)
  const homeOf = (group: string) => (Number(group.slice(1)) % 2) + 1
  const coordinators = (fake: FakeCluster) => (asked: Asked) => {
    const { key, keys } = asked.request as { key: string; keys: string[] }
    const found = (group: string) => {
      const { host, port } = fake.broker(homeOf(group)).address
      return { key: group, nodeId: homeOf(group), host, port, errorCode: 0, errorMessage: null }
    }
    asked.reply({ throttleTimeMs: 0, ...found(key || 'g0'), coordinators: keys.map(found) })
  }
  const committed = (group: string) => [
    {
      topic: 't',
      partitions: [
        { partition: 0, offset: BigInt(group.slice(1)), leaderEpoch: 3, metadata: 'm', errorCode: 0 },
        { partition: 1, offset: -1n, metadata: null, errorCode: 0 },
      ],
    },
  ]
  const offsets =
    (errorOf: (asked: Asked, group: string) => number = () => 0) =>
    (asked: Asked) => {
      const { groupId, groups } = asked.request as { groupId: string; groups: { groupId: string }[] }
      const one = (id: string) => ({ groupId: id, errorCode: errorOf(asked, id), topics: committed(id) })
      const all = groups.map(each => one(each.groupId))
      asked.reply({ throttleTimeMs: 0, ...(groupId ? one(groupId) : {}), groups: all })
    }

  test('700 of them with a handful of requests', async () => {
    await using fake = await FakeCluster.listen(2)
    fake.handle('FindCoordinator', coordinators(fake))
    fake.handle('OffsetFetch', offsets())
    await using cluster = await fake.open()
    const found = await groupOffsets(cluster, names)
    expect(found.size).toBe(700)
    expect(found.get('g77')).toEqual([
      { topic: 't', partition: 0, offset: 77n, leaderEpoch: 3, metadata: 'm' },
    ])
    expect([fake.asked('FindCoordinator'), fake.asked('OffsetFetch')]).toEqual([1, 2])
  })

  test('one by one where brokers take no more', async () => {
    const old = { FindCoordinator: 3, OffsetFetch: 7 }
    await using fake = await FakeCluster.listen(2, { ApiVersions: ({ reply }) => reply(apiVersions(old)) })
    fake.handle('FindCoordinator', coordinators(fake))
    fake.handle('OffsetFetch', offsets())
    await using cluster = await fake.open()
    const found = await groupOffsets(cluster, names.slice(0, 40))
    expect([...found].map(([group, rows]) => [group, rows[0]?.offset])).toEqual(
      expect.arrayContaining(names.slice(0, 40).map((group, i) => [group, BigInt(i)])),
    )
    expect([fake.asked('FindCoordinator'), fake.asked('OffsetFetch')]).toEqual([40, 40])
  })

  test('those alone again whose coordinator moved; one that is refused keeps no other back', async () => {
    const moved = new Set<string>()
    await using fake = await FakeCluster.listen(2)
    fake.handle('FindCoordinator', coordinators(fake))
    fake.handle(
      'OffsetFetch',
      offsets((_, group) => {
        if (group === 'g5') return 30
        if (group !== 'g8' || moved.has(group)) return 0
        moved.add(group)
        return ERROR.NOT_COORDINATOR
      }),
    )
    await using cluster = await fake.open()
    const refused: string[] = []
    const found = await groupOffsets(cluster, names.slice(0, 20), {
      refused: (group, { message }) => refused.push(`${group}: ${message}`),
    })
    expect(found.get('g8')?.[0]?.offset).toBe(8n)
    expect(found.size).toBe(19)
    expect(refused).toEqual([expect.stringMatching(/g5: offsets of group 'g5': GROUP_AUTHORIZATION_FAILED/)])
    expect(fake.asked('OffsetFetch')).toBe(3)
  })
})
