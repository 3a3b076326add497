import { KmigError } from '../kit/index.ts'
import type { Shift } from '../offsets/index.ts'

type Where = { where: string; topic: string; back?: boolean | undefined }

/** What gives a partition that can't go on a copy again. On the way back nothing does: the old cluster's records stay. */
export const copyAnew = ({ topic, back }: Where): string =>
  back
    ? 'kmig cutover status names what one cluster has alone: copy it by hand, or stay on the new cluster'
    : `delete topic ${topic} on the target and start the mirror again: it is copied anew`

/** Somebody else wrote to the target. */
export const strangeWrite = (lane: Where, what: string): KmigError =>
  new KmigError('FOREIGN_WRITE', `${lane.where} on the ${lane.back ? 'old cluster' : 'target'}: ${what}`, {
    try: [
      lane.back ? 'find the writer that goes on writing to the old cluster' : 'find the writer and stop it',
      ...(lane.back
        ? []
        : ['where writers move one by one delete nothing: docs/barrier.md tells what this means']),
      copyAnew(lane),
    ],
  })

/** What stood on the target before this mirror wrote there is gone. */
export const groundLost = (lane: Where, { from, to }: { from: bigint; to: bigint }): KmigError => {
  const side = lane.back ? 'the old cluster' : 'the target'
  const what = `${side} lost offsets ${from} to ${to - 1n}, which clients wrote (an unclean election there); they are not written again`
  return new KmigError('TARGET_TRUNCATED', `${lane.where}: ${what}`, { try: [copyAnew(lane)] })
}

/** Identical offsets were asked for, and records stand elsewhere. */
export const notIdentical = (lane: Where, [first]: readonly Shift[]): KmigError =>
  new KmigError(
    'NOT_IDENTICAL',
    `${lane.where}: from source offset ${first?.source} on records stand at other offsets on the target (${first?.target} on)`,
    { try: ['start without --offsets identical: an exact map gives every offset', copyAnew(lane)] },
  )
