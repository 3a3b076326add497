import {
  DescribeLogDirs,
  describeProducers,
  ListPartitionReassignments,
  listOpenTransactions,
  partitionKey,
} from '../../kafka/index.ts'
import { type During, formatBytes, formatCount, formatDuration } from '../../kit/index.ts'
import { concerning, transactionText } from '../proof/index.ts'
import { type Facts, movingOf, type Side, settingOf, tried } from './facts.ts'
import { about, type Finding, looked, notChecked, type Outcome } from './finding.ts'

type Found = Omit<Finding, 'id'>

const WITHIN_MS = 15_000
/** A transaction that is open for so long is told: it may hold the fence. */
const LONG_MS = 10_000
/** Retention, or the life of tombstones, that is shorter than this can overtake a copy. */
const SHORT_MS = 6 * 3_600_000
const PADDING_MOST = 5_000_000_000n
/** Part of a disk that may be full when all is copied. */
const FULL = 0.85

/** What can get into the way of the copy. */
export const copyChecks = async (facts: Facts, during: During): Promise<Outcome[]> => [
  await reassigning(facts, during),
  await openTransactions(facts, during),
  await disk(facts, during),
  ...races(facts),
  padding(facts),
]

const reassigning = async ({ old, next }: Facts, { signal }: During): Promise<Outcome> => {
  const found: Found[] = []
  for (const { name, cluster } of [old, next]) {
    const seen = await tried(
      () =>
        cluster.controller(
          ListPartitionReassignments,
          { timeoutMs: WITHIN_MS },
          { signal, withinMs: WITHIN_MS },
        ),
      { signal },
    )
    if (seen.kind === 'unseen') return notChecked('reassignment-active', seen.why)
    const { errorCode, errorMessage, topics } = seen.value
    if (errorCode !== 0)
      return notChecked('reassignment-active', `'${name}' answers error ${errorCode}: ${errorMessage ?? ''}`)
    const moving = topics.flatMap(({ topic, partitions }) =>
      partitions.map(
        ({ partition, adding, removing }) =>
          `${partitionKey(topic, partition)} (adding ${adding.join(',') || 'none'}, removing ${removing.join(',') || 'none'})`,
      ),
    )
    found.push(
      ...about(moving, {
        severity: 'error',
        evidence: names => `replicas are being moved on '${name}': ${names}`,
        fix: 'wait until kafka-reassign-partitions --verify says that it is complete, or cancel it',
      }),
    )
  }
  return looked('reassignment-active', found)
}

const openTransactions = async ({ old, moving }: Facts, { signal }: During): Promise<Outcome> => {
  const within = { signal, withinMs: WITHIN_MS }
  const wheres = movingOf(old, moving).flatMap(({ name, partitions }) =>
    partitions.flatMap(({ partition, leader }) => (leader < 0 ? [] : [{ topic: name, partition }])),
  )
  const listed = await tried(() => listOpenTransactions(old.cluster, within), { signal })
  if (listed.kind === 'seen') {
    const keys = new Set(wheres.map(({ topic, partition }) => partitionKey(topic, partition)))
    const now = Date.now()
    return looked(
      'open-transaction',
      concerning(listed.value, keys).flatMap(each =>
        held(transactionText(each, now), {
          ageMs: each.startMs === undefined ? 0 : now - each.startMs,
          timeoutMs: each.timeoutMs ?? Number.POSITIVE_INFINITY,
        }),
      ),
    )
  }
  // brokers before 3.0 tell where one is open, but not by its id
  const producers = await tried(() => describeProducers(old.cluster, wheres, within), { signal })
  if (producers.kind === 'unseen') return notChecked('open-transaction', producers.why)
  return looked(
    'open-transaction',
    [...producers.value].flatMap(([where, states]) =>
      states.flatMap(({ producerId, transactionStart, lastMs }) => {
        if (transactionStart === undefined) return []
        const text = `producer ${producerId} has a transaction open on ${where} from offset ${transactionStart} on`
        return held(text, { ageMs: lastMs > 0 ? Date.now() - lastMs : 0, timeoutMs: LONGEST_MS })
      }),
    ),
  )
}

/** The longest that brokers let a transaction be open by default. Kafka: transaction.max.timeout.ms. */
const LONGEST_MS = 15 * 60_000

const held = (text: string, { ageMs, timeoutMs }: { ageMs: number; timeoutMs: number }): Found[] => {
  const hangs = ageMs > timeoutMs
  if (ageMs < LONG_MS && !hangs) return []
  return [
    {
      severity: hangs ? 'error' : 'warning',
      evidence: `${text}; nothing behind it is copied until it ends`,
      fix: 'end that application, or kafka-transactions.sh abort; or stop it before the cutover',
    },
  ]
}

type Disks = {
  broker: number
  told: boolean
  usable: bigint
  total: bigint
  held: Map<string, bigint>
  broken: string[]
}

const disksOf = async ({ cluster, brokers }: Side, { signal }: During): Promise<Disks[]> =>
  await Promise.all(
    brokers.map(async ({ nodeId }) => {
      const asked = { signal, withinMs: WITHIN_MS }
      const { errorCode, directories } = await cluster.broker(
        nodeId,
        DescribeLogDirs,
        { topics: null },
        asked,
      )
      const held = new Map<string, bigint>()
      for (const { topics } of directories)
        for (const { topic, partitions } of topics)
          for (const { partition, bytes } of partitions) held.set(partitionKey(topic, partition), bytes)
      const sum = (pick: 'usableBytes' | 'totalBytes') =>
        directories.reduce((all, each) => (each[pick] < 0n || all < 0n ? -1n : all + each[pick]), 0n)
      const broken = directories.flatMap(({ path, errorCode }) =>
        errorCode === 0 ? [] : [`broker ${nodeId}: ${path} (error ${errorCode})`],
      )
      const told = errorCode === 0 && directories.length > 0
      return { broker: nodeId, told, usable: sum('usableBytes'), total: sum('totalBytes'), held, broken }
    }),
  )

/** What is still to be copied, over all replicas, against what the new brokers' volumes have left. */
const disk = async ({ old, next, moving }: Facts, { signal }: During): Promise<Outcome> => {
  const seen = await tried(() => Promise.all([disksOf(old, { signal }), disksOf(next, { signal })]), {
    signal,
  })
  if (seen.kind === 'unseen') return notChecked('disk', seen.why)
  const [theirs, ours] = seen.value
  const broken = about(
    [...theirs, ...ours].flatMap(each => each.broken),
    {
      severity: 'error',
      evidence: names => `log directories are offline: ${names}`,
      fix: 'replace the disk, and restart the broker',
    },
  )
  const dumb = ours.find(({ usable, told }) => usable < 0n || !told)
  if (dumb && broken.length === 0)
    return notChecked(
      'disk',
      `broker ${dumb.broker} of '${next.name}' does not tell its disk (needs 3.3, and Describe on the cluster)`,
    )
  const most = (disks: readonly Disks[], where: string) =>
    disks.reduce(
      (largest, { held }) => ((held.get(where) ?? 0n) > largest ? (held.get(where) ?? 0n) : largest),
      0n,
    )
  const needed = movingOf(old, moving).reduce((sum, { partitions, name }) => {
    const replicas = BigInt(Math.min(partitions[0]?.replicas.length ?? 1, next.brokers.length))
    return partitions.reduce((total, { partition }) => {
      const where = partitionKey(name, partition)
      const left = most(theirs, where) - most(ours, where)
      return left > 0n ? total + left * replicas : total
    }, sum)
  }, 0n)
  const usable = ours.reduce((sum, each) => sum + each.usable, 0n)
  const total = ours.reduce((sum, each) => sum + each.total, 0n)
  const after = total > 0n ? Number(total - usable + needed) / Number(total) : 0
  if (after <= FULL) return looked('disk', broken)
  const evidence = `${formatBytes(Number(needed))} are still to be written on '${next.name}' (all replicas), ${formatBytes(Number(usable))} of ${formatBytes(Number(total))} are free: ${Math.round(after * 100)} % full then`
  return looked('disk', [
    ...broken,
    {
      severity: needed > usable ? 'error' : 'warning',
      evidence,
      fix: 'add disk or brokers, or move fewer topics at once: --topics',
    },
  ])
}

/** What the source deletes by time, and how soon. */
const races = ({ old, moving, plan }: Facts): Outcome[] => {
  if (old.topicConfigs.kind === 'unseen')
    return (['retention-race', 'tombstone-race'] as const).map(id =>
      notChecked(id, old.topicConfigs.kind === 'unseen' ? old.topicConfigs.why : ''),
    )
  const configs = [...old.topicConfigs.value].filter(([topic]) => moving.has(topic))
  const behind = new Set(
    plan.topics.flatMap(({ topic, partitions }) =>
      partitions.some(({ copied, end }) => copied === undefined || copied < end) ? [topic] : [],
    ),
  )
  const short = (setting: string, policy: 'delete' | 'compact') =>
    configs.flatMap(([topic, entries]) => {
      const is = (settingOf(entries, 'cleanup.policy') ?? '').includes(policy)
      const ms = Number(settingOf(entries, setting) ?? -1)
      return is && behind.has(topic) && ms >= 0 && ms < SHORT_MS ? [`${topic} (${formatDuration(ms)})`] : []
    })
  return [
    looked(
      'retention-race',
      about(short('retention.ms', 'delete'), {
        severity: 'warning',
        evidence: names => `'${old.name}' may delete records before they are copied: ${names}`,
        fix: 'raise retention.ms there until the mirror has caught up; the mirror forecasts when it would be passed',
      }),
    ),
    looked(
      'tombstone-race',
      about(short('delete.retention.ms', 'compact'), {
        severity: 'warning',
        evidence: names =>
          `tombstones live so short that the copy may miss one and keep the record: ${names}`,
        fix: 'raise delete.retention.ms there until the mirror has caught up',
      }),
    ),
  ]
}

const padding = ({ plan }: Facts): Outcome => {
  const pads = plan.topics.flatMap(({ topic, partitions }) =>
    partitions.map(({ partition, padding }) => ({ where: partitionKey(topic, partition), padding })),
  )
  const all = pads.reduce((sum, { padding }) => sum + padding, 0n)
  if (all <= PADDING_MOST) return looked('padding-cost')
  const most = pads.toSorted((a, b) => (a.padding > b.padding ? -1 : 1))
  return looked('padding-cost', [
    {
      severity: 'error',
      evidence: `identical offsets take ${formatCount(all)} offsets of padding, most of them ${most
        .slice(0, 3)
        .map(({ where, padding }) => `${where} (${formatCount(padding)})`)
        .join(', ')}`,
      fix: 'kmig mirror --padding-limit with that number, or --offsets translated for these topics',
    },
  ])
}
