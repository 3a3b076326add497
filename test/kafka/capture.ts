/**
 * Records what kmig and real brokers say to each other, every API in every version that both speak, into
 * fixtures/wire/kafka-<version>.json: `node test/kafka/capture.ts [version...] [api...]`; with APIs named, the others keep
 * what they have. See fixtures/wire/README.md.
 */
import { readFile, writeFile } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import {
  AlterClientQuotas,
  type ApiTable,
  ApiVersions,
  Cluster,
  Connection,
  ConsumerGroupDescribe,
  CreateAcls,
  CreatePartitions,
  CreateTopics,
  createTopics,
  DeleteAcls,
  DeleteRecords,
  DeleteTopics,
  DescribeAcls,
  DescribeClientQuotas,
  DescribeConfigs,
  DescribeGroups,
  DescribeLogDirs,
  DescribeProducers,
  DescribeQuorum,
  DescribeTransactions,
  DescribeUserScramCredentials,
  encodeBatch,
  Fetch,
  FindCoordinator,
  Heartbeat,
  IncrementalAlterConfigs,
  InitProducerId,
  JoinGroup,
  kafkaJs,
  LeaveGroup,
  ListGroups,
  ListOffsets,
  ListPartitionReassignments,
  ListTransactions,
  Metadata,
  OffsetCommit,
  OffsetFetch,
  OffsetForLeaderEpoch,
  Produce,
  SyncGroup,
  WriteTxnMarkers,
} from '../../src/kafka/index.ts'
import { type HostPort, parseBootstrap, sleep } from '../../src/kit/index.ts'
import { Sandbox, type SandboxCluster, type Spec } from '../../src/sandbox/index.ts'
import { Reader } from '../../src/wire/index.ts'
import { authorizer, sandboxOptions } from '../sandbox-helper.ts'
import { joinNewGroup } from './new-group.ts'
import { setScramUser } from './scram-user.ts'

const SPECS: Spec[] = [
  { kind: 'kafka-zk', version: '2.8.2', brokers: 1, config: authorizer('kafka-zk') },
  { kind: 'kafka-zk', version: '3.9.2', brokers: 1, config: authorizer('kafka-zk') },
  { kind: 'kraft', version: '4.3.1', brokers: 1, config: authorizer('kraft') },
]

const KMIG = { clientSoftwareName: 'kmig', clientSoftwareVersion: '0.1.0' }

type Recorded = { api: string; version: number; request: string; response: string }

/** A relay that keeps the bodies of the frames that pass, in both directions. */
const relay = async (to: HostPort) => {
  const frames: { asked: Buffer[]; answered: Buffer[] } = { asked: [], answered: [] }
  const cut = (into: Buffer[]) => {
    let held = Buffer.alloc(0)
    return (chunk: Buffer) => {
      held = Buffer.concat([held, chunk])
      while (held.length >= 4 && held.length >= 4 + held.readInt32BE(0)) {
        const end = 4 + held.readInt32BE(0)
        into.push(held.subarray(4, end))
        held = held.subarray(end)
      }
    }
  }
  const server = createServer(socket => {
    const broker = connect(to)
    socket.on('data', cut(frames.asked)).pipe(broker)
    broker.on('data', cut(frames.answered)).pipe(socket)
  })
  await new Promise<void>(done => server.listen(0, '127.0.0.1', done))
  const { port } = server.address() as { port: number }
  return {
    frames,
    address: { host: '127.0.0.1', port },
    [Symbol.asyncDispose]: async () => void server.close(),
  }
}

const record = async (server: SandboxCluster): Promise<Recorded[]> => {
  const [broker] = parseBootstrap(server.bootstrap())
  if (!broker) throw new Error('no broker')
  await using cluster = await Cluster.open({ bootstrap: [broker] })
  await createTopics(cluster, [
    { name: 'orders', partitions: 2, replicationFactor: 1 },
    { name: 'txn', partitions: 1, replicationFactor: 1, configs: { 'retention.ms': '-1' } },
  ])
  const kafka = kafkaJs({ brokers: [broker] })
  await abortOneTransaction(kafka)
  const consumer = kafka.consumer({ groupId: 'readers' })
  await consumer.connect()
  await consumer.subscribe({ topics: ['orders'] })
  await consumer.run({ eachMessage: async () => {} })
  await cluster.coordinatorOf('emptied')
  await setScramUser(cluster, 'reader', 'a-password')
  if (server.spec.version === '4.3.1') await joinNewGroup(cluster, 'modern', ['orders'])
  try {
    return await play(broker)
  } finally {
    await consumer.disconnect()
  }
}

const abortOneTransaction = async (kafka: ReturnType<typeof kafkaJs>) => {
  const producer = kafka.producer({ transactionalId: 'x', idempotent: true, maxInFlightRequests: 1 })
  await producer.connect()
  for (const [outcome, value] of [
    ['abort', 'no'],
    ['commit', 'yes'],
  ] as const) {
    const transaction = await producer.transaction()
    await transaction.send({ topic: 'txn', messages: [{ value }] })
    await transaction[outcome]()
  }
  await producer.disconnect()
}

const play = async (broker: HostPort): Promise<Recorded[]> => {
  await using between = await relay(broker)
  await using connection = await Connection.open(between.address)
  const recorded: Recorded[] = []
  const limits = { timeoutMs: 20_000 }
  const { apiKeys } = await connection.send(ApiVersions, KMIG, limits)
  const sweep = async <QOut, Q, S, SIn>(
    table: ApiTable<QOut, Q, S, SIn>,
    request: Q | ((version: number) => Q),
  ) => {
    const theirs = apiKeys.find(({ apiKey }) => apiKey === table.key)
    const last = Math.min(theirs?.maxVersion ?? -1, table.versions[1])
    for (let version = Math.max(theirs?.minVersion ?? 0, table.versions[0]); version <= last; version++) {
      const asked = typeof request === 'function' ? (request as (v: number) => Q)(version) : request
      await connection.send(table, asked, { ...limits, version })
      const [sent, got] = [between.frames.asked.at(-1), between.frames.answered.at(-1)]
      recorded.push({
        api: table.name,
        version,
        request: sent?.toString('hex') ?? '',
        response: got?.toString('hex') ?? '',
      })
    }
  }

  const batch = () =>
    encodeBatch([
      { key: Buffer.from('k'), value: Buffer.from('v') },
      { key: null, value: null },
    ])
  await sweep(ApiVersions, KMIG)
  await sweep(Metadata, { topics: [{ name: 'orders' }, { name: 'absent' }] })
  await sweep(InitProducerId, {})
  await sweep(Produce, () => ({
    acks: -1,
    timeoutMs: 5_000,
    topics: [
      {
        topic: 'orders',
        partitions: [
          { partition: 0, records: [batch()] },
          { partition: 7, records: batch() },
        ],
      },
    ],
  }))
  await sweep(Fetch, {
    maxWaitMs: 100,
    minBytes: 1,
    maxBytes: 10_000,
    isolationLevel: 1,
    topics: [
      { topic: 'txn', partitions: [{ partition: 0, fetchOffset: 0n, partitionMaxBytes: 10_000 }] },
      {
        topic: 'orders',
        partitions: [
          {
            partition: 0,
            fetchOffset: 2n,
            lastFetchedEpoch: 0,
            currentLeaderEpoch: 0,
            partitionMaxBytes: 100,
          },
          { partition: 1, fetchOffset: 99n, partitionMaxBytes: 100 },
        ],
      },
    ],
  })
  await sweep(ListOffsets, {
    isolationLevel: 1,
    topics: [
      {
        topic: 'orders',
        partitions: [
          { partition: 0, timestamp: -1n },
          { partition: 1, timestamp: -2n },
        ],
      },
      { topic: 'txn', partitions: [{ partition: 0, timestamp: 1n }] },
    ],
  })
  await sweep(OffsetForLeaderEpoch, {
    topics: [
      {
        topic: 'orders',
        partitions: [
          { partition: 0, currentLeaderEpoch: 0, leaderEpoch: 0 },
          { partition: 1, currentLeaderEpoch: 9, leaderEpoch: 0 },
        ],
      },
    ],
  })
  await sweep(DeleteRecords, {
    topics: [
      {
        topic: 'orders',
        partitions: [
          { partition: 0, offset: 1n },
          { partition: 1, offset: 5n },
        ],
      },
    ],
    timeoutMs: 5_000,
  })
  const marker = {
    producerId: 7_000n,
    producerEpoch: 3,
    committed: true,
    topics: [{ topic: 'orders', partitions: [1, 7] }],
    coordinatorEpoch: 0,
  }
  await sweep(WriteTxnMarkers, { markers: [marker, marker] })
  await sweep(DescribeProducers, { topics: [{ topic: 'txn', partitions: [0, 7] }] })
  await sweep(ListTransactions, { states: ['Ongoing', 'CompleteCommit', 'Odd'], producerIds: [] })
  await sweep(DescribeTransactions, { transactionalIds: ['x', 'absent'] })
  await sweep(DescribeLogDirs, { topics: [{ topic: 'orders', partitions: [0, 7] }] })
  await sweep(DescribeQuorum, { topics: [{ topic: '__cluster_metadata', partitions: [{ partition: 0 }] }] })
  await sweep(ListPartitionReassignments, { timeoutMs: 5_000, topics: null })
  await sweep(FindCoordinator, { key: 'readers', keys: ['readers', 'emptied'] })
  await sweep(OffsetCommit, {
    groupId: 'emptied',
    topics: [
      {
        topic: 'orders',
        partitions: [
          { partition: 0, offset: 2n, leaderEpoch: 0, metadata: 'kept' },
          { partition: 1, offset: 0n },
        ],
      },
    ],
  })
  await sweep(OffsetFetch, {
    groupId: 'emptied',
    groups: [
      { groupId: 'emptied', topics: null },
      { groupId: 'nobody', topics: [{ topic: 'orders', partitions: [0] }] },
    ],
  })
  await sweep(ConsumerGroupDescribe, { groups: ['modern', 'readers', 'nobody'] })
  await sweep(ListGroups, {})
  await sweep(DescribeGroups, { groups: ['readers', 'nobody'] })
  const member = (version: number) => ({ groupId: `shared-${version}`, groupInstanceId: `one-${version}` })
  const joined = new Map<number, { memberId: string; generationId: number }>()
  for (const version of [5, 6, 7, 8, 9]) {
    const request = {
      ...member(version),
      sessionTimeoutMs: 30_000,
      rebalanceTimeoutMs: 30_000,
      memberId: '',
      protocolType: 'kmig',
      protocols: [{ name: 'kmig', metadata: Buffer.from('about me') }],
    }
    await sweep({ ...JoinGroup, versions: [version, version] }, request)
    const last = recorded.at(-1)
    if (last?.api !== 'JoinGroup' || last.version !== version) continue
    const body = new Reader(Buffer.from(last.response, 'hex'))
    const flexible = version >= JoinGroup.flexibleFrom
    body.int32()
    if (flexible) body.unsignedVarint()
    joined.set(version, JoinGroup.response.read(body, { version, flexible }))
  }
  const mine = (version: number) => {
    const { memberId, generationId } = joined.get(version + 2) ?? { memberId: '', generationId: 0 }
    return { ...member(version + 2), memberId, generationId }
  }
  await sweep(SyncGroup, version => ({
    ...mine(version),
    protocolType: 'kmig',
    protocolName: 'kmig',
    assignments: [{ memberId: mine(version).memberId, assignment: Buffer.from('yours') }],
  }))
  await sweep(Heartbeat, version => mine(version))
  await sweep(LeaveGroup, version => ({
    groupId: mine(version).groupId,
    members: [{ memberId: mine(version).memberId, groupInstanceId: mine(version).groupInstanceId }],
  }))
  await sweep(DescribeConfigs, {
    resources: [{ type: 2, name: 'txn', keys: ['retention.ms', 'cleanup.policy'] }],
    includeSynonyms: true,
  })
  await sweep(IncrementalAlterConfigs, {
    resources: [
      {
        type: 2,
        name: 'orders',
        configs: [
          { name: 'retention.ms', operation: 0, value: '9000000' },
          { name: 'segment.ms', operation: 1 },
        ],
      },
      { type: 2, name: 'txn', configs: [{ name: 'retention.ms', operation: 0, value: 'soon' }] },
    ],
  })
  const acl = { resourceType: 2, name: 'ord', patternType: 4, principal: 'User:a', host: '*' }
  await sweep(CreateAcls, {
    creations: [
      { ...acl, operation: 3, permission: 3 },
      { ...acl, name: '', operation: 99, permission: 3 },
    ],
  })
  const any = { resourceType: 1, name: null, patternType: 1, principal: null, host: null }
  await sweep(DescribeAcls, { ...any, operation: 1, permission: 1 })
  await sweep(DeleteAcls, { filters: [{ ...any, operation: 4, permission: 1 }] })
  const entity = [
    { type: 'user', name: 'a' },
    { type: 'client-id', name: null },
  ]
  await sweep(AlterClientQuotas, {
    entries: [
      { entity, ops: [{ key: 'request_percentage', value: 12.5 }] },
      { entity: [{ type: 'user', name: 'b' }], ops: [{ key: 'no_such_rate', value: 1 }] },
    ],
  })
  const quotas = () => connection.send(DescribeClientQuotas, { components: [] }, limits)
  while (!(await quotas()).entries?.length) await sleep(50) // a KRaft broker learns of them later
  await sweep(DescribeClientQuotas, { components: [] })
  await sweep(DescribeUserScramCredentials, { users: null })
  await sweep(CreateTopics, version => ({
    topics: [
      {
        name: `new-${version}`,
        partitions: 1,
        replicationFactor: 1,
        configs: [{ name: 'retention.ms', value: '-1' }],
      },
      { name: 'orders', partitions: 1, replicationFactor: 1 },
    ],
    timeoutMs: 10_000,
  }))
  await sweep(CreatePartitions, version => ({
    topics: [
      { name: 'new-5', count: 2 + version },
      { name: 'orders', count: 1 },
    ],
    timeoutMs: 10_000,
  }))
  await sweep(DeleteTopics, version => ({ names: [`new-${version + 1}`, 'absent'], timeoutMs: 10_000 }))
  return recorded
}

const wanted = process.argv.slice(2).filter(arg => /^\d/.test(arg))
const apis = process.argv.slice(2).filter(arg => !/^\d/.test(arg))
await using sandbox = await Sandbox.open(sandboxOptions())
for (const spec of SPECS.filter(({ version }) => wanted.length === 0 || wanted.includes(version))) {
  await using server = await sandbox.start(spec)
  const file = new URL(`../../fixtures/wire/kafka-${spec.version}.json`, import.meta.url)
  const all = await record(server)
  const kept = apis.length > 0 ? (JSON.parse(await readFile(file, 'utf8')) as Recorded[]) : []
  const recorded = [
    ...kept.filter(({ api }) => !apis.includes(api)),
    ...all.filter(({ api }) => apis.length === 0 || apis.includes(api)),
  ]
  const rows = recorded.map(row => JSON.stringify(row)).join(',\n')
  await writeFile(file, `[\n${rows}\n]\n`)
  process.stderr.write(`kafka ${spec.version}: ${recorded.length} exchanges\n`)
}
