import { KmigError, Offset } from '../kit/index.ts'

/** Source offsets [from, to) that were gone before they were copied, with the operator's consent to go on without them. */
export type LostGap = { from: Offset; to: Offset }

/** Which losses the operator accepts: by partition, up to an offset or, without one, all. */
export type AcceptedGaps = ReadonlyMap<string, Offset | undefined>

/** Reads `topic-partition` and `topic-partition:offset`. Throws USAGE. */
export const acceptedGaps = (texts: readonly string[] = []): AcceptedGaps =>
  new Map(
    texts.map(text => {
      const [, where, upTo] = /^([\w.-]+-\d+)(?::(\d+))?$/.exec(text) ?? []
      if (where !== undefined) return [where, upTo === undefined ? undefined : Offset(BigInt(upTo))] as const
      throw new KmigError('USAGE', `--accept-gap '${text}' does not name a partition`, {
        try: ['write it as orders-3, or as orders-3:1200 to accept what is lost before offset 1200 only'],
      })
    }),
  )

/** Whether a partition may go on at `to`, without what lies before it. */
export const accepts = (gaps: AcceptedGaps, where: string, to: bigint): boolean => {
  if (!gaps.has(where)) return false
  const upTo = gaps.get(where)
  return upTo === undefined || to <= upTo
}
