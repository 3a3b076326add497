import { type Cluster, groupOffsets, partitionKey } from '../../kafka/index.ts'
import type { During } from '../../kit/index.ts'
import { logEnds } from '../log-ends.ts'
import type { Finding } from './finding.ts'
import type { Certificate } from './shape.ts'

export type Live = During & { certificate: Certificate; old: Cluster; next: Cluster }

/** No log has lost its end, and nobody wrote to the old cluster but the copy back. */
export const checkEnds = async ({ certificate, old, next, signal }: Live): Promise<Finding[]> => {
  const { partitions, reverse, state } = certificate
  if (partitions.length === 0) return []
  const ours = await logEnds(old, partitions, { signal })
  const theirs = await logEnds(next, partitions, { signal })
  const free = state === 'rolled-back' // clients write there again
  const findings = partitions.flatMap(({ topic, partition, cut, endNew }): Finding[] => {
    const where = partitionKey(topic, partition)
    const differs = (text: string): Finding[] => [{ kind: 'ends', where, outcome: 'differs', text }]
    const [was, now] = [ours.get(where)?.leo ?? 0n, theirs.get(where)?.leo ?? 0n]
    if (was < BigInt(cut))
      return differs(`the old cluster ends at ${was}, before the cut ${cut}: it lost records`)
    if (was > BigInt(cut) && !reverse && !free)
      return differs(`the old cluster ends at ${was}, the cut was ${cut}: somebody wrote there`)
    if (endNew !== undefined && now < BigInt(endNew))
      return differs(`the new cluster ends at ${now}, it ended at ${endNew}: it lost records`)
    return []
  })
  if (findings.length > 0) return findings
  return [
    { kind: 'ends', where: `${partitions.length} partitions`, outcome: 'equal', text: 'no log lost its end' },
  ]
}

/** Groups stand on the new cluster where they were set, or further on. */
export const checkGroups = async ({ certificate, next, signal }: Live): Promise<Finding[]> => {
  const { groups, state } = certificate
  const set = groups.filter(({ partitions }) => partitions.length > 0)
  if (set.length === 0) return []
  if (state === 'rolled-back')
    return [
      {
        kind: 'group',
        where: 'all',
        outcome: 'cannot',
        text: 'the run was rolled back: they read on the old cluster',
      },
    ]
  const found = await groupOffsets(
    next,
    set.map(({ id }) => id),
    { signal, refused: () => {} },
  )
  return set.map(({ id, partitions }): Finding => {
    const about = { kind: 'group' as const, where: id }
    const now = new Map(
      (found.get(id) ?? []).map(row => [partitionKey(row.topic, row.partition), row.offset]),
    )
    const behind = partitions.filter(({ topic, partition, to }) => {
      const at = now.get(partitionKey(topic, partition))
      return at !== undefined && at < BigInt(to)
    })
    const gone = partitions.filter(({ topic, partition }) => !now.has(partitionKey(topic, partition)))
    if (behind.length > 0) {
      const text = behind.map(
        ({ topic, partition, to }) =>
          `${topic}-${partition} ${now.get(partitionKey(topic, partition))} < ${to}`,
      )
      return { ...about, outcome: 'differs', text: `it went back: ${text.join(', ')}` }
    }
    return gone.length > 0
      ? { ...about, outcome: 'cannot', text: `${gone.length} of its offsets are gone: expired, or deleted` }
      : {
          ...about,
          outcome: 'equal',
          text: `${partitions.length} offsets are where they were set, or further on`,
        }
  })
}
