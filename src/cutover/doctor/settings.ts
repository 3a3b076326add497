import { isAtLeast } from '../../kafka/index.ts'
import { formatBytes, formatDuration } from '../../kit/index.ts'
import type { Seen } from '../proof/index.ts'
import { type Facts, type Side, settingOf } from './facts.ts'
import { about, type CheckId, type Finding, looked, notChecked, type Outcome } from './finding.ts'

type Found = Omit<Finding, 'id'>

/** kmig's table of ends of logs and producers begins there. */
const OLDEST = '2.4'
/** The longest that a broker can be told to remember a producer. */
const LONGEST_MS = 2_147_483_647
const FOREVER = 9_223_372_036_854_775_807n

/** What brokers and topics are set to, and what that means for the copy and for the switch. */
export const settingChecks = (facts: Facts): Outcome[] => [
  versions(facts),
  perBroker('unclean-election', [facts.old, facts.next], unclean),
  perBroker('throttle-leftover', [facts.old, facts.next], side => throttled(side, facts.moving)),
  perBroker('auto-create', [facts.old, facts.next], autoCreate),
  perBroker('compression-not-producer', [facts.next], side => recompressed(side, facts)),
  perBroker('message-limit', [facts.next], side => tooLarge(side, facts)),
  perBroker('timestamp-limits', [facts.next], side => outOfTime(side, facts)),
  perBroker('producer-id-expiration', [facts.next], forgetful),
]

/** A check of settings: not made where one of the sides does not tell them. */
const perBroker = (id: CheckId, sides: readonly Side[], find: (side: Side) => Found[]): Outcome => {
  const dumb = sides.find(side => side.brokerConfigs.kind === 'unseen' || side.topicConfigs.kind === 'unseen')
  if (dumb) return notChecked(id, whyOf(dumb))
  return looked(id, sides.flatMap(find))
}
const whyOf = ({ brokerConfigs, topicConfigs }: Side): string =>
  [brokerConfigs, topicConfigs].flatMap(each => (each.kind === 'unseen' ? [each.why] : []))[0] ?? ''

const valuesIn = <K, V>(seen: Seen<ReadonlyMap<K, V>>): [K, V][] =>
  seen.kind === 'seen' ? [...seen.value] : []
/** Brokers on which a setting has a value of this kind. */
const brokersWith = ({ brokerConfigs }: Side, name: string, is: (value: string) => boolean): string[] =>
  valuesIn(brokerConfigs).flatMap(([broker, entries]) => {
    const value = settingOf(entries, name)
    return typeof value === 'string' && is(value) ? [`broker ${broker} (${value})`] : []
  })
const topicsWith = ({ topicConfigs }: Side, name: string, is: (value: string) => boolean): string[] =>
  valuesIn(topicConfigs).flatMap(([topic, entries]) => {
    const value = settingOf(entries, name)
    return typeof value === 'string' && is(value) ? [topic] : []
  })

const versions = ({ old, next }: Facts): Outcome => {
  const sides = [old, next]
  const dumb = sides.flatMap(({ versions }) => (versions.kind === 'unseen' ? [versions.why] : []))[0]
  if (dumb !== undefined) return notChecked('versions', dumb)
  return looked(
    'versions',
    sides.flatMap(({ name, versions }): Found[] => {
      const found = valuesIn(versions)
      const different = [...new Set(found.map(([, version]) => version))].sort()
      const ancient = found.filter(([, version]) => !isAtLeast(version, OLDEST)).map(([id]) => `broker ${id}`)
      const evidence = `brokers of '${name}' speak as different versions: ${different.join(', ')}`
      const fix = 'finish the upgrade first: which APIs answer depends on the broker that is asked'
      return [
        ...(different.length > 1 ? [{ severity: 'warning' as const, evidence, fix }] : []),
        ...about(ancient, {
          severity: 'warning',
          evidence: names => `older than ${OLDEST} on '${name}': ${names}; reassignments can't be listed`,
          fix: 'upgrade, or look for reassignments in ZooKeeper',
        }),
      ]
    }),
  )
}

const unclean = (side: Side): Found[] =>
  about(
    [
      ...brokersWith(side, 'unclean.leader.election.enable', value => value === 'true'),
      ...topicsWith(side, 'unclean.leader.election.enable', value => value === 'true').map(
        topic => `topic ${topic}`,
      ),
    ],
    {
      severity: 'warning',
      evidence: names => `an election on '${side.name}' may lose acknowledged records: ${names}`,
      fix: 'unclean.leader.election.enable=false until the cutover is complete',
    },
  )

const RATES = [
  'leader.replication.throttled.rate',
  'follower.replication.throttled.rate',
  'replica.alter.log.dirs.io.max.bytes.per.second',
]
const REPLICAS = ['leader.replication.throttled.replicas', 'follower.replication.throttled.replicas']

/** A reassignment that was not verified leaves its throttle, and followers that lag hold the high watermark back. */
const throttled = (side: Side, moving: ReadonlySet<string>): Found[] => {
  const brokers = RATES.flatMap(name =>
    valuesIn(side.brokerConfigs).flatMap(([broker, entries]) =>
      entries.some(each => each.name === name && each.source.startsWith('dynamic'))
        ? [`broker ${broker} (${name})`]
        : [],
    ),
  )
  const topics = REPLICAS.flatMap(name => topicsWith(side, name, value => value !== ''))
  const named = [...new Set(topics)].filter(topic => moving.has(topic)).map(topic => `topic ${topic}`)
  return about([...brokers, ...named], {
    severity: 'warning',
    evidence: names => `replication is throttled on '${side.name}': ${names}`,
    fix: 'kafka-reassign-partitions --verify takes throttles of a finished reassignment away; or delete these settings',
  })
}

const autoCreate = (side: Side): Found[] =>
  about(
    brokersWith(side, 'auto.create.topics.enable', value => value === 'true'),
    {
      severity: side.side === 'new' ? 'error' : 'warning',
      evidence: names =>
        side.side === 'new'
          ? `a client that comes too early makes empty topics on '${side.name}', in the place of the copy: ${names}`
          : `a client that comes too late makes topics on '${side.name}' that nobody moves: ${names}`,
      fix: `auto.create.topics.enable=false on '${side.name}'`,
    },
  )

const recompressed = (side: Side, { old, moving }: Facts): Found[] => {
  const topics = topicsWith(old, 'compression.type', value => value !== 'producer').filter(topic =>
    moving.has(topic),
  )
  const brokers = brokersWith(side, 'compression.type', value => value !== 'producer')
  const fix = 'verify before complete: from then on batches are recompressed as they are written'
  return [
    ...about(topics, {
      severity: 'warning',
      evidence: names =>
        `topics recompress what producers send; the copy is held at producer until complete: ${names}`,
      fix,
    }),
    ...about(brokers, {
      severity: 'warning',
      evidence: names =>
        `'${side.name}' recompresses by default; the copy is held at producer until complete: ${names}`,
      fix,
    }),
  ]
}

/** A request of one batch must fit into what a broker reads at once; the topic's own limit is set on its copy. */
const tooLarge = (side: Side, { old, moving }: Facts): Found[] => {
  const limits = valuesIn(side.brokerConfigs).map(([, entries]) =>
    Number(settingOf(entries, 'socket.request.max.bytes') ?? Number.POSITIVE_INFINITY),
  )
  const least = Math.min(Number.POSITIVE_INFINITY, ...limits)
  return about(
    topicsWith(old, 'max.message.bytes', value => Number(value) >= least).filter(topic => moving.has(topic)),
    {
      severity: 'error',
      evidence: names =>
        `batches may be larger than '${side.name}' reads at once (socket.request.max.bytes ${formatBytes(least)}): ${names}`,
      fix: `raise socket.request.max.bytes on '${side.name}' above max.message.bytes of these topics`,
    },
  )
}

const LIMITS: readonly (readonly [topic: string, broker: string])[] = [
  ['message.timestamp.after.max.ms', 'log.message.timestamp.after.max.ms'],
  ['message.timestamp.before.max.ms', 'log.message.timestamp.before.max.ms'],
]

/** Clients that write other times than now are refused by newer defaults (4.0: an hour ahead). Source: KIP-937, KIP-1030. */
const outOfTime = (side: Side, { old, moving }: Facts): Found[] =>
  LIMITS.flatMap(([setting, brokerSetting]) => {
    const theirs = valuesIn(side.brokerConfigs).flatMap(([, entries]) => {
      const value = settingOf(entries, brokerSetting)
      return typeof value === 'string' ? [BigInt(value)] : []
    })
    const limit = theirs.reduce((a, b) => (a < b ? a : b), FOREVER)
    if (limit === FOREVER || old.topicConfigs.kind === 'unseen') return []
    const wider = [...old.topicConfigs.value].flatMap(([topic, entries]) => {
      const found =
        entries.find(({ name }) => name === setting) ??
        entries.find(({ name }) => name === 'message.timestamp.difference.max.ms')
      const own = found?.source === 'dynamic-topic' && found.name === setting // copied as it is
      const width = BigInt(found?.value ?? FOREVER)
      return moving.has(topic) && !own && width > limit ? [topic] : []
    })
    return about(wider, {
      severity: 'warning',
      evidence: names =>
        `'${side.name}' refuses records whose time is more than ${formatDuration(Number(limit))} ${setting.includes('after') ? 'ahead' : 'back'}, '${old.name}' takes them; the copy is held open until complete: ${names}`,
      fix: `set ${setting} on these topics if clients write such times`,
    })
  })

const forgetful = (side: Side): Found[] => {
  const values = valuesIn(side.brokerConfigs).map(([, entries]) =>
    settingOf(entries, 'producer.id.expiration.ms'),
  )
  const fix = `kafka-configs --alter --entity-type brokers --entity-default --add-config producer.id.expiration.ms=${LONGEST_MS}, until complete`
  const untold = values.some(value => value === undefined)
  const least = Math.min(LONGEST_MS, ...values.map(value => Number(value ?? LONGEST_MS)))
  const evidence = untold
    ? `brokers of '${side.name}' forget producers by transactional.id.expiration.ms (before 3.4): a stray repeat of older records is found by read-back alone`
    : `brokers of '${side.name}' forget a producer ${formatDuration(least)} after its records' own time: a stray repeat of older ones is found by read-back alone`
  return untold || least < LONGEST_MS ? [{ severity: 'warning', evidence, fix }] : []
}
