import { partitionKey } from '../../kafka/index.ts'
import type { Facts, Partition, Side, Topic } from './facts.ts'
import { settingOf } from './facts.ts'
import { about, type Finding, looked, type Outcome } from './finding.ts'

type Found = Omit<Finding, 'id'>
type Row = { where: string; topic: string; of: Partition; minIsr: number | undefined }

/** The topics that move, and those that Kafka keeps offsets and transactions in. */
const INTERNAL: ReadonlySet<string> = new Set(['__consumer_offsets', '__transaction_state'])

/** Replicas of both clusters: whether each partition can be read, written, and can bear the loss of a broker. */
export const replicaChecks = ({ old, next, moving, plan }: Facts): Outcome[] => {
  const sides = [old, next].map(side => ({ side, rows: rowsOf(side, moving) }))
  const each = (find: (rows: readonly Row[], side: Side) => Found[]): Found[] =>
    sides.flatMap(({ side, rows }) => find(rows, side))
  return [
    looked('offline', each(offline)),
    looked('urp', each(underReplicated)),
    looked('under-min-isr', each(underMinIsr)),
    looked('rf-below-min-isr-plus-1', each(noSpare)),
    looked('rack-spread', each(oneRack)),
    ...refusedTopics({ old, next, plan }),
  ]
}

/** Topics that the mirror does not take as they are: for the number of their partitions, or for something else. */
const refusedTopics = ({ old, next, plan }: Pick<Facts, 'old' | 'next' | 'plan'>): Outcome[] => {
  const count = ({ topics }: Side, name: string) => topics.find(each => each.name === name)?.partitions.length
  const rows = plan.topics.map(({ topic, action, why }) => {
    const [theirs, ours] = [count(old, topic), count(next, topic)]
    const uneven = ours !== undefined && ours !== theirs && action !== 'grow'
    const counts = `it has ${theirs} partitions on '${old.name}' and ${ours} on '${next.name}'`
    return { uneven, refused: action === 'refuse', text: `topic ${topic}: ${uneven ? counts : why}` }
  })
  const found = (chosen: typeof rows): Found[] =>
    chosen.map(({ text }) => ({
      severity: 'error',
      evidence: text,
      fix: `delete it on '${next.name}' if nobody needs it there, so that it is copied anew; or leave it out: --exclude`,
    }))
  return [
    looked('partition-count', found(rows.filter(({ uneven }) => uneven))),
    looked('topic-refused', found(rows.filter(({ uneven, refused }) => refused && !uneven))),
  ]
}

const rowsOf = (side: Side, moving: ReadonlySet<string>): Row[] =>
  side.topics.flatMap((topic: Topic) => {
    const { name } = topic
    if (name === null || !(moving.has(name) || INTERNAL.has(name))) return []
    const min = minIsrOf(side, name)
    return topic.partitions.map(of => ({
      where: partitionKey(name, of.partition),
      topic: name,
      of,
      minIsr: min,
    }))
  })

const minIsrOf = ({ topicConfigs }: Side, topic: string): number | undefined => {
  if (topicConfigs.kind === 'unseen') return undefined
  const value = settingOf(topicConfigs.value.get(topic), 'min.insync.replicas')
  return value ? Number(value) : undefined
}

const offline = (rows: readonly Row[], { name }: Side): Found[] =>
  about(
    rows.filter(({ of }) => of.leader < 0).map(({ where }) => where),
    {
      severity: 'error',
      evidence: names => `partitions of '${name}' have no leader: ${names}`,
      fix: 'bring their brokers back, and see the controller’s log',
    },
  )

const underReplicated = (rows: readonly Row[], { name }: Side): Found[] =>
  about(
    rows
      .filter(({ of }) => of.leader >= 0 && of.isr.length < of.replicas.length)
      .map(({ where, of }) => `${where} (${of.isr.length} of ${of.replicas.length} in sync)`),
    {
      severity: 'warning',
      evidence: names => `under-replicated partitions of '${name}': ${names}`,
      fix: 'wait until the followers have caught up, or bring their brokers back',
    },
  )

const underMinIsr = (rows: readonly Row[], { name }: Side): Found[] =>
  about(
    rows
      .filter(({ of, minIsr }) => of.leader >= 0 && minIsr !== undefined && of.isr.length < minIsr)
      .map(({ where, of, minIsr }) => `${where} (${of.isr.length} in sync, ${minIsr} are asked for)`),
    {
      severity: 'error',
      evidence: names => `writers with acks=all are refused on '${name}': ${names}`,
      fix: 'bring replicas back, or lower min.insync.replicas of these topics',
    },
  )

const topicsOf = (rows: readonly Row[], wrong: (row: Row) => string | undefined): string[] => [
  ...new Map(
    rows.flatMap(row => {
      const text = wrong(row)
      return text === undefined ? [] : [[row.topic, text] as const]
    }),
  ).values(),
]

const noSpare = (rows: readonly Row[], { name, brokers }: Side): Found[] =>
  about(
    topicsOf(rows, ({ topic, of, minIsr }) =>
      minIsr !== undefined && of.replicas.length < minIsr + 1
        ? `${topic} (${of.replicas.length} replicas, min.insync.replicas ${minIsr})`
        : undefined,
    ),
    {
      severity: 'warning',
      evidence: names => `a broker of '${name}' that restarts stops writers or readers of: ${names}`,
      fix:
        brokers.length < 2
          ? 'a cluster of one broker has no other replica'
          : 'give these topics one replica more than min.insync.replicas',
    },
  )

const oneRack = (rows: readonly Row[], { name, brokers }: Side): Found[] => {
  const racks = new Map(brokers.map(({ nodeId, rack }) => [nodeId, rack]))
  if (new Set([...racks.values()].filter(rack => rack !== null)).size < 2) return []
  return about(
    topicsOf(rows, ({ topic, of }) => {
      const used = new Set(of.replicas.map(replica => racks.get(replica)))
      return of.replicas.length > 1 && used.size < 2 ? topic : undefined
    }),
    {
      severity: 'warning',
      evidence: names => `all replicas of a partition are in one rack on '${name}': ${names}`,
      fix: 'reassign these topics over the racks',
    },
  )
}
