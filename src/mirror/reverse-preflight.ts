import {
  type Cluster,
  type ConfigEntry,
  describeTopicConfigs,
  Metadata,
  type ResponseOf,
} from '../kafka/index.ts'
import type { During } from '../kit/index.ts'
import { LIMIT } from './follow-configs.ts'
import type { ReverseProblem } from './reverse-shape.ts'

export type ReverseProblemsOptions = During & {
  /** The new cluster. */
  source: Cluster
  /** The old one. */
  target: Cluster
  topics: readonly string[]
}

type Found = ResponseOf<typeof Metadata>
type Problem = Omit<ReverseProblem, 'topic'>
/** Bits of what a user may do. Source: AclOperation. */
const MAY = { write: 4, create: 5, alter: 7, clusterAction: 9, idempotentWrite: 12 } as const
/** The last version of Metadata that tells what a user may do on the cluster. */
const TELLS_CLUSTER = 10
/** What a broker says that does not tell. */
const UNTOLD = -2_147_483_648
const FOREVER = 9_223_372_036_854_775_807n
/** A way back that lags by less writes records that are no older than what clients would send. */
const DAY_MS = 86_400_000n

/**
 * What would keep records of these topics from the old cluster after the cut, or show there: asked of the old cluster with
 * the mirror's own credentials, so that a seal by ACL that does not let the way back pass is seen. Changes nothing.
 */
export const reverseProblems = async ({
  source,
  target,
  topics,
  signal,
}: ReverseProblemsOptions): Promise<ReverseProblem[]> => {
  const quiet = { signal, refused: () => {} }
  const [rights, old, next] = await Promise.all([
    rightsOn(target, topics, { signal }),
    describeTopicConfigs(target, topics, quiet),
    describeTopicConfigs(source, topics, quiet),
  ])
  const perTopic = topics.flatMap(topic => {
    const meta = rights.topics.find(({ name }) => name === topic)
    if (meta?.errorCode !== 0) {
      const what = 'it is not on the old cluster, or kmig may not see it there'
      return [{ ...stop('topic-missing-on-old', what, 'allow Describe on the topic'), topic }]
    }
    const settings = [old.get(topic) ?? [], next.get(topic) ?? []] as const
    return [...writeProblems(meta), ...settingProblems(...settings)].map(each => ({ ...each, topic }))
  })
  return [...clusterProblems(rights), ...perTopic]
}

const rightsOn = async (target: Cluster, topics: readonly string[], { signal }: During): Promise<Found> =>
  await target.retrying({ signal }, async () => {
    const [nodeId = -1] = target.brokers.keys()
    const connection = await target.connection(nodeId, 'control', signal)
    const request = {
      topics: topics.map(name => ({ name })),
      includeClusterAuthorizedOperations: true,
      includeTopicAuthorizedOperations: true,
    }
    const version = Math.min(connection.supports(Metadata) ?? TELLS_CLUSTER, TELLS_CLUSTER)
    return await connection.send(Metadata, request, { timeoutMs: 30_000, signal, version })
  })

const stop = (id: ReverseProblem['id'], what: string, remedy: string): Problem => {
  return { id, severity: 'stop', what, try: remedy }
}
const note = (id: ReverseProblem['id'], what: string, remedy: string): Problem => {
  return { id, severity: 'note', what, try: remedy }
}
const may = (operations: number, bit: number): boolean =>
  operations === UNTOLD || (operations & (1 << bit)) !== 0

const clusterProblems = ({ authorizedOperations: may_, topics }: Found): Problem[] => {
  const writes = topics.some(({ authorizedOperations }) => may(authorizedOperations, MAY.write))
  const found: Problem[] = []
  if (!may(may_, MAY.idempotentWrite) && !writes)
    found.push(
      stop(
        'write-right-on-old',
        'kmig’s user may not write idempotently on the old cluster',
        'allow IdempotentWrite on it',
      ),
    )
  if (!may(may_, MAY.create))
    found.push(
      note(
        'state-right-on-old',
        'kmig’s user may not create topics on the old cluster: the way back keeps its state in one',
        'allow Create, Read and Write on topics prefixed __kmig., and Read on groups prefixed __kmig.',
      ),
    )
  if (!may(may_, MAY.clusterAction) && !may(may_, MAY.alter))
    found.push(
      note(
        'fill-right-on-old',
        'kmig’s user may not write transaction markers on the old cluster: a partition that gets holes after the cut is translated on the way back',
        'allow ClusterAction, or Alter, on the old cluster',
      ),
    )
  return found
}

const writeProblems = ({ authorizedOperations }: Found['topics'][number]): Problem[] =>
  may(authorizedOperations, MAY.write)
    ? []
    : [
        stop(
          'write-right-on-old',
          'kmig’s user may not write to it on the old cluster',
          'allow Write on the topic to kmig’s user; a seal by ACL that denies User:* denies kmig too, unless its user is a super user there',
        ),
      ]

const settingProblems = (old: readonly ConfigEntry[], next: readonly ConfigEntry[]): Problem[] => {
  const value = (entries: readonly ConfigEntry[], name: string) =>
    entries.find(entry => entry.name === name)?.value ?? undefined
  const mine = (name: string) => value(old, name)
  const found: Problem[] = []
  const [least, most] = [Number(mine(LIMIT) ?? 0), Number(value(next, LIMIT) ?? 0)]
  if (least > 0 && most > least)
    found.push(
      note(
        'message-limit-on-old',
        `${LIMIT} is ${least} on the old cluster and ${most} on the new one: one record that is larger stops the way back of its partition`,
        `raise ${LIMIT} of the topic on the old cluster to ${most}`,
      ),
    )
  const bounds = [
    'message.timestamp.difference.max.ms',
    'message.timestamp.before.max.ms',
    'message.timestamp.after.max.ms',
  ].flatMap(name => {
    const bound = mine(name)
    return bound !== undefined && BigInt(bound) < FOREVER ? [{ name, bound: BigInt(bound) }] : []
  })
  for (const { name, bound } of bounds)
    found.push(
      (bound < DAY_MS ? stop : note)(
        'timestamp-limits-on-old',
        `${name} is ${bound} ms on the old cluster: a record whose time is further away stops the way back of its partition`,
        `raise ${name} of the topic on the old cluster while it may be gone back to`,
      ),
    )
  if (mine('message.timestamp.type') === 'LogAppendTime')
    found.push(
      note(
        'timestamp-type-on-old',
        'message.timestamp.type is LogAppendTime on the old cluster: records get the time at which the way back writes them there',
        'set it to CreateTime to keep the times that they have on the new cluster',
      ),
    )
  const codec = mine('compression.type')
  if (codec !== undefined && codec !== 'producer')
    found.push(
      note(
        'compression-on-old',
        `compression.type is ${codec} on the old cluster: its brokers pack what comes back again`,
        'nothing: records are the same; it takes CPU there',
      ),
    )
  if (mine('cleanup.policy')?.includes('compact') && mine('min.compaction.lag.ms') === '0')
    found.push(
      note(
        'compaction-on-old',
        'it is compacted on the old cluster at once: records that were taken back may be gone before a start reads them back, which stops the way back of that partition',
        'set min.compaction.lag.ms of the topic on the old cluster to a day',
      ),
    )
  return found
}
