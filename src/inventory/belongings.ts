import {
  type Acl,
  type Cluster,
  createAcls,
  describeConfigs,
  listAcls,
  listClientMetrics,
  listGroupSettings,
  listQuotas,
  listScramUsers,
  listTransactionalIds,
  setQuotas,
} from '../kafka/index.ts'
import { type During, isKmigError } from '../kit/index.ts'
import { type AclPlan, type AclPlanOptions, aclText, planAcls, withRefusals } from './acls.ts'
import { ask, remedy } from './ask.ts'
import type { Entry, Sync } from './entry.ts'
import { moreEntries } from './more-entries.ts'
import { planQuotas, type QuotaPlan, quotaText } from './quotas.ts'
import { type BrokerSettings, brokerEntries, userEntries } from './uncopied.ts'

/** What belongs to a cluster and to no topic: ACLs, quotas, users, settings of brokers; and what the copy gets of it. */
export type Belongings = { acls: AclPlan; quotas: QuotaPlan; rest: Entry[] }

export type BelongingsOptions = During &
  Pick<AclPlanOptions, 'hold' | 'own'> & {
    source: { name: string; cluster: Cluster }
    target: { name: string; cluster: Cluster }
    sync: readonly Sync[]
  }

const NO_AUTHORIZER =
  'the target has no authorizer: set authorizer.class.name on its brokers, or nobody is kept out there'

/** Reads both clusters and plans. Changes nothing; what can't be read is in the plan as refused, with what to allow. */
export const lookAtBelongings = async ({
  source,
  target,
  sync,
  hold,
  own,
  signal,
}: BelongingsOptions): Promise<Belongings> => {
  const during = { signal }
  const describe = { right: 'Describe on the cluster' }
  const read = { right: 'DescribeConfigs on the cluster' }
  const sides = [source, target] as const
  const [acls, quotas, users, brokers, metrics, groups, transactions] = await Promise.all([
    Promise.all(
      sides.map(({ name, cluster }) =>
        ask(() => listAcls(cluster, during), { ...describe, cluster: name, none: NO_AUTHORIZER }),
      ),
    ),
    Promise.all(
      sides.map(({ name, cluster }) => ask(() => listQuotas(cluster, during), { ...read, cluster: name })),
    ),
    Promise.all(
      sides.map(({ name, cluster }) =>
        ask(() => listScramUsers(cluster, during), { ...describe, cluster: name }),
      ),
    ),
    ask(() => brokerSettings(source.cluster, during), { ...read, cluster: source.name }),
    ask(() => listClientMetrics(source.cluster, during), { ...read, cluster: source.name }),
    ask(() => listGroupSettings(source.cluster, during), {
      right: 'DescribeConfigs on groups',
      cluster: source.name,
    }),
    ask(() => listTransactionalIds(source.cluster, during), {
      right: 'Describe on transactional ids',
      cluster: source.name,
    }),
  ])
  const none = { kind: 'none', why: '' } as const
  const [from, to] = [0, 1] as const
  return {
    acls: planAcls({
      source: acls[from] ?? none,
      target: acls[to] ?? none,
      wanted: sync.includes('acls'),
      hold,
      own,
    }),
    quotas: planQuotas({
      source: quotas[from] ?? none,
      target: quotas[to] ?? none,
      wanted: sync.includes('quotas'),
    }),
    rest: [
      ...userEntries(users[from] ?? none, users[to] ?? none),
      ...brokerEntries(brokers),
      ...moreEntries({ metrics, groups, transactions }),
    ],
  }
}

const brokerSettings = async (cluster: Cluster, during: During): Promise<BrokerSettings[]> => {
  const names = ['', ...[...cluster.brokers.keys()].map(String)]
  const found = await describeConfigs(
    cluster,
    names.map(name => ({ kind: 'broker', name })),
    during,
  )
  return [...found].map(([name, entries]) => ({ name, entries }))
}

/** All entries of a plan, ACLs first. */
export const entriesOf = ({ acls, quotas, rest }: Belongings): Entry[] => [
  ...acls.entries,
  ...quotas.entries,
  ...rest,
]

export type Applied = { acls: number; quotas: number; entries: Entry[] }

/** Makes what the target lacks; doing it again changes nothing. What the target refuses becomes an entry, with what to allow. */
export const applyBelongings = async (
  { name, cluster }: BelongingsOptions['target'],
  { acls, quotas, rest }: Belongings,
  { signal }: During,
): Promise<Applied> => {
  const refusals = new Map<string, string>()
  const refusing =
    <T>(right: string, text: (item: T) => string) =>
    (item: T, error: unknown) =>
      void refusals.set(text(item), remedy(error, { right, cluster: name }))
  const noAcl = refusing<Acl>('Alter on the cluster', aclText)
  const noQuota = refusing('AlterConfigs on the cluster', quotaText)
  await trying(acls.make, noAcl, () => createAcls(cluster, acls.make, { refused: noAcl, signal }))
  const failedAcls = refusals.size
  await trying(quotas.set, noQuota, () => setQuotas(cluster, quotas.set, { refused: noQuota, signal }))
  return {
    acls: acls.make.length - failedAcls,
    quotas: quotas.set.length - (refusals.size - failedAcls),
    entries: withRefusals(entriesOf({ acls, quotas, rest }), refusals),
  }
}

/** A request that is refused as a whole refuses each of its items. */
const trying = async <T>(
  items: readonly T[],
  refuse: (item: T, error: unknown) => void,
  work: () => Promise<void>,
): Promise<void> => {
  if (items.length === 0) return
  try {
    await work()
  } catch (e) {
    if (!isKmigError(e, 'AUTHORIZATION', 'UNSUPPORTED', 'BROKER')) throw e
    for (const item of items) refuse(item, e)
  }
}
