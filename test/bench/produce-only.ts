import { Cluster, type Connection, createTopics, encodeBatch, Produce } from '../../src/kafka/index.ts'
import { parseBootstrap } from '../../src/kit/index.ts'

/**
 * The limit that a mirror is held against: a process that only produces, from memory, batches of the size that the
 * mirror sends, one per partition and request, on two connections with five requests under way each.
 * Prints the ms from the first request to the last answer.
 */
const [bootstrap = '', topic = '', partitions = '12', records = '1000000', size = '1000', perBatch = '64'] =
  process.argv.slice(2)
const CONNECTIONS = 2
const DEPTH = 5

await using cluster = await Cluster.open({ bootstrap: parseBootstrap(bootstrap) })
await createTopics(cluster, [
  {
    name: topic,
    partitions: Number(partitions),
    replicationFactor: 1,
    configs: { 'compression.type': 'producer' },
  },
])
const batch = encodeBatch(
  Array.from({ length: Number(perBatch) }, () => ({ value: Buffer.alloc(Number(size), 'x') })),
)
const rounds = Math.ceil(Number(records) / Number(perBatch) / Number(partitions))

const send = async (connection: Connection, share: readonly number[]): Promise<void> => {
  const topics = [{ topic, partitions: share.map(partition => ({ partition, records: batch })) }]
  const answer = await connection.send(
    Produce,
    { acks: -1, timeoutMs: 30_000, topics },
    { timeoutMs: 60_000 },
  )
  for (const { errorCode } of answer.topics[0]?.partitions ?? [])
    if (errorCode !== 0) throw new Error(`error ${errorCode}`)
}
const pump = async (slot: number): Promise<void> => {
  const share = Array.from({ length: Number(partitions) }, (_, p) => p).filter(p => p % CONNECTIONS === slot)
  if (share.length === 0) return
  const connection = await cluster.connection(cluster.leaderOf(topic, 0)?.nodeId ?? 0, `limit-${slot}`)
  let left = rounds
  await Promise.all(
    Array.from({ length: DEPTH }, async () => {
      while (left-- > 0) await send(connection, share)
    }),
  )
}
const parts = Array.from({ length: Number(partitions) }, (_, partition) => ({
  topic,
  partition,
  timestamp: -1n,
}))
await cluster.listOffsets(parts) // every leader is in office
const start = performance.now()
await Promise.all(Array.from({ length: CONNECTIONS }, (_, slot) => pump(slot)))
process.stdout.write(`${performance.now() - start}\n`)
