import { type Cluster, DescribeQuorum } from '../../kafka/index.ts'
import { type During, formatDuration, KmigError } from '../../kit/index.ts'
import type { Seen } from '../proof/index.ts'
import { type Facts, type Side, tried } from './facts.ts'
import { type Finding, looked, notChecked, type Outcome } from './finding.ts'

type Found = Omit<Finding, 'id'>

/** How far a clock is ahead of ours, and by how much that may be wrong: half of the way there and back. */
export type Skew = { aheadMs: number; orMs: number }

const WITHIN_MS = 15_000
const ASKS = 3
/** Times of records step by so much at the switch. */
const TOLD_MS = 2_000
/** Kerberos ends there, and the new cluster's limits on times of records are not far. */
const BLOCKS_MS = 5 * 60_000
const METADATA = '__cluster_metadata'

/**
 * The clock of the active controller against ours. It is the only one that a cluster tells without a record being
 * written, and only one without ZooKeeper has it. Throws UNSUPPORTED, AUTHORIZATION. Source: KIP-836.
 */
export const skewOf = async (
  cluster: Cluster,
  { signal, wall = Date.now }: During & { wall?: () => number },
): Promise<Skew> => {
  let best: Skew | undefined
  for (let ask = 0; ask < ASKS; ask++) {
    const start = wall()
    const { errorCode, topics } = await cluster.any(
      DescribeQuorum,
      { topics: [{ topic: METADATA, partitions: [{ partition: 0 }] }] },
      { signal, withinMs: WITHIN_MS },
    )
    const end = wall()
    const of = topics[0]?.partitions[0]
    const told = of?.voters.find(({ replicaId }) => replicaId === of.leader)?.lastFetchMs ?? -1n
    const code = errorCode || (of?.errorCode ?? 0)
    if (told <= 0n) {
      const why = code === 0 ? 'its controller does not tell it' : `its controller answers error ${code}`
      throw new KmigError('UNSUPPORTED', why)
    }
    const skew = { aheadMs: Math.round(Number(told) - (start + end) / 2), orMs: Math.ceil((end - start) / 2) }
    if (!best || skew.orMs < best.orMs) best = skew
  }
  return best as Skew
}

/** What a clock that is off does, by how much it certainly is. */
export const skewFindings = (skews: readonly { name: string; skew: Skew }[]): Found[] =>
  skews.flatMap(({ name, skew: { aheadMs, orMs } }) => {
    const least = Math.abs(aheadMs) - orMs
    if (least < TOLD_MS) return []
    return [
      {
        severity: least < BLOCKS_MS ? 'warning' : 'error',
        evidence: `the clock of the controller of '${name}' is ${formatDuration(Math.abs(aheadMs))} ${aheadMs < 0 ? 'behind' : 'ahead of'} this host's (${orMs} ms more or less): times of records, retention and limits on times step by that at the switch`,
        fix: 'set the clocks right (NTP) on the hosts of both clusters and here; docs/doctor.md tells how to look at each',
      },
    ]
  })

/** The clocks of both clusters, as far as they tell them. */
export const clockSkew = async (
  { old, next }: Pick<Facts, 'old' | 'next'>,
  { signal, wall }: During & { wall?: () => number },
): Promise<Outcome> => {
  const id = 'clock-skew'
  const seen = await Promise.all(
    [old, next].map(async ({ name, cluster }: Side) => ({
      name,
      seen: await tried(() => skewOf(cluster, { signal, ...(wall && { wall }) }), { signal }),
    })),
  )
  const known = seen.flatMap(({ name, seen }) => (seen.kind === 'seen' ? [{ name, skew: seen.value }] : []))
  const found = skewFindings(known)
  const dumb = seen.flatMap(({ name, seen }) => (seen.kind === 'unseen' ? [whyDumb(name, seen)] : []))
  if (dumb.length === 0 || found.length > 0) return looked(id, found)
  const rest = known.map(
    ({ name, skew: { aheadMs, orMs } }) =>
      `the clock of the controller of '${name}' is right: ${aheadMs} ms, ${orMs} ms more or less`,
  )
  return notChecked(id, [...dumb, ...rest].join('; '))
}

const whyDumb = (name: string, seen: Seen<unknown>): string =>
  `the clock of '${name}' can't be measured: only a controller without ZooKeeper (3.3 on) tells its clock unless a record is written, which a check does not do${seen.kind === 'unseen' ? ` (${seen.why})` : ''}`
