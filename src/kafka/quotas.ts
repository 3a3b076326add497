import type { AskOptions, Cluster } from './cluster.ts'
import { brokerError } from './errors.ts'
import { AlterClientQuotas, DescribeClientQuotas } from './messages/index.ts'

/** Who is bounded: 'user', 'client-id', both, or 'ip'; a name of null is the default of all that have no quota of their own. */
export type QuotaEntity = readonly { type: string; name: string | null }[]
export type Quota = {
  entity: QuotaEntity
  /** 'producer_byte_rate', 'consumer_byte_rate', 'request_percentage', 'controller_mutation_rate', ... */
  key: string
  value: number
}

/** All client quotas of a cluster. Throws AUTHORIZATION without DescribeConfigs on the cluster, UNSUPPORTED before 2.6. */
export const listQuotas = async (cluster: Cluster, options: AskOptions = {}): Promise<Quota[]> => {
  const answer = await cluster.any(DescribeClientQuotas, { components: [] }, options)
  if (answer.errorCode !== 0) throw brokerError(answer.errorCode, 'client quotas', answer.errorMessage)
  return (answer.entries ?? []).flatMap(({ entity, values }) =>
    values.map(({ key, value }) => ({ entity, key, value })),
  )
}

const nameOf = (entity: QuotaEntity): string =>
  JSON.stringify(entity.toSorted((a, b) => (a.type < b.type ? -1 : 1)).map(({ type, name }) => [type, name]))
/** The same for the same quota, whatever its value and the order of its parts. */
export const quotaKey = ({ entity, key }: Pick<Quota, 'entity' | 'key'>): string => `${nameOf(entity)} ${key}`

/** Sets quotas and leaves all others. What can't be set is told, with the broker's own words. */
export const setQuotas = async (
  cluster: Cluster,
  quotas: readonly Quota[],
  { refused, ...options }: AskOptions & { refused: (quota: Quota, error: Error) => void },
): Promise<void> => {
  if (quotas.length === 0) return
  const shares = Map.groupBy(quotas, ({ entity }) => nameOf(entity))
  const entries = [...shares.values()].flatMap(share => {
    const [first] = share
    return first ? [{ entity: first.entity, ops: share.map(({ key, value }) => ({ key, value })) }] : []
  })
  const answer = await cluster.any(AlterClientQuotas, { entries }, options)
  for (const { errorCode, errorMessage, entity } of answer.entries) {
    if (errorCode === 0) continue
    const error = brokerError(errorCode, 'setting a quota', errorMessage)
    for (const quota of shares.get(nameOf(entity)) ?? []) refused(quota, error)
  }
}
