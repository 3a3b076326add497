import { type Quota, quotaKey } from '../kafka/index.ts'
import type { Entry, Found } from './entry.ts'

/** 'user app, default client-id: producer_byte_rate' */
export const quotaName = ({ entity, key }: Pick<Quota, 'entity' | 'key'>): string =>
  `${entity.map(({ type, name }) => (name === null ? `default ${type}` : `${type} ${name}`)).join(', ')}: ${key}`
export const quotaText = (quota: Quota): string => `${quotaName(quota)}=${quota.value}`

export type QuotaPlan = { set: Quota[]; entries: Entry[] }
export type QuotaPlanOptions = {
  source: Found<Quota>
  target: Found<Quota>
  /** Whether quotas are copied at all; if not they are listed. */
  wanted: boolean
  /** The client id of this process's connections. */
  clientId?: string | undefined
}

/** Whether a quota bounds whoever uses this client id, as far as that can be told without the user. */
const boundsUs = ({ entity }: Quota, clientId: string): boolean =>
  entity.every(({ type, name }) =>
    type === 'client-id' ? name === null || name === clientId : name === null,
  )

/** Which quotas the target gets: each of the source's, with its value. What it has beyond them stays. */
export const planQuotas = ({ source, target, wanted, clientId = 'kmig' }: QuotaPlanOptions): QuotaPlan => {
  if (source.kind === 'unknown')
    return { set: [], entries: [{ kind: 'quota', name: '(all)', outcome: 'refused', why: source.why }] }
  const there = new Map(target.kind === 'found' ? target.items.map(each => [quotaKey(each), each]) : [])
  const plan: QuotaPlan = { set: [], entries: [] }
  const say = (quota: Quota, outcome: Entry['outcome'], why?: string | undefined) =>
    plan.entries.push({ kind: 'quota', name: quotaText(quota), outcome, ...(why && { why }) })
  for (const quota of source.kind === 'found' ? source.items : []) {
    const now = there.get(quotaKey(quota))
    there.delete(quotaKey(quota))
    if (!wanted) say(quota, 'excluded', 'by --sync, which does not name quotas')
    else if (target.kind !== 'found') say(quota, 'refused', target.why)
    else {
      const other = now && now.value !== quota.value ? [`the target had ${now.value}`] : []
      const ours = boundsUs(quota, clientId) ? ['it bounds this mirror’s own requests too'] : []
      say(quota, 'copied', [...other, ...ours].join('; '))
      if (now?.value !== quota.value) plan.set.push(quota)
    }
  }
  for (const quota of there.values()) say(quota, 'extra', 'the source has no such quota; it stays')
  return plan
}
