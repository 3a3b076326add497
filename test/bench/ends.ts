import { type Cluster, LATEST } from '../../src/kafka/index.ts'

/** How many offsets the topics hold together; 0 while they are not there. */
export const heldBy = async (cluster: Cluster, topics: readonly string[]): Promise<bigint> => {
  const asks = (await cluster.metadata(topics)).flatMap(({ name, partitions }) =>
    partitions.map(({ partition }) => ({ topic: name, partition, timestamp: LATEST })),
  )
  const ends = await cluster.listOffsets(asks, { refused: () => {} })
  return [...ends.values()].reduce((sum, { offset }) => sum + offset, 0n)
}
