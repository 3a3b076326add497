import { type Cluster, Fetch, headers, recordsOf } from '../src/kafka/index.ts'

/** A record with where it stands, in a form that compares. */
export type Seen = {
  offset: bigint
  timestamp: bigint
  key: string | null
  value: string | null
  headers: string[]
}

/** Every visible record of a partition, read in the raw. */
export const logOf = async (cluster: Cluster, topic: string, partition: number): Promise<Seen[]> => {
  await cluster.metadata([topic])
  const ask = async (timestamp: bigint) =>
    (await cluster.listOffsets([{ topic, partition, timestamp }])).get(`${topic}-${partition}`)?.offset ?? 0n
  const start = await ask(-2n)
  const end = await ask(-1n)
  const seen: Seen[] = []
  const text = (field: Buffer | null) => field?.toString('base64') ?? null
  for (let at = start; at < end; ) {
    const connection = await cluster.connection(cluster.leaderOf(topic, partition)?.nodeId ?? 0, 'test')
    const topics = [{ topic, partitions: [{ partition, fetchOffset: at, partitionMaxBytes: 8 << 20 }] }]
    const answer = await connection.send(
      Fetch,
      { maxWaitMs: 100, minBytes: 1, maxBytes: 8 << 20, isolationLevel: 1, topics },
      { timeoutMs: 10_000 },
    )
    const records = answer.topics[0]?.partitions[0]?.records ?? Buffer.alloc(0)
    for (const { at: from, header } of headers(records)) {
      if (header.lastOffset < at) continue
      for (const { offset, timestamp, key, value, headers: all } of recordsOf(records, from)) {
        if (offset < at) continue
        const named = all.map(h => `${h.key}=${text(h.value)}`)
        seen.push({ offset, timestamp, key: text(key), value: text(value), headers: named })
      }
      at = header.lastOffset + 1n
    }
  }
  return seen
}
