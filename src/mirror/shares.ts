import { z } from 'zod'
import { KmigError } from '../kit/index.ts'

/** A partition that somebody must copy; `weight` is what it costs, in bytes or records, all partitions alike. */
export type Work = { where: string; weight: number; owner: string | undefined }

/**
 * Shares partitions among members so that all carry about the same, and as few as possible change hands: every member
 * keeps what it owns, heaviest first, up to its fair share; the rest goes to whoever carries least. Deterministic.
 */
export const shareOut = (work: readonly Work[], members: readonly string[]): Map<string, string[]> => {
  const shares = new Map(members.map(member => [member, none()]))
  const cost = ({ weight }: Work) => Math.max(1, weight)
  const fair = work.reduce((sum, each) => sum + cost(each), 0) / Math.max(1, members.length)
  const heaviestFirst = [...work].sort((a, b) => cost(b) - cost(a) || (a.where < b.where ? -1 : 1))
  const give = (each: Work, member: string) => {
    const share = shares.get(member)
    if (!share) return
    share.weight += cost(each)
    share.wheres.push(each.where)
  }
  const rest = heaviestFirst.filter(each => {
    const share = each.owner === undefined ? undefined : shares.get(each.owner)
    // one may stick out, or shares of equal partitions that don't divide evenly would move at every joining
    if (!share || share.weight >= fair) return true
    give(each, each.owner ?? '')
    return false
  })
  for (const each of rest) {
    const [least] = [...shares].reduce(
      (a, b) => (b[1].weight < a[1].weight ? b : a),
      [...shares][0] ?? ['', { weight: 0, wheres: [] }],
    )
    give(each, least)
  }
  return new Map([...shares].map(([member, { wheres }]) => [member, wheres.sort()]))
}

const shape = z.object({ partitions: z.array(z.string()) })

const none = (): { weight: number; wheres: string[] } => ({ weight: 0, wheres: [] })

/** What a member is given, as the group carries it. */
export const encodeShare = (partitions: readonly string[]): Buffer =>
  Buffer.from(JSON.stringify({ partitions }))
/** Throws STATE_DAMAGED. */
export const decodeShare = (bytes: Buffer): string[] => {
  if (bytes.length === 0) return [] // the coordinator's answer to whom the leader forgot
  try {
    return shape.parse(JSON.parse(bytes.toString())).partitions
  } catch (cause) {
    throw new KmigError(
      'STATE_DAMAGED',
      'the share that the leader of the mirror handed out is of an unknown form',
      {
        cause,
        try: ['run the same version of kmig on all hosts'],
      },
    )
  }
}

/** What is written beside a partition in the mirror's group: who has it, and whether it was given back. */
export type Claim = { kind: 'held' | 'free'; instance: string; generation: number }
const claim = z.object({ kind: z.enum(['held', 'free']), instance: z.string(), generation: z.number() })
export const encodeClaim = (value: Claim): string => JSON.stringify(value)
/** undefined if nobody ever had it. A claim that can't be read is one that was never released. */
export const decodeClaim = (metadata: string | null | undefined): Claim | undefined => {
  if (!metadata) return undefined
  try {
    return claim.parse(JSON.parse(metadata))
  } catch {
    return { kind: 'held', instance: '?', generation: -1 }
  }
}
