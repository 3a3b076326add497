import { partitionKey } from '../kafka/index.ts'
import type { Within } from './options.ts'
import type { Places } from './places.ts'
import type { PartitionScope, TopicScope } from './scope.ts'

const least = (a: bigint, b: bigint): bigint => (a < b ? a : b)
const most = (a: bigint, b: bigint): bigint => (a > b ? a : b)

/** Cuts what is compared down to a range of source offsets, and to where its copy begins. */
export const narrowed = (
  topics: readonly TopicScope[],
  within: Within | undefined,
  placesOf: (topic: string, partition: number) => Places,
): TopicScope[] =>
  topics.map(topic => ({
    ...topic,
    partitions: topic.partitions.map(scope => {
      const range = within?.get(partitionKey(scope.topic, scope.partition))
      return range ? narrow(scope, range, placesOf(scope.topic, scope.partition)) : scope
    }),
  }))

/** Below the range nothing is missing; where the source begins within it, what it has deleted is. */
const narrow = (
  scope: PartitionScope,
  { from = 0n, to }: { from?: bigint | undefined; to: bigint },
  { toTarget }: Places,
): PartitionScope => {
  const { source, target } = scope
  const end = least(source.end, to)
  const image = from > 0n ? toTarget(from) : 0n
  return {
    ...scope,
    source: { start: least(most(source.start, from), most(end, source.start)), end: most(end, source.start) },
    target: { start: least(most(target.start, image), target.end), end: target.end },
  }
}
