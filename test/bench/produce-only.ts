import { Cluster, type Connection, createTopics, Produce } from '../../src/kafka/index.ts'
import { parseBootstrap } from '../../src/kit/index.ts'
import { AWAY, batchesOf, CASES } from './cases.ts'

/**
 * The limit that a mirror is held against: a process that only produces, from memory, the same records in batches of
 * the size that the mirror sends, one per partition and request, on two connections with five requests under way each.
 * Prints the ms from the first request to the last answer.
 */
const [bootstrap = '', topic = '', kind = 'kb', records = '1000000'] = process.argv.slice(2)
const CONNECTIONS = 2
const DEPTH = 5
const chosen = [...CASES, ...AWAY].find(each => each.topic === kind)
if (!chosen) throw new Error(`no case ${kind}`)
const { partitions, limitPerBatch } = chosen

await using cluster = await Cluster.open({ bootstrap: parseBootstrap(bootstrap) })
const configs = { 'compression.type': 'producer' }
await createTopics(cluster, [{ name: topic, partitions, replicationFactor: 1, configs }])
const batches = batchesOf(chosen, limitPerBatch)
const rounds = Math.ceil(Number(records) / limitPerBatch / partitions)

const send = async (connection: Connection, share: readonly number[], records: Buffer): Promise<void> => {
  const topics = [{ topic, partitions: share.map(partition => ({ partition, records })) }]
  const answer = await connection.send(
    Produce,
    { acks: -1, timeoutMs: 30_000, topics },
    { timeoutMs: 60_000 },
  )
  for (const { errorCode } of answer.topics[0]?.partitions ?? [])
    if (errorCode !== 0) throw new Error(`error ${errorCode}`)
}
const pump = async (slot: number): Promise<void> => {
  const share = Array.from({ length: partitions }, (_, p) => p).filter(p => p % CONNECTIONS === slot)
  if (share.length === 0) return
  const connection = await cluster.connection(cluster.leaderOf(topic, 0)?.nodeId ?? 0, `limit-${slot}`)
  let left = rounds
  await Promise.all(
    Array.from({ length: DEPTH }, async () => {
      while (left-- > 0) await send(connection, share, batches[left & 15] ?? Buffer.alloc(0))
    }),
  )
}
const parts = Array.from({ length: partitions }, (_, partition) => ({ topic, partition, timestamp: -1n }))
await cluster.listOffsets(parts) // every leader is in office
const start = performance.now()
await Promise.all(Array.from({ length: CONNECTIONS }, (_, slot) => pump(slot)))
process.stdout.write(`${performance.now() - start}\n`)
