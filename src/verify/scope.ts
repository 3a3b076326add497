import {
  type Cluster,
  type ConfigEntry,
  describeTopicConfigs,
  EARLIEST,
  ERROR,
  LATEST,
  partitionKey,
  type TopicMetadata,
} from '../kafka/index.ts'
import type { During } from '../kit/index.ts'
import { topicChooser } from '../mirror/index.ts'
import type { Within } from './options.ts'

export type Ends = { start: bigint; end: bigint }
export type PartitionScope = {
  topic: string
  partition: number
  /** Log start, and end of what is committed, as they were when the run began. */
  source: Ends
  target: Ends
  /** Offsets above the source's last stable one: transactions that are open. */
  open: bigint
}
export type TopicScope = {
  topic: string
  source: TopicMetadata
  /** undefined where the target does not have it. */
  target: TopicMetadata | undefined
  configs: { source: readonly ConfigEntry[]; target: readonly ConfigEntry[] }
  compacted: boolean
  /** Those that both sides have. */
  partitions: PartitionScope[]
  /** Why a partition's ends can't be had. */
  unreadable: { partition: number; code: string; message: string }[]
}

export type ScopeOptions = During & {
  source: Cluster
  target: Cluster
  topics: readonly string[] | undefined
  exclude: readonly string[] | undefined
  /** As of `VerifyOptions`. */
  within: Within | undefined
}

/**
 * What is to be compared. The target's ends are taken before the source's, so that a mirror that runs meanwhile never
 * makes the target look longer than the source.
 */
export const scopeOf = async ({
  source,
  target,
  topics,
  exclude,
  within,
  signal,
}: ScopeOptions): Promise<TopicScope[]> => {
  const chosen = topicChooser({ topics, exclude })
  const ours = (await source.metadata('all', { signal })).filter(
    ({ name, error }) => error === 0 && chosen(name),
  )
  ours.sort((a, b) => (a.name < b.name ? -1 : 1))
  const names = ours.map(({ name }) => name)
  if (names.length === 0) return []
  const theirs = (await target.metadata(names, { signal })).filter(
    ({ error }) => error !== ERROR.UNKNOWN_TOPIC_OR_PARTITION,
  )
  const there = theirs.map(({ name }) => name)
  const pairs = ours.flatMap(topic => {
    const other = theirs.find(({ name }) => name === topic.name)
    const shared = Math.min(topic.partitions.length, other?.partitions.length ?? 0)
    return Array.from({ length: shared }, (_, partition) => ({ topic: topic.name, partition }))
  })
  const failures = new Map<string, Error>()
  const refused = (key: string, error: Error) => void failures.set(key, error)
  const ask = (cluster: Cluster, timestamp: bigint, isolation: 'read_committed' | 'read_uncommitted') =>
    cluster.listOffsets(
      pairs.map(pair => ({ ...pair, timestamp })),
      { signal, isolation, refused },
    )
  const targetEnds = await ask(target, LATEST, 'read_committed')
  const targetStarts = await ask(target, EARLIEST, 'read_uncommitted')
  const sourceStarts = await ask(source, EARLIEST, 'read_uncommitted')
  const [sourceEnds, watermarks, ourConfigs, theirConfigs] = await Promise.all([
    ask(source, LATEST, 'read_committed'),
    ask(source, LATEST, 'read_uncommitted'),
    describeTopicConfigs(source, names, { signal }),
    there.length > 0 ? describeTopicConfigs(target, there, { signal }) : new Map<string, ConfigEntry[]>(),
  ])
  return ours.map(topic => {
    const configs = { source: ourConfigs.get(topic.name) ?? [], target: theirConfigs.get(topic.name) ?? [] }
    const mine = pairs.filter(
      ({ topic: of, partition }) =>
        of === topic.name && (within === undefined || within.has(partitionKey(of, partition))),
    )
    const at = (found: Map<string, { offset: bigint }>, partition: number) =>
      found.get(`${topic.name}-${partition}`)?.offset ?? 0n
    return {
      topic: topic.name,
      source: topic,
      target: theirs.find(({ name }) => name === topic.name),
      configs,
      compacted: configs.source.some(
        ({ name, value }) => name === 'cleanup.policy' && /\bcompact\b/.test(value ?? ''),
      ),
      partitions: mine
        .filter(({ partition }) => !failures.has(`${topic.name}-${partition}`))
        .map(({ partition }) => ({
          topic: topic.name,
          partition,
          source: { start: at(sourceStarts, partition), end: at(sourceEnds, partition) },
          target: { start: at(targetStarts, partition), end: at(targetEnds, partition) },
          open: at(watermarks, partition) - at(sourceEnds, partition),
        })),
      unreadable: mine.flatMap(({ partition }) => {
        const error = failures.get(`${topic.name}-${partition}`)
        if (!error) return []
        return [{ partition, code: (error as { code?: string }).code ?? 'BUG', message: error.message }]
      }),
    }
  })
}
