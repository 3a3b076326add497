import {
  type Cluster,
  createTopics,
  deleteTopics,
  InitProducerId,
  WriteTxnMarkers,
} from '../../src/kafka/index.ts'
import { formatCount, parseBootstrap } from '../../src/kit/index.ts'
import { runMirror } from '../../src/mirror/index.ts'
import { MirrorWorld, transactions } from '../mirror-world.ts'
import { median, table } from './measure.ts'

const ROUNDS = 5
const ENTRIES = [1, 10, 100, 500, 2_000]

/**
 * What filling holes takes on one near broker: control records a second by how many one request has, for one partition;
 * and a transactional topic, copied with its holes filled and without.
 */
export const bench = async (args: readonly string[]): Promise<void> => {
  const rounds = Number(args.find(arg => /^\d+$/.test(arg)) ?? 1_000)
  await using world = await MirrorWorld.open()
  process.stdout.write(`${table(await markers(world.next))}\n\n${table(await copies(world, rounds))}\n`)
}

const markers = async (cluster: Cluster): Promise<string[][]> => {
  await createTopics(cluster, [{ name: 'markers', partitions: 1, replicationFactor: 1 }])
  await cluster.metadata(['markers'])
  const { producerId } = await cluster.any(InitProducerId, { transactionalId: null, transactionTimeoutMs: 0 })
  const connection = await cluster.connection(cluster.leaderOf('markers', 0)?.nodeId ?? 0, 'bench')
  const rows = [['markers a request', 'requests/s', 'markers/s']]
  for (const entries of ENTRIES) {
    const topics = [{ topic: 'markers', partitions: [0] }]
    const marker = { producerId, producerEpoch: 0, committed: true, topics, coordinatorEpoch: 0 }
    const request = { markers: Array.from({ length: entries }, () => marker) }
    const times: number[] = []
    const requests = Math.max(4, Math.ceil(2_000 / entries))
    for (let round = 0; round < ROUNDS; round++) {
      const start = performance.now()
      for (let i = 0; i < requests; i++)
        await connection.send(WriteTxnMarkers, request, { timeoutMs: 60_000 })
      times.push((performance.now() - start) / requests)
    }
    const ms = median(times)
    rows.push([
      `${entries}`,
      formatCount(Math.round(1000 / ms)),
      formatCount(Math.round((entries * 1000) / ms)),
    ])
  }
  return rows
}

const copies = async (world: MirrorWorld, rounds: number): Promise<string[][]> => {
  await world.make('txn', 1)
  await transactions(world, 'txn', { rounds })
  const rows = [['one partition', 'records', 'holes', 'runs', 'copied in s', 'ms a hole']]
  for (const offsets of ['identical', 'translated'] as const) {
    const report = await runMirror({
      from: { name: 'old', bootstrap: parseBootstrap(world.bootstrap('old')) },
      to: { name: 'new', bootstrap: parseBootstrap(world.bootstrap('new')) },
      name: offsets,
      topics: ['txn'],
      groups: ['none'],
      stateDir: world.stateDir,
      signal: new AbortController().signal,
      untilCaughtUp: true,
      offsets,
    })
    const [copy] = report.partitions
    const holes = Number(copy?.holes ?? 0n)
    rows.push([
      offsets,
      formatCount(report.records),
      formatCount(holes),
      formatCount(copy?.runs ?? 0),
      (report.copyMs / 1000).toFixed(2),
      (report.copyMs / Math.max(1, copy?.runs ?? 1)).toFixed(2),
    ])
    await deleteTopics(world.next, ['txn'])
  }
  return rows
}
