import { type Cluster, type Codec, createTopics, encodeBatch, Produce } from '../../src/kafka/index.ts'

/** What issue and design ask of a case: `cpu` and `ratio` against tuned MirrorMaker 2, `ofLocal` against `near`. */
export type Must = { ofLimit?: number; ratio?: number; cpu?: number; ofLocal?: number }

export type Case = {
  name: string
  topic: string
  partitions: number
  /** Bytes of a value. */
  size: number
  perBatch: number
  codec: Codec
  /** Records in a batch of what only produces: as many as the mirror's own batches hold. */
  limitPerBatch: number
  /** Part of the records that are asked for; default all. */
  share?: number
  /** Round trip to the source by way of a link; without it there is none. */
  awayMs?: number
  /** Only kmig copies it: it is what another is held against. */
  alone?: true
  must: Must
}

const KB = { partitions: 12, size: 1000, perBatch: 64, codec: 0, limitPerBatch: 64 } as const
const TINY = { size: 100, perBatch: 1, codec: 0, limitPerBatch: 1 } as const

export const CASES: readonly Case[] = [
  { ...KB, name: '1 KB, 64 KB batches', topic: 'kb', must: { ofLimit: 0.75, ratio: 5, cpu: 7 } },
  { ...KB, name: '1 KB json, lz4', topic: 'kbl', codec: 3, must: { ofLimit: 0.75 } },
  { ...KB, name: '1 KB json, zstd', topic: 'kbz', codec: 4, must: { ofLimit: 0.75, ratio: 7, cpu: 20 } },
  {
    ...TINY,
    name: '100 B, one record a batch',
    topic: 'tiny',
    partitions: 12,
    must: { ofLimit: 0.75, ratio: 4, cpu: 6 },
  },
  {
    ...TINY,
    name: 'same, one partition',
    topic: 'tiny1',
    partitions: 1,
    share: 0.2,
    must: { ofLimit: 0.75, ratio: 3, cpu: 6 },
  },
]

/** The source behind a link: without delay, which is the local rate, and 80 ms away. */
export const AWAY: readonly Case[] = [
  { ...KB, name: '1 KB by a link', topic: 'near', awayMs: 0, alone: true, must: {} },
  { ...KB, name: '1 KB, 80 ms away', topic: 'far', awayMs: 80, must: { ofLocal: 0.85 } },
]

export const recordsOf = ({ share = 1 }: Case, records: number): number => Math.round(records * share)

/** Numbers that look random and are the same in each run. */
const random = (seed: number) => () => {
  seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0
  return seed
}

/** JSON as events are: the same keys each time, half of the bytes new ones; lz4 halves it, zstd makes it a third. */
const json = (i: number, size: number): Buffer => {
  const next = random(i + 1)
  const fields: string[] = [`{"id":${i},"at":${1_700_000_000_000 + i}`]
  for (let field = 0, length = 40; length < size; field++) {
    fields.push(`"attribute_${field}":"${next().toString(16)}","count_${field}":${next() % 10_000}`)
    length += fields.at(-1)?.length ?? 0
  }
  return Buffer.from(
    fields
      .join(',')
      .slice(0, size - 1)
      .concat('}'),
  )
}

/** Sixteen batches of the case's records, `perBatch` in each. */
export const batchesOf = ({ size, codec }: Case, perBatch: number): Buffer[] =>
  Array.from({ length: 16 }, (_, b) =>
    encodeBatch(
      Array.from({ length: perBatch }, (_, i) => ({ value: json(b * perBatch + i, size) })),
      { codec },
    ),
  )

/** Makes the topic and writes the records, or a few more so that each partition holds as many. */
export const fill = async (cluster: Cluster, each: Case, records: number): Promise<void> => {
  const { topic, partitions, perBatch } = each
  await createTopics(cluster, [{ name: topic, partitions, replicationFactor: 1 }])
  const batches = batchesOf(each, perBatch)
  const connection = await cluster.connection(cluster.leaderOf(topic, 0)?.nodeId ?? 0, 'fill')
  let left = Math.ceil(records / perBatch / partitions)
  const sender = async () => {
    while (left-- > 0) {
      const records = batches[left & 15] ?? Buffer.alloc(0)
      const topics = [
        { topic, partitions: Array.from({ length: partitions }, (_, partition) => ({ partition, records })) },
      ]
      const answer = await connection.send(
        Produce,
        { acks: 1, timeoutMs: 30_000, topics },
        { timeoutMs: 60_000 },
      )
      const failed = answer.topics[0]?.partitions.find(({ errorCode }) => errorCode !== 0)
      if (failed) throw new Error(`${topic} could not be filled: error ${failed.errorCode}`)
    }
  }
  const start = performance.now()
  await Promise.all(Array.from({ length: 8 }, sender))
  process.stderr.write(`${topic} filled in ${((performance.now() - start) / 1000).toFixed(1)} s\n`)
}
